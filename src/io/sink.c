/* sink.c - the calls of a sink: what every format gets for being one. */
#include "io/sink.h"

#include "core/error.h"

void aq_row_reset(aq_row *row) {
  aq_buffer_reset(&row->data);
  aq_buffer_reset(&row->scales);
  aq_buffer_reset(&row->zero_points);
}

static aq_status name_tensor(aq_status status, const aq_row *row, aq_error *err) {
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, row->name != NULL ? row->name : "");
}

aq_status aq_sink_create(const aq_sink_type *type, const char *path, const aq_sink_options *options, aq_sink **out,
                         aq_error *err) {
  *out = NULL;
  return type->create(path, options, out, err);
}

aq_status aq_sink_declare(aq_sink *sink, const aq_row *row, aq_error *err) {
  return name_tensor(sink->type->declare(sink, row, err), row, err);
}

aq_status aq_sink_add(aq_sink *sink, aq_row *row, aq_error *err) {
  const aq_status status = sink->type->add(sink, row, err);
  aq_row_reset(row);
  return name_tensor(status, row, err);
}

aq_status aq_sink_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  return sink->type->metadata(sink, key, value, err);
}

aq_status aq_sink_commit(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  return sink->type->commit(sink, file_bytes, err);
}

void aq_sink_abort(aq_sink *sink) {
  if (sink != NULL) sink->type->abort(sink);
}
