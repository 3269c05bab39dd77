/* pickle.c - the opcodes of pickles, in one table: those without a function are refused.
 *
 * Source of the opcodes: Python's pickletools, which describes each. Those that are missing here are of protocols 0 and
 * 1, build instances of classes (INST, OBJ, NEWOBJ), take names out of a registry (EXT1, ...), take data from outside
 * (NEXT_BUFFER), or shuffle the stack, which no writer of tensors needs. */
#include "io/torch/pickle.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/torch/pickle_stack.h"

#define NAME_MAX_LENGTH 255

typedef struct machine {
  aq_pickle_reader *reader;
  aq_pickle_values *values;
  aq_torch_objects *objects;
  aq_pickle_stack stack;
  uint64_t opcode_at;
  uint8_t protocol;
  bool stopped;
} machine;

/* `argument` is the number that the opcode's row has. */
typedef aq_status (*opcode_fn)(machine *m, int64_t argument, aq_error *err);

static aq_status push_new(machine *m, aq_pickle_kind kind, int64_t number, aq_error *err) {
  uint32_t id;
  AQ_TRY(aq_pickle_add(m->values, kind, number, &id, err));
  return aq_pickle_push(&m->stack, m->values, id, err);
}

static aq_status fail_place(const machine *m, aq_status status, aq_error *err) {
  return aq_error_at(err, status, (int64_t)m->opcode_at);
}

/* ---- values ---- */

static aq_status push_none(machine *m, int64_t argument, aq_error *err) {
  (void)argument;
  return push_new(m, AQ_PICKLE_NONE, 0, err);
}

static aq_status push_bool(machine *m, int64_t argument, aq_error *err) {
  return push_new(m, AQ_PICKLE_BOOL, argument, err);
}

static aq_status push_empty(machine *m, int64_t argument, aq_error *err) {
  return push_new(m, (aq_pickle_kind)argument, 0, err);
}

/* BININT has four bytes and a sign; BININT1 and BININT2 have none. */
static aq_status push_int(machine *m, int64_t argument, aq_error *err) {
  uint64_t number;
  AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)argument, &number, err));
  return push_new(m, AQ_PICKLE_INT, argument == 4 ? (int32_t)(uint32_t)number : (int64_t)number, err);
}

static aq_status push_float(machine *m, int64_t argument, aq_error *err) {
  uint64_t bits;
  (void)argument;
  AQ_TRY(aq_pickle_reader_number(m->reader, 8, &bits, err));
  return push_new(m, AQ_PICKLE_OTHER, 0, err);
}

static aq_status skip_bytes(machine *m, uint64_t size, aq_error *err) {
  uint8_t room[512];
  AQ_TRY(aq_pickle_reader_expect(m->reader, size, err));
  while (size > 0) {
    const size_t n = (size_t)AQ_MIN(size, (uint64_t)sizeof room);
    AQ_TRY(aq_pickle_reader_read(m->reader, room, n, err));
    size -= n;
  }
  return AQ_OK;
}

/* LONG1, LONG4: little-endian two's complement. A number that takes more than 64 bits is no size of anything. */
static aq_status push_long(machine *m, int64_t argument, aq_error *err) {
  uint64_t length, number = 0;
  AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)argument, &length, err));
  if (length > 8) {
    AQ_TRY(skip_bytes(m, length, err));
    return push_new(m, AQ_PICKLE_OTHER, 0, err);
  }
  if (length > 0) AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)length, &number, err));
  if (length > 0 && length < 8 && (number >> (8 * length - 1)) != 0) number |= UINT64_MAX << (8 * length);
  return push_new(m, AQ_PICKLE_INT, (int64_t)number, err);
}

/* Strings of bytes are those of Python 2, whose names were such. */
static aq_status push_text(machine *m, int64_t argument, aq_error *err) {
  uint64_t length;
  uint32_t id;
  uint8_t *bytes;
  AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)argument, &length, err));
  AQ_TRY(aq_pickle_reader_expect(m->reader, length, err));
  AQ_TRY(aq_pickle_add_text(m->values, (size_t)length, &bytes, &id, err));
  AQ_TRY(aq_pickle_reader_read(m->reader, bytes, (size_t)length, err));
  return aq_pickle_push(&m->stack, m->values, id, err);
}

static aq_status push_bytes(machine *m, int64_t argument, aq_error *err) {
  uint64_t length;
  AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)argument, &length, err));
  AQ_TRY(skip_bytes(m, length, err));
  return push_new(m, AQ_PICKLE_OTHER, 0, err);
}

/* ---- containers ---- */

static aq_status push_tuple_of(machine *m, aq_pickle_kind kind, const uint32_t *ids, uint32_t count, aq_error *err) {
  uint32_t id;
  AQ_TRY(aq_pickle_add(m->values, kind, 0, &id, err));
  AQ_TRY(aq_pickle_append(m->values, id, ids, count, err));
  return aq_pickle_push(&m->stack, m->values, id, err);
}

static aq_status push_tuple(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  AQ_TRY(aq_pickle_pop(&m->stack, (uint32_t)argument, &ids, err));
  return push_tuple_of(m, AQ_PICKLE_TUPLE, ids, (uint32_t)argument, err);
}

static aq_status push_marked(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  uint32_t count;
  AQ_TRY(aq_pickle_pop_mark(&m->stack, &ids, &count, err));
  return push_tuple_of(m, (aq_pickle_kind)argument, ids, count, err);
}

/* Items that left the stack go into the container that is now on top of it. */
static aq_status append_items(machine *m, aq_pickle_kind kind, const uint32_t *ids, uint32_t count, aq_error *err) {
  uint32_t to;
  AQ_TRY(aq_pickle_top(&m->stack, &to, err));
  const aq_pickle_kind found = aq_pickle_at(m->values, to)->kind;
  AQ_FAIL_IF(found != kind, AQ_ERR_FORMAT, "items for %s are put into %s", aq_pickle_kind_name(kind),
             aq_pickle_kind_name(found));
  AQ_FAIL_IF(kind == AQ_PICKLE_DICT && count % 2 != 0, AQ_ERR_FORMAT, "a dict gets a key without its value");
  return aq_pickle_append(m->values, to, ids, count, err);
}

static aq_status append_one(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  const uint32_t count = argument == AQ_PICKLE_DICT ? 2 : 1;
  AQ_TRY(aq_pickle_pop(&m->stack, count, &ids, err));
  return append_items(m, (aq_pickle_kind)argument, ids, count, err);
}

static aq_status append_marked(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  uint32_t count;
  AQ_TRY(aq_pickle_pop_mark(&m->stack, &ids, &count, err));
  return append_items(m, (aq_pickle_kind)argument, ids, count, err);
}

/* ---- names and calls ---- */

/* A name goes into an error as it is only where all of it can be printed. */
static aq_status check_printable(const char *name, aq_error *err) {
  for (const char *p = name; *p != '\0'; p++) {
    AQ_FAIL_IF(*p <= ' ' || *p > '~', AQ_ERR_FORMAT, "a name in the pickle is none of Python's");
  }
  return AQ_OK;
}

static aq_status push_name(machine *m, const char *module, const char *name, aq_error *err) {
  AQ_TRY(check_printable(module, err));
  AQ_TRY(check_printable(name, err));
  const int64_t row = aq_torch_name_find(module, name);
  if (row >= 0) return push_new(m, AQ_PICKLE_NAME, row, err);
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED,
              "the pickle names '%.100s.%.100s', which no table of tensors needs; nothing was run", module, name);
  return aq_error_hint(err, status,
                       "Save the tensors alone: torch.save(model.state_dict(), FILE), or better as safetensors. Trust "
                       "no file that needs more");
}

static aq_status read_line(machine *m, char *out, aq_error *err) {
  for (size_t i = 0; i <= NAME_MAX_LENGTH; i++) {
    AQ_TRY(aq_pickle_reader_read(m->reader, &out[i], 1, err));
    AQ_FAIL_IF(out[i] == '\0', AQ_ERR_FORMAT, "a name in the pickle is none of Python's");
    if (out[i] != '\n') continue;
    out[i] = '\0';
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "a name in the pickle has more than %d bytes", NAME_MAX_LENGTH);
}

static aq_status push_global(machine *m, int64_t argument, aq_error *err) {
  char module[NAME_MAX_LENGTH + 1], name[NAME_MAX_LENGTH + 1];
  (void)argument;
  AQ_TRY(read_line(m, module, err));
  AQ_TRY(read_line(m, name, err));
  return push_name(m, module, name, err);
}

static aq_status copy_name(const machine *m, uint32_t id, char *out, aq_error *err) {
  const aq_pickle_value *text = aq_pickle_at(m->values, id);
  AQ_FAIL_IF(text->kind != AQ_PICKLE_TEXT, AQ_ERR_FORMAT, "a name is %s, and should be a string",
             aq_pickle_kind_name(text->kind));
  AQ_FAIL_IF(text->count > NAME_MAX_LENGTH, AQ_ERR_UNSUPPORTED, "a name in the pickle has more than %d bytes",
             NAME_MAX_LENGTH);
  memcpy(out, aq_pickle_text(m->values, id), text->count + 1);
  AQ_FAIL_IF(strlen(out) != text->count, AQ_ERR_FORMAT, "a name in the pickle is none of Python's");
  return AQ_OK;
}

static aq_status push_stack_global(machine *m, int64_t argument, aq_error *err) {
  char module[NAME_MAX_LENGTH + 1], name[NAME_MAX_LENGTH + 1];
  const uint32_t *ids;
  (void)argument;
  AQ_TRY(aq_pickle_pop(&m->stack, 2, &ids, err));
  AQ_TRY(copy_name(m, ids[0], module, err));
  AQ_TRY(copy_name(m, ids[1], name, err));
  return push_name(m, module, name, err);
}

static aq_status push_call(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  uint32_t id;
  (void)argument;
  AQ_TRY(aq_pickle_pop(&m->stack, 2, &ids, err));
  AQ_TRY(aq_torch_call(m->objects, m->values, ids[0], ids[1], &id, err));
  return aq_pickle_push(&m->stack, m->values, id, err);
}

static aq_status push_storage(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  uint32_t id;
  (void)argument;
  AQ_TRY(aq_pickle_pop(&m->stack, 1, &ids, err));
  AQ_TRY(aq_torch_add_storage(m->objects, m->values, ids[0], &id, err));
  return aq_pickle_push(&m->stack, m->values, id, err);
}

/* Attributes of an OrderedDict (_metadata: versions of modules), which say nothing about tensors. */
static aq_status set_attributes(machine *m, int64_t argument, aq_error *err) {
  const uint32_t *ids;
  uint32_t object;
  (void)argument;
  AQ_TRY(aq_pickle_pop(&m->stack, 1, &ids, err));
  const aq_pickle_kind state = aq_pickle_at(m->values, ids[0])->kind;
  AQ_TRY(aq_pickle_top(&m->stack, &object, err));
  const aq_pickle_kind kind = aq_pickle_at(m->values, object)->kind;
  AQ_FAIL_IF(kind != AQ_PICKLE_DICT || state != AQ_PICKLE_DICT, AQ_ERR_UNSUPPORTED,
             "the pickle sets attributes of %s from %s, which only dicts have here", aq_pickle_kind_name(kind),
             aq_pickle_kind_name(state));
  return AQ_OK;
}

/* ---- memo, marks and frames ---- */

static aq_status put_memo(machine *m, int64_t argument, aq_error *err) {
  uint64_t number = m->stack.memo_count;
  if (argument > 0) AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)argument, &number, err));
  return aq_pickle_memo_put(&m->stack, m->values, number, m->opcode_at - m->reader->begin, err);
}

static aq_status get_memo(machine *m, int64_t argument, aq_error *err) {
  uint64_t number;
  uint32_t id;
  AQ_TRY(aq_pickle_reader_number(m->reader, (size_t)argument, &number, err));
  AQ_TRY(aq_pickle_memo_get(&m->stack, number, &id, err));
  return aq_pickle_push(&m->stack, m->values, id, err);
}

static aq_status set_mark(machine *m, int64_t argument, aq_error *err) {
  (void)argument;
  return aq_pickle_mark(&m->stack, m->values, err);
}

/* A frame is a hint for reading ahead. */
static aq_status read_frame(machine *m, int64_t argument, aq_error *err) {
  uint64_t length;
  (void)argument;
  AQ_TRY(aq_pickle_reader_number(m->reader, 8, &length, err));
  return aq_pickle_reader_expect(m->reader, length, err);
}

static aq_status stop_machine(machine *m, int64_t argument, aq_error *err) {
  (void)argument;
  (void)err;
  m->stopped = true;
  return AQ_OK;
}

/* ---- the table ---- */

typedef struct opcode {
  const char *name;
  opcode_fn run;    /* NULL: refused */
  uint8_t argument; /* bytes of a number, a count or a kind of values */
} opcode;

/* By the byte that stands for it. */
static const opcode opcodes[256] = {
    ['.'] = {"STOP", stop_machine, 0},
    ['('] = {"MARK", set_mark, 0},
    ['N'] = {"NONE", push_none, 0},
    [0x88] = {"NEWTRUE", push_bool, 1},
    [0x89] = {"NEWFALSE", push_bool, 0},
    ['J'] = {"BININT", push_int, 4},
    ['K'] = {"BININT1", push_int, 1},
    ['M'] = {"BININT2", push_int, 2},
    [0x8a] = {"LONG1", push_long, 1},
    [0x8b] = {"LONG4", push_long, 4},
    ['G'] = {"BINFLOAT", push_float, 8},
    ['U'] = {"SHORT_BINSTRING", push_text, 1},
    ['T'] = {"BINSTRING", push_text, 4},
    [0x8c] = {"SHORT_BINUNICODE", push_text, 1},
    ['X'] = {"BINUNICODE", push_text, 4},
    [0x8d] = {"BINUNICODE8", push_text, 8},
    ['C'] = {"SHORT_BINBYTES", push_bytes, 1},
    ['B'] = {"BINBYTES", push_bytes, 4},
    [0x8e] = {"BINBYTES8", push_bytes, 8},
    [0x96] = {"BYTEARRAY8", push_bytes, 8},
    [']'] = {"EMPTY_LIST", push_empty, AQ_PICKLE_LIST},
    [')'] = {"EMPTY_TUPLE", push_empty, AQ_PICKLE_TUPLE},
    ['}'] = {"EMPTY_DICT", push_empty, AQ_PICKLE_DICT},
    [0x8f] = {"EMPTY_SET", push_empty, AQ_PICKLE_SET},
    [0x85] = {"TUPLE1", push_tuple, 1},
    [0x86] = {"TUPLE2", push_tuple, 2},
    [0x87] = {"TUPLE3", push_tuple, 3},
    ['t'] = {"TUPLE", push_marked, AQ_PICKLE_TUPLE},
    [0x91] = {"FROZENSET", push_marked, AQ_PICKLE_SET},
    ['a'] = {"APPEND", append_one, AQ_PICKLE_LIST},
    ['e'] = {"APPENDS", append_marked, AQ_PICKLE_LIST},
    ['s'] = {"SETITEM", append_one, AQ_PICKLE_DICT},
    ['u'] = {"SETITEMS", append_marked, AQ_PICKLE_DICT},
    [0x90] = {"ADDITEMS", append_marked, AQ_PICKLE_SET},
    ['c'] = {"GLOBAL", push_global, 0},
    [0x93] = {"STACK_GLOBAL", push_stack_global, 0},
    ['R'] = {"REDUCE", push_call, 0},
    ['Q'] = {"BINPERSID", push_storage, 0},
    ['b'] = {"BUILD", set_attributes, 0},
    ['q'] = {"BINPUT", put_memo, 1},
    ['r'] = {"LONG_BINPUT", put_memo, 4},
    [0x94] = {"MEMOIZE", put_memo, 0},
    ['h'] = {"BINGET", get_memo, 1},
    ['j'] = {"LONG_BINGET", get_memo, 4},
    [0x95] = {"FRAME", read_frame, 0},
    ['0'] = {"POP", NULL, 0},
    ['1'] = {"POP_MARK", NULL, 0},
    ['2'] = {"DUP", NULL, 0},
    ['F'] = {"FLOAT", NULL, 0},
    ['I'] = {"INT", NULL, 0},
    ['L'] = {"LONG", NULL, 0},
    ['P'] = {"PERSID", NULL, 0},
    ['S'] = {"STRING", NULL, 0},
    ['V'] = {"UNICODE", NULL, 0},
    ['d'] = {"DICT", NULL, 0},
    ['g'] = {"GET", NULL, 0},
    ['i'] = {"INST", NULL, 0},
    ['l'] = {"LIST", NULL, 0},
    ['o'] = {"OBJ", NULL, 0},
    ['p'] = {"PUT", NULL, 0},
    [0x80] = {"PROTO", NULL, 0},
    [0x81] = {"NEWOBJ", NULL, 0},
    [0x82] = {"EXT1", NULL, 0},
    [0x83] = {"EXT2", NULL, 0},
    [0x84] = {"EXT4", NULL, 0},
    [0x92] = {"NEWOBJ_EX", NULL, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0},
};

static aq_status fail_opcode(uint8_t code, aq_error *err) {
  const opcode *found = &opcodes[code];
  if (found->name == NULL)
    return aq_fail(err, AQ_ERR_FORMAT, "the pickle has a byte 0x%02x, which is no opcode", (unsigned)code);
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "the pickle has the opcode %s, which no table of tensors needs", found->name);
  return aq_error_hint(err, status, "Save the tensors alone: torch.save(model.state_dict(), FILE), or as safetensors");
}

static aq_status run_opcode(machine *m, aq_error *err) {
  uint8_t code;
  m->opcode_at = m->reader->at;
  AQ_TRY(aq_pickle_reader_read(m->reader, &code, 1, err));
  if (opcodes[code].run == NULL) return fail_opcode(code, err);
  return opcodes[code].run(m, opcodes[code].argument, err);
}

static aq_status read_protocol(machine *m, aq_error *err) {
  uint8_t head[2];
  m->opcode_at = m->reader->at;
  AQ_TRY(aq_pickle_reader_read(m->reader, head, sizeof head, err));
  m->protocol = head[1];
  AQ_FAIL_IF(head[0] != 0x80, AQ_ERR_UNSUPPORTED, "is no pickle of protocol 2 to 5");
  AQ_FAIL_IF(m->protocol < 2 || m->protocol > 5, AQ_ERR_UNSUPPORTED, "is a pickle of protocol %u; 2 to 5 are read",
             (unsigned)m->protocol);
  return AQ_OK;
}

static aq_status run_machine(machine *m, uint32_t *root, aq_error *err) {
  const uint32_t *ids;
  AQ_TRY(read_protocol(m, err));
  while (!m->stopped) AQ_TRY(run_opcode(m, err));
  AQ_TRY(aq_pickle_pop(&m->stack, 1, &ids, err));
  AQ_FAIL_IF(m->stack.values.count != 0 || m->stack.marks.count != 0, AQ_ERR_FORMAT,
             "the pickle ends with values left over on its stack");
  *root = ids[0];
  return AQ_OK;
}

aq_status aq_pickle_load(aq_pickle_reader *reader, aq_pickle_values *values, aq_torch_objects *objects, uint32_t *root,
                         aq_error *err) {
  machine m = {.reader = reader, .values = values, .objects = objects};
  const aq_status status = run_machine(&m, root, err);
  aq_pickle_stack_reset(&m.stack);
  return status == AQ_OK ? AQ_OK : fail_place(&m, status, err);
}
