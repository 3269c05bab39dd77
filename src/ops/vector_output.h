/* vector_output.h - where vectors go: lines of JSON, an array of NumPy, or a table in Parquet. */
#ifndef AQ_OPS_VECTOR_OUTPUT_H
#define AQ_OPS_VECTOR_OUTPUT_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/file.h"
#include "parquet/parquet.h"

typedef enum aq_vector_form { AQ_VECTORS_LINES, AQ_VECTORS_ARRAY, AQ_VECTORS_TABLE } aq_vector_form;

typedef struct aq_vector_output {
  aq_vector_form form;
  aq_outfile *file;    /* of lines and arrays; NULL: `write` takes the lines */
  aq_pq_writer *table; /* of tables */
  aq_status (*write)(void *ctx, const void *bytes, size_t size, aq_error *err);
  void *write_ctx;
  uint32_t dimension;
  uint64_t count;
  aq_buffer line;
} aq_vector_output;

/* path NULL: JSON to write; else NAME.npy is an array, NAME.parquet a table, any other name JSON. */
AQ_MUST_CHECK aq_status aq_vector_output_open(aq_vector_output *out, const char *path, bool force, uint32_t dimension,
                                              aq_error *err);

/* One text and its vector. Bytes of the text that are not UTF-8 become U+FFFD. */
AQ_MUST_CHECK aq_status aq_vector_output_add(aq_vector_output *out, const char *text, size_t length,
                                             const float *vector, aq_error *err);

/* The file appears under its name. */
AQ_MUST_CHECK aq_status aq_vector_output_commit(aq_vector_output *out, aq_error *err);

/* Frees all, and removes a file that was not committed. */
void aq_vector_output_reset(aq_vector_output *out);

#endif
