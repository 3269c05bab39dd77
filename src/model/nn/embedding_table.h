/* embedding_table.h - a table of embeddings: a matrix whose rows are read one at a time, and so stays as it is stored,
 * in the mapped file where that is possible. */
#ifndef AQ_MODEL_NN_EMBEDDING_TABLE_H
#define AQ_MODEL_NN_EMBEDDING_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_embedding_table {
  uint64_t count;
  size_t width;
  aq_tensor_info info;
  aq_tensor stored;      /* the source must stay open */
  float *values;         /* all of them as FP32, for a tensor that is stored in a way that rows cannot be taken from */
  const float *override; /* the caller's values, used in place of the table's own; NULL: none */
} aq_embedding_table;

/* A matrix of the source. Zero-initialise before the first use. */
AQ_MUST_CHECK aq_status aq_embedding_table_open(aq_embedding_table *rows, const aq_source *source, size_t tensor,
                                                aq_error *err);
void aq_embedding_table_reset(aq_embedding_table *rows);

/* Row i as FP32. Either `out`, which is then filled, or a pointer into the table. codes: scratch of `width` bytes. Any
 * thread. */
const float *aq_embedding_table_row(const aq_embedding_table *rows, uint64_t i, int8_t *codes, float *out);

#endif
