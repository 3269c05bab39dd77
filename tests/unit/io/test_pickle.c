/* test_pickle.c - pickles that are allowed, and all others: none is run, each is refused by name and place. */
#include "torch_fixture.h"

#include "io/torch/pickle.h"

static aq_pickle_values values;
static aq_torch_objects objects;
static aq_pickle_reader reader;

static aq_status load(const void *bytes, size_t size, uint32_t *root) {
  aq_file file;
  assert_ok(aq_file_open(&file, temp_write("p.pkl", bytes, size), &err));
  aq_pickle_values_reset(&values);
  aq_torch_objects_reset(&objects);
  values.limit = AQ_PICKLE_MEMORY_MAX;
  aq_pickle_reader_init(&reader, &file, 0, file.size);
  const aq_status status = aq_pickle_load(&reader, &values, &objects, root, &err);
  aq_file_close(&file);
  return status;
}

static int teardown(void **state) {
  aq_pickle_values_reset(&values);
  aq_torch_objects_reset(&objects);
  return temp_teardown(state);
}

/* Bytes with zeros in them. */
#define LOAD(text, root) load(text, sizeof(text) - 1, root)

static void loads(const char *bytes, size_t size, aq_pickle_kind kind) {
  uint32_t root;
  assert_ok(load(bytes, size, &root));
  assert_int_equal(aq_pickle_at(&values, root)->kind, kind);
  assert_int_equal(reader.at, size);
}
#define LOADS(text, kind) loads(text, sizeof(text) - 1, kind)

/* at -1: anywhere */
static void fails_at(const char *bytes, size_t size, aq_status status, int64_t at, const char *words) {
  uint32_t root;
  assert_int_equal(load(bytes, size, &root), status);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  if (at >= 0) assert_int_equal(err.offset, at);
}
#define FAILS(text, status, at, words) fails_at(text, sizeof(text) - 1, status, at, words)

static void values_of_every_kind_are_read(void **state) {
  (void)state;
  LOADS("\x80\x02N.", AQ_PICKLE_NONE);
  LOADS("\x80\x02\x88.", AQ_PICKLE_BOOL);
  LOADS("\x80\x02G\x40\x0c\0\0\0\0\0\0.", AQ_PICKLE_OTHER);
  LOADS(
      "\x80\x02](K\x01N\x89"
      "e.",
      AQ_PICKLE_LIST);
  LOADS("\x80\x02]Na.", AQ_PICKLE_LIST);
  LOADS("\x80\x02}NNs.", AQ_PICKLE_DICT);
  LOADS("\x80\x02}(NN\x88\x89u.", AQ_PICKLE_DICT);
  LOADS("\x80\x02N\x85.", AQ_PICKLE_TUPLE);
  LOADS("\x80\x02NN\x86.", AQ_PICKLE_TUPLE);
  LOADS("\x80\x02NNN\x87.", AQ_PICKLE_TUPLE);
  LOADS("\x80\x02(NNNNt.", AQ_PICKLE_TUPLE);
  LOADS("\x80\x02).", AQ_PICKLE_TUPLE);
  LOADS("\x80\x04\x8f(K\x01\x90.", AQ_PICKLE_SET);
  LOADS("\x80\x04(K\x01\x91.", AQ_PICKLE_SET);
  LOADS("\x80\x04(\x91.", AQ_PICKLE_SET);
  LOADS("\x80\x02(t.", AQ_PICKLE_TUPLE);
  LOADS(
      "\x80\x02"
      "c__builtin__\nset\n]\x85R.",
      AQ_PICKLE_SET);
  LOADS(
      "\x80\x03"
      "C\x02xy.",
      AQ_PICKLE_OTHER);
  LOADS("\x80\x05\x96\x02\0\0\0\0\0\0\0xy.", AQ_PICKLE_OTHER);
  LOADS(
      "\x80\x02\x8a\x0a"
      "0123456789.",
      AQ_PICKLE_OTHER);
  LOADS(
      "\x80\x02"
      "c_codecs\nencode\nX\x01\0\0\0aX\x06\0\0\0latin1\x86R.",
      AQ_PICKLE_OTHER);
  LOADS(
      "\x80\x02"
      "ctorch\nfloat32\n.",
      AQ_PICKLE_NAME);
  LOADS(
      "\x80\x02"
      "ctorch\nSize\nK\x01\x85\x85R.",
      AQ_PICKLE_TUPLE);
  LOADS(
      "\x80\x02"
      "ctorch\ndevice\nX\x03\0\0\0cpu\x85R.",
      AQ_PICKLE_OTHER);
  LOADS(
      "\x80\x02"
      "ccollections\nOrderedDict\n)R}b.",
      AQ_PICKLE_DICT);
  LOADS(
      "\x80\x02"
      "ccollections\nOrderedDict\n](](NNee\x85R.",
      AQ_PICKLE_DICT);
}

static void numbers_have_their_value_and_sign(void **state) {
  (void)state;
  static const struct {
    const char *ops;
    size_t size;
    int64_t value;
  } cases[] = {{"\x80\x02K\xff.", 5, 255},
               {"\x80\x02M\xff\xff.", 6, 65535},
               {"\x80\x02J\xff\xff\xff\xff.", 8, -1},
               {"\x80\x02J\0\0\0\x80.", 8, INT32_MIN},
               {"\x80\x02\x8a\0.", 5, 0},
               {"\x80\x02\x8a\1\xff.", 6, -1},
               {"\x80\x02\x8a\2\xff\0.", 7, 255},
               {"\x80\x02\x8a\x08\0\0\0\0\0\0\0\x80.", 13, INT64_MIN},
               {"\x80\x02\x8b\1\0\0\0\x7f.", 9, 127}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint32_t root;
    assert_ok(load(cases[i].ops, cases[i].size, &root));
    assert_int_equal(aq_pickle_at(&values, root)->kind, AQ_PICKLE_INT);
    assert_int_equal(aq_pickle_at(&values, root)->as.number, cases[i].value);
  }
}

static void texts_of_every_opcode_are_the_same(void **state) {
  (void)state;
  static const char *const cases[] = {"\x80\x02X\2\0\0\0ab.", "\x80\x02U\2ab.", "\x80\x02T\2\0\0\0ab.",
                                      "\x80\x04\x8c\2ab.", "\x80\x04\x8d\2\0\0\0\0\0\0\0ab."};
  static const size_t sizes[] = {10, 7, 10, 7, 14};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint32_t root;
    assert_ok(load(cases[i], sizes[i], &root));
    assert_true(aq_pickle_text_is(&values, root, "ab"));
    assert_string_equal(aq_pickle_text(&values, root), "ab");
  }
}

static void memo_gives_back_the_same_value(void **state) {
  (void)state;
  uint32_t root;
  assert_ok(LOAD("\x80\x02(]q\0h\0t.", &root));
  const uint32_t *items = aq_pickle_at(&values, root)->as.items;
  assert_int_equal(items[0], items[1]);
  assert_ok(LOAD("\x80\x04(]\x94j\0\0\0\0t.", &root));
  items = aq_pickle_at(&values, root)->as.items;
  assert_int_equal(items[0], items[1]);
}

/* What scanners of pickles look for, and what they miss: all of it needs a name or an opcode that is not allowed. */
static void programs_are_refused_by_name_and_place(void **state) {
  (void)state;
  static const char code[] = "which no table of tensors needs";
  FAILS(
      "\x80\x02"
      "cos\nsystem\nX\x02\0\0\0id\x85R.",
      AQ_ERR_UNSUPPORTED, 2, "the pickle names 'os.system'");
  FAILS(
      "\x80\x02"
      "cposix\nsystem\n.",
      AQ_ERR_UNSUPPORTED, 2, "'posix.system'");
  FAILS("\x80\x02N0cbuiltins\neval\n.", AQ_ERR_UNSUPPORTED, 3, "the opcode POP");
  FAILS(
      "\x80\x02N\x85q\0"
      "cbuiltins\neval\n.",
      AQ_ERR_UNSUPPORTED, 6, "the pickle names 'builtins.eval'");
  FAILS(
      "\x80\x02"
      "c__builtin__\nexec\n.",
      AQ_ERR_UNSUPPORTED, 2, "'__builtin__.exec'");
  FAILS(
      "\x80\x02"
      "cbuiltins\ngetattr\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  FAILS(
      "\x80\x02"
      "csubprocess\nPopen\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  FAILS(
      "\x80\x02"
      "crunpy\n_run_code\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  FAILS(
      "\x80\x02"
      "cnumpy.core.multiarray\n_reconstruct\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  FAILS(
      "\x80\x02"
      "ctorch\nload\n.",
      AQ_ERR_UNSUPPORTED, 2, "'torch.load'");
  FAILS(
      "\x80\x02"
      "ctorch\n_utils._rebuild_tensor\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  FAILS(
      "\x80\x02"
      "ctorch._utils\n_rebuild_qtensor\n.",
      AQ_ERR_UNSUPPORTED, 2, "'torch._utils._rebuild_qtensor'");
  FAILS(
      "\x80\x02"
      "ctorch._utils\n_rebuild_sparse_tensor\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  FAILS(
      "\x80\x02"
      "ctorch\nComplexDoubleStorage\n.",
      AQ_ERR_UNSUPPORTED, 2, "'torch.ComplexDoubleStorage'");
  FAILS("\x80\x04\x8c\x02os\x8c\x06system\x93.", AQ_ERR_UNSUPPORTED, 14, "the pickle names 'os.system'");
  FAILS("\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93.", AQ_ERR_UNSUPPORTED, 19, "'posix.system'");
  FAILS(
      "\x80\x02"
      "cos\x01\nsystem\n.",
      AQ_ERR_FORMAT, 2, "none of Python's");
  FAILS(
      "\x80\x02"
      "c\nos\n.",
      AQ_ERR_UNSUPPORTED, 2, code);
  /* Both halves of a name count. */
  FAILS(
      "\x80\x02"
      "cos\nset\n.",
      AQ_ERR_UNSUPPORTED, 2, "'os.set'");
  FAILS(
      "\x80\x02"
      "cevil\nFloatStorage\n.",
      AQ_ERR_UNSUPPORTED, 2, "'evil.FloatStorage'");
}

static void opcodes_that_make_objects_are_refused(void **state) {
  (void)state;
  static const struct {
    uint8_t code;
    const char *name;
  } cases[] = {{'i', "INST"},       {'o', "OBJ"},          {0x81, "NEWOBJ"},
               {0x92, "NEWOBJ_EX"}, {0x82, "EXT1"},        {0x83, "EXT2"},
               {0x84, "EXT4"},      {'P', "PERSID"},       {'0', "POP"},
               {'1', "POP_MARK"},   {'2', "DUP"},          {'p', "PUT"},
               {'g', "GET"},        {'I', "INT"},          {'S', "STRING"},
               {'V', "UNICODE"},    {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
               {0x80, "PROTO"},     {'d', "DICT"},         {'l', "LIST"},
               {'F', "FLOAT"},      {'L', "LONG"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char words[64], ops[] = "\x80\x02NN\x86?.";
    ops[5] = (char)cases[i].code;
    (void)snprintf(words, sizeof words, "the pickle has the opcode %s, which", cases[i].name);
    fails_at(ops, sizeof ops - 1, AQ_ERR_UNSUPPORTED, 5, words);
  }
  FAILS("\x80\x02\xff.", AQ_ERR_FORMAT, 2, "a byte 0xff, which is no opcode");
}

static void calls_take_only_what_they_should(void **state) {
  (void)state;
  FAILS("\x80\x02N)R.", AQ_ERR_FORMAT, 4, "None is called like a function");
  FAILS(
      "\x80\x02"
      "ctorch\nfloat32\n)R.",
      AQ_ERR_FORMAT, 18, "torch.float32 is called, and is no function");
  FAILS(
      "\x80\x02"
      "ctorch\nSize\nNR.",
      AQ_ERR_FORMAT, 15, "the arguments of torch.Size are None");
  FAILS(
      "\x80\x02"
      "ctorch\nSize\n)R.",
      AQ_ERR_FORMAT, 15, "torch.Size has 0 arguments, and takes 1 to 1");
  FAILS(
      "\x80\x02"
      "ctorch\nSize\nN\x85R.",
      AQ_ERR_FORMAT, 16, "argument 1 of torch.Size is None, and should be a tuple");
  FAILS(
      "\x80\x02"
      "c__builtin__\nbytes\n]\x85R.",
      AQ_ERR_FORMAT, 23, "argument 1 of __builtin__.bytes is a list");
  FAILS(
      "\x80\x02"
      "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nfloat32\n)NtR.",
      AQ_ERR_FORMAT, -1, "argument 2 of torch._tensor._rebuild_from_type_v2");
  FAILS(
      "\x80\x02"
      "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)NtR.",
      AQ_ERR_FORMAT, -1, "a function that rebuilds a tensor");
  FAILS("\x80\x02N}b.", AQ_ERR_UNSUPPORTED, 4, "the pickle sets attributes of None from a dict");
  FAILS("\x80\x02}Nb.", AQ_ERR_UNSUPPORTED, 4, "sets attributes of a dict from None");
  FAILS("\x80\x02NQ.", AQ_ERR_UNSUPPORTED, 3, "a persistent id is not that of a storage");
  FAILS("\x80\x02(X\6\0\0\0moduleNtQ.", AQ_ERR_UNSUPPORTED, 16, "whole modules are not read");
  FAILS("\x80\x02(X\7\0\0\0storagetQ.", AQ_ERR_FORMAT, 16, "the id of a storage has 1 parts");
  FAILS("\x80\x02(X\7\0\0\0storageNNNNtQ.", AQ_ERR_FORMAT, 20, "part 2 of the id of a storage is None");
}

static void stack_and_memo_cannot_be_tricked(void **state) {
  (void)state;
  FAILS("\x80\x02.", AQ_ERR_FORMAT, 2, "the stack has too few values");
  FAILS("\x80\x02NN.", AQ_ERR_FORMAT, 3 + 1, "values left over");
  FAILS("\x80\x02N(.", AQ_ERR_FORMAT, 4, "the stack has too few values");
  FAILS("\x80\x02Nt.", AQ_ERR_FORMAT, 3, "the stack has no mark");
  FAILS("\x80\x02N(\x85.", AQ_ERR_FORMAT, 4, "the stack has too few values");
  FAILS("\x80\x02h\0.", AQ_ERR_FORMAT, 2, "entry 0 of the memo is read before it is set");
  FAILS("\x80\x02Nq\0q\0.", AQ_ERR_FORMAT, 5, "entry 0 of the memo is set twice");
  FAILS("\x80\x02Nr\xff\xff\xff\xff.", AQ_ERR_FORMAT, 3, "entry 4294967295 of the memo is set where it has at most 3");
  FAILS("\x80\x02N(NNe.", AQ_ERR_FORMAT, 6, "items for a list are put into None");
  FAILS("\x80\x02}(Nu.", AQ_ERR_FORMAT, 5, "a dict gets a key without its value");
}

static void lengths_are_checked_before_memory_is_allocated(void **state) {
  (void)state;
  FAILS("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", AQ_ERR_CORRUPT, 2, "in the middle of a value");
  FAILS("\x80\x02X\xff\xff\xff\xff.", AQ_ERR_CORRUPT, 2, "in the middle of a value");
  FAILS("\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.", AQ_ERR_CORRUPT, 2, "in the middle of a value");
  FAILS("\x80\x02\x8b\xff\xff\xff\xff.", AQ_ERR_CORRUPT, 2, "in the middle of a value");
  FAILS("\x80\x02", AQ_ERR_CORRUPT, 2, "in the middle of a value");
  FAILS("\x80\x01N.", AQ_ERR_UNSUPPORTED, 0, "protocol 1; 2 to 5 are read");
  FAILS("\x80\x06N.", AQ_ERR_UNSUPPORTED, 0, "protocol 6");
  FAILS("N.", AQ_ERR_UNSUPPORTED, 0, "is no pickle of protocol 2 to 5");
}

/* Twenty million empty lists take 20 MB in a file, and would take a GB. */
static void memory_of_values_has_a_limit(void **state) {
  (void)state;
  aq_buffer ops = {0};
  uint32_t root;
  put_ops(&ops, "\x80\x02(");
  assert_ok(aq_buffer_reserve(&ops, 20000001, &err));
  memset(ops.data + ops.size, ']', 20000000);
  ops.size += 20000000;
  put_ops(&ops, "t.");
  assert_int_equal(load(ops.data, ops.size, &root), AQ_ERR_MEMORY);
  assert_non_null(strstr(err.message, "take more than 536870912 bytes"));
  assert_true(values.used <= values.limit);
  aq_buffer_reset(&ops);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_kind_are_read),
      cmocka_unit_test(numbers_have_their_value_and_sign),
      cmocka_unit_test(texts_of_every_opcode_are_the_same),
      cmocka_unit_test(memo_gives_back_the_same_value),
      cmocka_unit_test(programs_are_refused_by_name_and_place),
      cmocka_unit_test(opcodes_that_make_objects_are_refused),
      cmocka_unit_test(calls_take_only_what_they_should),
      cmocka_unit_test(stack_and_memo_cannot_be_tricked),
      cmocka_unit_test(lengths_are_checked_before_memory_is_allocated),
      cmocka_unit_test(memory_of_values_has_a_limit),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
