/* safetensors_writer.c - the sink for one .safetensors file (format: see safetensors_header.c).
 *
 * The header is padded with spaces, so that the data begin at a multiple of 8 as the reference implementation does. */
#include "io/safetensors/safetensors_writer.h"

#include <jansson.h>
#include <string.h>

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/safetensors/safetensors_header.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

struct aq_safetensors_writer {
  aq_outfile *out;
  uint64_t data_bytes, written; /* of the data section: declared, so far */
};

static const char metadata_key[] = "__metadata__";

/* Takes the reference to value, which may be NULL when there was no memory for it. */
static aq_status set(json_t *object, const char *key, json_t *value, aq_error *err) {
  if (value != NULL && json_object_set_new(object, key, value) == 0) return AQ_OK;
  return aq_fail_memory(err, strlen(key));
}

/* The metadata of files that PyTorch reads, and the caller's. */
static aq_status declare_metadata(json_t *root, const char *const *metadata, size_t count, aq_error *err) {
  json_t *object = json_object();
  AQ_TRY(set(root, metadata_key, object, err));
  AQ_TRY(set(object, "format", json_string("pt"), err));
  for (size_t i = 0; i < count; i++) {
    json_t *value = json_string(metadata[2 * i + 1]);
    AQ_FAIL_IF(value == NULL, AQ_ERR_ARGUMENT, "the value of metadata key '%.100s' is not UTF-8", metadata[2 * i]);
    AQ_TRY(set(object, metadata[2 * i], value, err));
  }
  return AQ_OK;
}

static json_t *spec_of(const aq_tensor_info *info, uint64_t begin, uint64_t end) {
  json_t *shape = json_array();
  for (int32_t i = 0; shape != NULL && i < info->rank; i++) {
    if (json_array_append_new(shape, json_integer(info->shape[i])) != 0) {
      json_decref(shape);
      shape = NULL;
    }
  }
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", aq_dtype_safetensors_name(info->dtype), "shape", shape,
                   "data_offsets", (json_int_t)begin, (json_int_t)end);
}

static aq_status declare_tensor(json_t *root, const aq_tensor_info *info, uint64_t *at, aq_error *err) {
  uint64_t count, size, end;
  AQ_FAIL_IF(aq_dtype_bits(info->dtype) == 0 || info->rank < 0 || info->rank > AQ_MAX_RANK, AQ_ERR_ARGUMENT,
             "its dtype or rank is wrong");
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, info->rank, &count) || !aq_dtype_bytes_ok(count, info->dtype, &size) ||
                 !aq_add_ok(*at, size, &end) || end > INT64_MAX,
             AQ_ERR_ARGUMENT, "its shape has more elements than can be stored");
  AQ_FAIL_IF(json_object_get(root, info->name) != NULL, AQ_ERR_ARGUMENT, "the name is %s",
             strcmp(info->name, metadata_key) == 0 ? "reserved by the format" : "used twice");
  AQ_TRY(set(root, info->name, spec_of(info, *at, end), err));
  *at = end;
  return AQ_OK;
}

static int append_text(const char *text, size_t size, void *buffer) {
  return aq_buffer_append(buffer, text, size, NULL) == AQ_OK ? 0 : -1;
}

static aq_status write_header(aq_outfile *out, const json_t *root, aq_error *err) {
  aq_buffer text = {NULL, 0, 0};
  uint8_t length[8];
  aq_status status = AQ_OK;
  if (json_dump_callback(root, append_text, &text, JSON_COMPACT) != 0) status = aq_fail_memory(err, text.size);
  while (status == AQ_OK && text.size % sizeof length != 0) status = aq_buffer_append_byte(&text, ' ', err);
  if (status == AQ_OK && text.size > AQ_SAFETENSORS_HEADER_MAX)
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the header would have %zu bytes; readers take %llu at most", text.size,
                     (unsigned long long)AQ_SAFETENSORS_HEADER_MAX);
  aq_store_u64(length, text.size);
  if (status == AQ_OK) status = aq_outfile_write(out, length, sizeof length, err);
  if (status == AQ_OK) status = aq_outfile_write(out, text.data, text.size, err);
  aq_buffer_reset(&text);
  return status;
}

static aq_status declare(json_t *root, const aq_tensor_info *tensors, size_t tensor_count, uint64_t *data_bytes,
                         aq_error *err) {
  for (size_t i = 0; i < tensor_count; i++) {
    const aq_status status = declare_tensor(root, &tensors[i], data_bytes, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, tensors[i].name);
  }
  return AQ_OK;
}

aq_status aq_safetensors_writer_create(const char *path, bool force, const aq_tensor_info *tensors, size_t tensor_count,
                                       const char *const *metadata, size_t metadata_count, aq_safetensors_writer **out,
                                       aq_error *err) {
  *out = NULL;
  aq_safetensors_writer *writer = aq_calloc(1, sizeof *writer);
  json_t *root = json_object();
  aq_status status = writer != NULL && root != NULL ? AQ_OK : aq_fail_memory(err, sizeof *writer);
  if (status == AQ_OK) status = declare_metadata(root, metadata, metadata_count, err);
  if (status == AQ_OK) status = declare(root, tensors, tensor_count, &writer->data_bytes, err);
  if (status == AQ_OK) status = aq_outfile_create(path, force, &writer->out, err);
  if (status == AQ_OK) status = write_header(writer->out, root, err);
  json_decref(root);
  if (status == AQ_OK) {
    *out = writer;
    return AQ_OK;
  }
  aq_safetensors_writer_abort(writer);
  return aq_error_in_file(err, status, path);
}

aq_status aq_safetensors_writer_write(aq_safetensors_writer *writer, const void *bytes, size_t size, aq_error *err) {
  AQ_FAIL_IF(size > writer->data_bytes - writer->written, AQ_ERR_INTERNAL,
             "more bytes were written than the tensors have");
  AQ_TRY(aq_outfile_write(writer->out, bytes, size, err));
  writer->written += size;
  return AQ_OK;
}

aq_status aq_safetensors_writer_commit(aq_safetensors_writer *writer, uint64_t *file_bytes, aq_error *err) {
  if (writer->written != writer->data_bytes) {
    const aq_status status = aq_fail(err, AQ_ERR_INTERNAL, "%llu of %llu bytes of the tensors were written",
                                     (unsigned long long)writer->written, (unsigned long long)writer->data_bytes);
    aq_safetensors_writer_abort(writer);
    return status;
  }
  if (file_bytes != NULL) *file_bytes = aq_outfile_offset(writer->out);
  const aq_status status = aq_outfile_commit(writer->out, err);
  aq_free(writer);
  return status;
}

void aq_safetensors_writer_abort(aq_safetensors_writer *writer) {
  if (writer == NULL) return;
  aq_outfile_abort(writer->out);
  aq_free(writer);
}
