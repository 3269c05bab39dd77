/* source_memory.c - a source of the caller's arrays. Nothing is copied; every tensor is one segment. */
#include "io/source_memory.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/utf8.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

static const void *address(const aq_segment *segment, aq_piece piece) {
  return (const void *)(uintptr_t)segment->where[piece];
}

aq_status aq_memory_read(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                         size_t size, void *out, aq_error *err) {
  (void)source;
  const uint64_t have = piece == AQ_PIECE_DATA ? segment->data_bytes : segment->num_scales * sizeof(float);
  AQ_FAIL_IF(!aq_range_ok(offset, size, have), AQ_ERR_INTERNAL, "%zu bytes at %llu were asked for, there are %llu",
             size, (unsigned long long)offset, (unsigned long long)have);
  if (size > 0) memcpy(out, (const uint8_t *)address(segment, piece) + offset, size);
  return AQ_OK;
}

aq_status aq_memory_view(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                         aq_error *err) {
  (void)source;
  (void)err;
  *view = address(segment, piece);
  return AQ_OK;
}

static const aq_source_ops memory_ops = {.read = aq_memory_read, .view = aq_memory_view};

aq_status aq_source_create_empty(const aq_source_ops *ops, const char *path, const char *format, aq_source **out,
                                 aq_error *err) {
  *out = NULL;
  aq_source *source = aq_calloc(1, sizeof *source);
  char *copy = aq_strdup(path);
  if (source == NULL || copy == NULL) {
    aq_free(source);
    aq_free(copy);
    return aq_fail_memory(err, sizeof *source);
  }
  source->path = copy;
  source->format = format;
  source->ops = ops;
  *out = source;
  return AQ_OK;
}

aq_status aq_source_create(aq_source **out, aq_error *err) {
  return aq_source_create_empty(&memory_ops, "memory", "memory", out, err);
}

static aq_status check_open(const aq_source *source, aq_error *err) {
  AQ_FAIL_IF(source == NULL || source->ops != &memory_ops, AQ_ERR_ARGUMENT,
             "only a source made by aq_source_create can be added to");
  AQ_FAIL_IF(atomic_load(&source->more_holds) > 0, AQ_ERR_ARGUMENT,
             "nothing can be added while an Arrow stream, an encoder or an operation uses the source");
  return AQ_OK;
}

static aq_status check_name(const aq_source *source, const char *name, aq_error *err) {
  size_t base;
  int64_t lo, hi;
  AQ_FAIL_IF(name == NULL || name[0] == '\0', AQ_ERR_ARGUMENT, "a tensor needs a name");
  AQ_FAIL_IF(!aq_utf8_ok(name), AQ_ERR_ARGUMENT, "the name of tensor %zu is not UTF-8", source->tensor_count);
  AQ_FAIL_IF(aq_source_find(source, name) >= 0, AQ_ERR_ARGUMENT, "there is a tensor of this name already");
  AQ_FAIL_IF(aq_part_name_parse(name, &base, &lo, &hi), AQ_ERR_ARGUMENT,
             "a name that ends with [%lld:%lld] means a part of a larger tensor in weight tables", (long long)lo,
             (long long)hi);
  return AQ_OK;
}

static aq_status describe(const aq_tensor_info *given, aq_tensor_info *info, aq_error *err) {
  *info = (aq_tensor_info){
      .name = given->name, .dtype = given->dtype, .rank = given->rank, .quant_axis = -1, .alias_of = -1};
  AQ_TRY(AQ_RESERVED_CHECK(given, "a tensor's description", err));
  AQ_FAIL_IF(given->quant_type != AQ_KEPT, AQ_ERR_ARGUMENT, "only plain values can be added, not %s codes",
             aq_quant_type_name(given->quant_type));
  AQ_FAIL_IF(aq_dtype_bits(info->dtype) == 0, AQ_ERR_ARGUMENT, "dtype %d is not known", (int)info->dtype);
  AQ_FAIL_IF(info->rank < 0 || info->rank > AQ_MAX_RANK, AQ_ERR_ARGUMENT, "has %d dimensions; 0 to %d are supported",
             (int)info->rank, AQ_MAX_RANK);
  memcpy(info->shape, given->shape, (size_t)info->rank * sizeof info->shape[0]);
  char text[128];
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, info->rank, &info->num_params) ||
                 !aq_dtype_bytes_ok(info->num_params, info->dtype, &info->data_bytes) || info->data_bytes > INT64_MAX,
             AQ_ERR_ARGUMENT, "shape %s is not one", aq_shape_text(info->shape, info->rank, text, sizeof text));
  info->stored_bytes = info->data_bytes;
  return AQ_OK;
}

static aq_status add(aq_source *source, const aq_tensor_info *given, const void *data, aq_error *err) {
  aq_tensor_info info;
  AQ_TRY(check_name(source, given->name, err));
  AQ_TRY(describe(given, &info, err));
  AQ_FAIL_IF(data == NULL && info.data_bytes > 0, AQ_ERR_ARGUMENT, "has no data");
  const aq_segment segment = {
      .num_params = info.num_params, .data_bytes = info.data_bytes, .where = {aq_address_of(data)}};
  uint64_t total;
  AQ_FAIL_IF(!aq_add_ok(source->file_bytes, info.data_bytes, &total), AQ_ERR_ARGUMENT, "the model is too large");
  AQ_TRY(aq_source_add_tensor(source, &info, &segment, 1, err));
  source->file_bytes = total;
  return AQ_OK;
}

aq_status aq_source_add(aq_source *source, const aq_tensor_info *info, const void *data, aq_error *err) {
  AQ_TRY(check_open(source, err));
  AQ_FAIL_IF(info == NULL, AQ_ERR_ARGUMENT, "a tensor needs a description");
  const aq_status status = add(source, info, data, err);
  if (status == AQ_OK || info->name == NULL || !aq_utf8_ok(info->name)) return status;
  return aq_error_in_tensor(err, status, info->name);
}

aq_status aq_source_set_metadata(aq_source *source, const char *key, const char *value, aq_error *err) {
  AQ_TRY(check_open(source, err));
  AQ_FAIL_IF(key == NULL || value == NULL || !aq_utf8_ok(key) || !aq_utf8_ok(value), AQ_ERR_ARGUMENT,
             "metadata are pairs of UTF-8 texts");
  for (size_t i = 0; i < source->metadata_count; i++) {
    if (strcmp(source->metadata[2 * i], key) != 0) continue;
    char *copy = aq_strdup(value);
    if (copy == NULL) return aq_fail_memory(err, strlen(value));
    aq_source_drop_carried(source);
    aq_free(source->metadata[2 * i + 1]);
    source->metadata[2 * i + 1] = copy;
    return AQ_OK;
  }
  return aq_source_add_metadata(source, key, value, err);
}
