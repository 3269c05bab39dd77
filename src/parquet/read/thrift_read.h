/* thrift_read.h - reading the Thrift compact protocol, in which Parquet writes its footer and page headers.
 *
 * The cursor is sticky: the first problem is kept in `problem`, and from then on every call returns 0, false or an
 * empty text, so that a parser asks once at its end. No call reads past `end`, nests deeper than AQ_THRIFT_MAX_DEPTH or
 * loops more often than there are bytes left. */
#ifndef AQ_PARQUET_READ_THRIFT_READ_H
#define AQ_PARQUET_READ_THRIFT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AQ_THRIFT_MAX_DEPTH 32

typedef struct aq_thrift {
  const uint8_t *start, *at, *end;
  const char *problem; /* NULL while all is well; static text */
  uint32_t depth;
} aq_thrift;

/* Zero-initialise before the first aq_thrift_next of a struct. */
typedef struct aq_thrift_field {
  int16_t id;
  uint8_t type; /* AQ_TH_* */
} aq_thrift_field;

typedef struct aq_thrift_text {
  const char *bytes; /* in the input; not zero-terminated */
  size_t size;
} aq_thrift_text;

void aq_thrift_init(aq_thrift *t, const void *bytes, size_t size);

/* Steps to the next field of a struct; false at its end and after a problem. The field's value must then be read or
 * skipped. */
bool aq_thrift_next(aq_thrift *t, aq_thrift_field *field);

/* Values of a field; a field of another type is a problem. */
int32_t aq_thrift_i32(aq_thrift *t, const aq_thrift_field *field);
int64_t aq_thrift_i64(aq_thrift *t, const aq_thrift_field *field);
bool aq_thrift_bool(aq_thrift *t, const aq_thrift_field *field);
aq_thrift_text aq_thrift_binary(aq_thrift *t, const aq_thrift_field *field);

/* Enters and leaves a struct: a field (AQ_TH_STRUCT) or an element of a list (field NULL). false after a problem. */
bool aq_thrift_enter(aq_thrift *t, const aq_thrift_field *field);
void aq_thrift_leave(aq_thrift *t);

/* Number of elements of a list field whose elements must be of `element_type`; never more than the bytes left. */
uint32_t aq_thrift_list(aq_thrift *t, const aq_thrift_field *field, uint8_t element_type);

void aq_thrift_skip(aq_thrift *t, const aq_thrift_field *field);

/* Bytes consumed so far. */
size_t aq_thrift_used(const aq_thrift *t);

#endif
