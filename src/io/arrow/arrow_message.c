/* arrow_message.c - one schema as an IPC message (Arrow columnar format, "Encapsulated message format"; Message.fbs and
 * Schema.fbs), in base64.
 *
 * The message is a flatbuffer. A table in it is a vtable (its size, the size of the table, where each field stands in
 * the table, 0 for one that is left out) and the table (how far before it the vtable is, then the fields). A reference
 * is how far ahead its target is, so that tables are written from the outermost to the innermost, each reference when
 * its target begins. Everything is at multiples of 4. */
#include "io/arrow/arrow_message.h"

#include <assert.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define CAPACITY 512 /* two names of 32 bytes need 313 */
#define FRAME 8      /* a marker and the size of the flatbuffer, before it */

enum { VERSION_5 = 4, HEADER_SCHEMA = 1 };
enum { TYPE_FLOATING_POINT = 3, TYPE_UTF8 = 5, TYPE_FIXED_SIZE_LIST = 16 };
enum { PRECISION_SINGLE = 1 };

/* Where the fields of our tables stand. */
enum { MESSAGE_HEADER = 4, MESSAGE_VERSION = 8, MESSAGE_HEADER_TYPE = 10, MESSAGE_SIZE = 12 };
enum {
  FIELD_NAME = 4,
  FIELD_TYPE = 8,
  FIELD_CHILDREN = 12,
  FIELD_NULLABLE = 16,
  FIELD_TYPE_TYPE = 17,
  FIELD_SIZE = 20
};
enum { ONLY_FIELD = 4, ONLY_SIZE = 8 }; /* a table of one field */

static const uint16_t message_fields[] = {MESSAGE_VERSION, MESSAGE_HEADER_TYPE, MESSAGE_HEADER};
static const uint16_t schema_fields[] = {0, ONLY_FIELD}; /* endianness, fields */
static const uint16_t field_fields[] = {FIELD_NAME, FIELD_NULLABLE, FIELD_TYPE_TYPE, FIELD_TYPE, 0, FIELD_CHILDREN};
static const uint16_t only_field[] = {ONLY_FIELD};

typedef struct flat {
  uint8_t bytes[CAPACITY]; /* zeros from `size` on */
  size_t size;
} flat;

static size_t take(flat *f, size_t size) {
  const size_t at = f->size;
  f->size += (size + 3) / 4 * 4;
  assert(f->size <= CAPACITY);
  return at;
}

/* The reference at `from` is to what comes next. */
static void refer(flat *f, size_t from) { aq_store_u32(f->bytes + from, (uint32_t)(f->size - from)); }

/* A table to which the reference at `from` is; where it begins. */
static size_t put_table(flat *f, size_t from, const uint16_t *fields, size_t count, uint16_t size) {
  const size_t vtable_size = (2 + count) * sizeof *fields, vtable = take(f, vtable_size);
  aq_store_u16(f->bytes + vtable, (uint16_t)vtable_size);
  aq_store_u16(f->bytes + vtable + 2, size);
  for (size_t i = 0; i < count; i++) aq_store_u16(f->bytes + vtable + 4 + 2 * i, fields[i]);
  refer(f, from);
  const size_t table = take(f, size);
  aq_store_u32(f->bytes + table, (uint32_t)(table - vtable));
  return table;
}

static void put_text(flat *f, size_t from, const char *text) {
  refer(f, from);
  const size_t length = strlen(text), at = take(f, sizeof(uint32_t) + length + 1);
  aq_store_u32(f->bytes + at, (uint32_t)length);
  memcpy(f->bytes + at + sizeof(uint32_t), text, length);
}

/* Room for `count` references; where the first stands. */
static size_t put_vector(flat *f, size_t from, uint32_t count) {
  refer(f, from);
  const size_t at = take(f, sizeof(uint32_t) * (1 + count));
  aq_store_u32(f->bytes + at, count);
  return at + sizeof(uint32_t);
}

/* A nullable field; where the references to its children are. Its type is a table of one field or of none. */
static size_t put_field(flat *f, size_t from, const char *name, uint8_t type, uint32_t only, uint32_t children) {
  const size_t field = put_table(f, from, field_fields, AQ_COUNT_OF(field_fields), FIELD_SIZE);
  f->bytes[field + FIELD_NULLABLE] = 1;
  f->bytes[field + FIELD_TYPE_TYPE] = type;
  put_text(f, field + FIELD_NAME, name);
  const size_t table =
      put_table(f, field + FIELD_TYPE, only_field, only > 0 ? 1 : 0, only > 0 ? ONLY_SIZE : ONLY_FIELD);
  if (only > 0) aq_store_u32(f->bytes + table + ONLY_FIELD, only); /* a number of 16 bits stands in front */
  return put_vector(f, field + FIELD_CHILDREN, children);
}

static void put_message(flat *f, const char *text, const char *list, uint32_t dimension) {
  const size_t root = take(f, sizeof(uint32_t));
  const size_t message = put_table(f, root, message_fields, AQ_COUNT_OF(message_fields), MESSAGE_SIZE);
  aq_store_u16(f->bytes + message + MESSAGE_VERSION, VERSION_5);
  f->bytes[message + MESSAGE_HEADER_TYPE] = HEADER_SCHEMA;
  const size_t schema = put_table(f, message + MESSAGE_HEADER, schema_fields, AQ_COUNT_OF(schema_fields), ONLY_SIZE);
  const size_t columns = put_vector(f, schema + ONLY_FIELD, 2);
  (void)put_field(f, columns, text, TYPE_UTF8, 0, 0);
  const size_t element = put_field(f, columns + sizeof(uint32_t), list, TYPE_FIXED_SIZE_LIST, dimension, 1);
  (void)put_field(f, element, "element", TYPE_FLOATING_POINT, PRECISION_SINGLE, 0);
}

/* `size` bytes, with `=` for what lacks to a multiple of 3. */
static void put_base64(const uint8_t *in, size_t size, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3, out += 4) {
    const size_t n = AQ_MIN(size - i, (size_t)3);
    const uint32_t bits =
        (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (n > 2 ? (uint32_t)in[i + 2] : 0);
    for (unsigned k = 0; k < 4; k++) out[k] = k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  *out = '\0';
}

aq_status aq_arrow_message_make(const char *text, const char *list, uint32_t dimension, char **out, aq_error *err) {
  uint8_t whole[FRAME + CAPACITY] = {0xff, 0xff, 0xff, 0xff};
  flat f = {.size = 0};
  assert(strlen(text) <= 32 && strlen(list) <= 32 && dimension > 0);
  put_message(&f, text, list, dimension);
  const size_t size = (f.size + 7) / 8 * 8; /* the message is filled up to a multiple of 8 */
  aq_store_u32(whole + 4, (uint32_t)size);
  memcpy(whole + FRAME, f.bytes, size);
  *out = aq_malloc((FRAME + size + 2) / 3 * 4 + 1);
  if (*out == NULL) return aq_fail_memory(err, size);
  put_base64(whole, FRAME + size, *out);
  return AQ_OK;
}
