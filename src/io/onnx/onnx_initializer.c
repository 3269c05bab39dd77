/* onnx_initializer.c - the fields of a TensorProto that is written. */
#include "io/onnx/onnx_initializer.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/checked.h"
#include "core/error.h"
#include "io/onnx/onnx_fields.h"
#include "io/onnx/onnx_message.h"

/* Below this a place in another file takes more than it saves; the writers of the onnx package draw the line there. */
enum { SMALL_BYTES = 1024 };

enum { IS_EXTERNAL = 1 }; /* of DataLocation */

bool aq_onnx_initializer_place(aq_onnx_initializer *initializer, const char *location, uint64_t *end) {
  const uint64_t last = AQ_ONNX_DATA_ALIGNMENT - 1;
  uint64_t begin = 0;
  if (initializer->shape.bytes < SMALL_BYTES) return true;
  if (!aq_add_ok(*end, last, &begin)) return false;
  begin &= ~last;
  if (!aq_add_ok(begin, initializer->shape.bytes, end)) return false;
  initializer->location = location;
  initializer->offset = begin;
  return true;
}

static aq_status put_entry(aq_buffer *tensor, const char *key, const char *value, aq_error *err) {
  aq_buffer entry = {NULL, 0, 0};
  aq_status status = aq_onnx_put_text(&entry, ENTRY_KEY, key, err);
  if (status == AQ_OK) status = aq_onnx_put_text(&entry, ENTRY_VALUE, value, err);
  if (status == AQ_OK) status = aq_onnx_put_message(tensor, TENSOR_EXTERNAL_DATA, &entry, err);
  aq_buffer_reset(&entry);
  return status;
}

static aq_status put_place(const aq_onnx_initializer *i, aq_buffer *tensor, aq_error *err) {
  char offset[24], length[24];
  (void)snprintf(offset, sizeof offset, "%" PRIu64, i->offset);
  (void)snprintf(length, sizeof length, "%" PRIu64, i->shape.bytes);
  AQ_TRY(put_entry(tensor, "location", i->location, err));
  AQ_TRY(put_entry(tensor, "offset", offset, err));
  AQ_TRY(put_entry(tensor, "length", length, err));
  return aq_onnx_put_number(tensor, TENSOR_DATA_LOCATION, IS_EXTERNAL, err);
}

static aq_status put_fields(const aq_onnx_initializer *i, aq_buffer *tensor, aq_error *err) {
  for (int32_t axis = 0; axis < i->shape.rank; axis++) {
    AQ_TRY(aq_onnx_put_number(tensor, TENSOR_DIMS, i->shape.size[axis], err));
  }
  AQ_TRY(aq_onnx_put_number(tensor, TENSOR_DATA_TYPE, (int64_t)i->shape.type, err));
  AQ_TRY(aq_onnx_put_text(tensor, TENSOR_NAME, i->name, err));
  if (i->location != NULL) return put_place(i, tensor, err);
  return aq_onnx_put_head(tensor, TENSOR_RAW_DATA, i->shape.bytes, err);
}

aq_status aq_onnx_initializer_put(const aq_onnx_initializer *initializer, aq_buffer *graph, aq_error *err) {
  const uint64_t behind = initializer->location != NULL ? 0 : initializer->shape.bytes;
  aq_buffer tensor = {NULL, 0, 0};
  aq_status status = put_fields(initializer, &tensor, err);
  if (status == AQ_OK) status = aq_onnx_put_head(graph, GRAPH_INITIALIZER, tensor.size + behind, err);
  if (status == AQ_OK) status = aq_buffer_append(graph, tensor.data, tensor.size, err);
  aq_buffer_reset(&tensor);
  return status;
}
