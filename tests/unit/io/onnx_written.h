/* onnx_written.h - ONNX files that a sink writes of a layout, and what is read of them. */
#ifndef AQ_TESTS_ONNX_WRITTEN_H
#define AQ_TESTS_ONNX_WRITTEN_H

#include "check.h"
#include "quantized_source.h"

#include "io/onnx/onnx_sink.h"

static aq_error err;

static inline aq_row written_row(const aq_tensor_info *t) {
  return (aq_row){.name = t->name,
                  .dtype = t->dtype,
                  .rank = t->rank,
                  .shape = t->shape,
                  .num_params = t->num_params,
                  .quant_axis = -1};
}

static inline aq_status written_add(aq_sink *sink, const aq_source *stored, size_t i) {
  const aq_tensor_info *t = &stored->tensors[i];
  aq_row row = written_row(t);
  aq_status status = aq_buffer_reserve(&row.data, t->data_bytes, &err);
  if (status == AQ_OK) status = aq_source_read_bytes(stored, i, 0, t->data_bytes, row.data.data, &err);
  row.data.size = t->data_bytes;
  if (status == AQ_OK) status = aq_sink_add(sink, &row, &err);
  aq_row_reset(&row);
  return status;
}

static inline aq_status written_file(const aq_sink_type *type, bool force, const aq_source *stored, const char *path) {
  const aq_table_options options = {.force = force};
  const aq_sink_options o = {.table = &options, .source = stored};
  aq_sink *sink;
  aq_status status = aq_sink_create(type, path, &o, &sink, &err);
  if (status != AQ_OK) return status;
  for (size_t i = 0; status == AQ_OK && i < stored->tensor_count; i++) {
    const aq_row row = written_row(&stored->tensors[i]);
    status = aq_sink_declare(sink, &row, &err);
  }
  if (status == AQ_OK) status = aq_sink_metadata(sink, "key", "value", &err);
  for (size_t i = 0; status == AQ_OK && i < stored->tensor_count; i++) status = written_add(sink, stored, i);
  if (status == AQ_OK) return aq_sink_commit(sink, NULL, &err);
  aq_sink_abort(sink);
  return status;
}

/* Tensor `i` of `a` has the shape and the values of the tensor `name` of `b`. */
static inline void written_expect(const aq_source *a, size_t i, const aq_source *b, const char *name) {
  const int64_t k = aq_source_find(b, name);
  if (k < 0) fail_msg("no %s", name);
  const aq_tensor_info *t = &a->tensors[i], *u = &b->tensors[k];
  assert_memory_equal(t->shape, u->shape, 2 * sizeof t->shape[0]);
  float x[QUANTIZED_MOST], y[QUANTIZED_MOST];
  assert_ok(aq_source_read_f32(a, i, 0, t->num_params, x, &err));
  assert_ok(aq_source_read_f32(b, (size_t)k, 0, t->num_params, y, &err));
  assert_memory_equal(x, y, t->num_params * sizeof *x);
}

#endif
