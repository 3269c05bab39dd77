/* embedding_table.c - a table of embeddings, read by rows. */
#include "model/nn/embedding_table.h"

#include "core/error.h"
#include "core/memory.h"
#include "io/to_f32.h"
#include "quant/scheme.h"

void aq_embedding_table_reset(aq_embedding_table *rows) {
  aq_tensor_release(&rows->stored);
  aq_free(rows->values);
  *rows = (aq_embedding_table){0};
}

static aq_status read_all(aq_embedding_table *rows, const aq_source *source, size_t tensor, aq_error *err) {
  const uint64_t count = rows->info.num_params;
  rows->values = count <= SIZE_MAX ? aq_realloc_array(NULL, (size_t)count, sizeof *rows->values) : NULL;
  if (rows->values == NULL) return aq_fail_memory(err, (size_t)count * sizeof *rows->values);
  return aq_source_read_f32(source, tensor, 0, count, rows->values, err);
}

aq_status aq_embedding_table_open(aq_embedding_table *rows, const aq_source *source, size_t tensor, aq_error *err) {
  *rows = (aq_embedding_table){.info = *aq_source_tensor(source, tensor)};
  rows->count = (uint64_t)rows->info.shape[0];
  rows->width = (size_t)rows->info.shape[1];
  /* Codes of a row begin at a byte when its length is a multiple of 8. */
  const bool by_rows = rows->info.quant_type == AQ_KEPT || rows->width % 8 == 0;
  aq_status status = by_rows ? aq_source_load(source, tensor, &rows->stored, err) : AQ_ERR_UNSUPPORTED;
  if (status == AQ_ERR_UNSUPPORTED) status = read_all(rows, source, tensor, err);
  if (status != AQ_OK) aq_embedding_table_reset(rows);
  return status;
}

/* Elements that share a scale. */
static uint64_t span_of(const aq_embedding_table *rows) {
  if (rows->info.group_size > 0) return (uint64_t)rows->info.group_size;
  return rows->info.quant_axis < 0 ? rows->info.num_params : rows->width;
}

const float *aq_embedding_table_row(const aq_embedding_table *rows, uint64_t i, int8_t *codes, float *out) {
  const uint64_t first = i * rows->width;
  if (rows->override != NULL) return rows->override + first;
  if (rows->values != NULL) return rows->values + first;
  const uint8_t *data = rows->stored.data;
  if (rows->info.quant_type == AQ_KEPT) {
    aq_values_to_f32(rows->info.dtype, data + first * aq_dtype_size(rows->info.dtype), rows->width, out);
    return out;
  }
  const uint64_t span = span_of(rows), phase = first % span, at = first / span * sizeof(float);
  aq_decode(rows->info.quant_type, data + first / 8 * aq_quant_type_bits(rows->info.quant_type), rows->width, span,
            phase, (const uint8_t *)rows->stored.scales + at, (const uint8_t *)rows->stored.zero_points + at, codes,
            out);
  return out;
}
