/* thrift_write.h - structures in the Thrift compact protocol, as Parquet's footer and page headers need them.
 *
 * Calls cannot fail one by one: the first failure is kept and later calls do nothing, so that a structure reads as a
 * list of its fields. aq_thrift_out_end tells. */
#ifndef AQ_PARQUET_WRITE_THRIFT_WRITE_H
#define AQ_PARQUET_WRITE_THRIFT_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_THRIFT_OUT_DEPTH 8 /* FileMetaData nests five deep */

typedef struct aq_thrift_out {
  aq_buffer bytes;
  int16_t last_id[AQ_THRIFT_OUT_DEPTH]; /* field ids are written as differences within a struct */
  size_t depth;
  aq_status status;
  aq_error *err;
} aq_thrift_out;

/* Begins the outermost struct. Ends it; on failure the bytes are freed. */
void aq_thrift_out_begin(aq_thrift_out *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_thrift_out_end(aq_thrift_out *out);

/* Fields of the struct that is open, in ascending order of id. */
void aq_thrift_put_i32(aq_thrift_out *out, int16_t id, int32_t value);
void aq_thrift_put_i64(aq_thrift_out *out, int16_t id, int64_t value);
void aq_thrift_put_i16(aq_thrift_out *out, int16_t id, int16_t value);
void aq_thrift_put_binary(aq_thrift_out *out, int16_t id, const void *bytes, size_t size);
void aq_thrift_put_string(aq_thrift_out *out, int16_t id, const char *text);
void aq_thrift_put_struct_begin(aq_thrift_out *out, int16_t id);
void aq_thrift_put_struct_end(aq_thrift_out *out);

/* A list, then its elements by the calls below. element_type: AQ_TH_*. */
void aq_thrift_put_list(aq_thrift_out *out, int16_t id, int element_type, size_t count);
void aq_thrift_put_element_i32(aq_thrift_out *out, int32_t value);
void aq_thrift_put_element_string(aq_thrift_out *out, const char *text);
void aq_thrift_put_element_begin(aq_thrift_out *out); /* a struct; ends with aq_thrift_put_struct_end */

#endif
