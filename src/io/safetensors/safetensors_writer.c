/* safetensors_writer.c - one .safetensors file (format: see safetensors_header.c).
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
  json_t *header;      /* until it is written; NULL afterwards */
  uint64_t data_bytes; /* of the data section: declared, */
  uint64_t written;    /* and so far */
};

static const char metadata_key[] = "__metadata__";

/* ---- the header ---- */

/* Takes the reference to value, which may be NULL when there was no memory for it. */
static aq_status set_member(json_t *object, const char *key, json_t *value, aq_error *err) {
  if (value != NULL && json_object_set_new(object, key, value) == 0) return AQ_OK;
  return aq_fail_memory(err, strlen(key));
}

aq_status aq_safetensors_writer_metadata(aq_safetensors_writer *writer, const char *key, const char *text,
                                         aq_error *err) {
  AQ_FAIL_IF(writer->header == NULL, AQ_ERR_INTERNAL, "metadata came after the first tensor");
  json_t *value = json_string(text);
  AQ_FAIL_IF(value == NULL, AQ_ERR_ARGUMENT, "the value of metadata key '%.100s' is not UTF-8", key);
  return set_member(json_object_get(writer->header, metadata_key), key, value, err);
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

static aq_status declare_tensor(aq_safetensors_writer *writer, const aq_tensor_info *info, aq_error *err) {
  uint64_t count, size, end;
  AQ_FAIL_IF(writer->header == NULL, AQ_ERR_INTERNAL, "a tensor was declared after the first one was written");
  AQ_FAIL_IF(aq_dtype_bits(info->dtype) == 0 || info->rank < 0 || info->rank > AQ_MAX_RANK, AQ_ERR_ARGUMENT,
             "its dtype or rank is wrong");
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, info->rank, &count) || !aq_dtype_bytes_ok(count, info->dtype, &size) ||
                 !aq_add_ok(writer->data_bytes, size, &end) || end > INT64_MAX,
             AQ_ERR_ARGUMENT, "its shape has more elements than can be stored");
  AQ_FAIL_IF(json_object_get(writer->header, info->name) != NULL, AQ_ERR_ARGUMENT, "the name is %s",
             strcmp(info->name, metadata_key) == 0 ? "reserved by the format" : "used twice");
  AQ_TRY(set_member(writer->header, info->name, spec_of(info, writer->data_bytes, end), err));
  writer->data_bytes = end;
  return AQ_OK;
}

aq_status aq_safetensors_writer_declare(aq_safetensors_writer *writer, const aq_tensor_info *info, aq_error *err) {
  const aq_status status = declare_tensor(writer, info, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, info->name);
}

static int append_text(const char *text, size_t size, void *buffer) {
  return aq_buffer_append(buffer, text, size, NULL) == AQ_OK ? 0 : -1;
}

/* Before the first tensor. */
static aq_status write_header(aq_safetensors_writer *writer, aq_error *err) {
  if (writer->header == NULL) return AQ_OK;
  aq_buffer text = {NULL, 0, 0};
  uint8_t length[8];
  aq_status status = AQ_OK;
  if (json_dump_callback(writer->header, append_text, &text, JSON_COMPACT) != 0)
    status = aq_fail_memory(err, text.size);
  while (status == AQ_OK && text.size % sizeof length != 0) status = aq_buffer_append_byte(&text, ' ', err);
  if (status == AQ_OK && text.size > AQ_SAFETENSORS_HEADER_MAX)
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the header would have %zu bytes; readers take %llu at most", text.size,
                     (unsigned long long)AQ_SAFETENSORS_HEADER_MAX);
  aq_store_u64(length, text.size);
  if (status == AQ_OK) status = aq_outfile_write(writer->out, length, sizeof length, err);
  if (status == AQ_OK) status = aq_outfile_write(writer->out, text.data, text.size, err);
  aq_buffer_reset(&text);
  json_decref(writer->header);
  writer->header = NULL;
  return status;
}

/* ---- the file ---- */

/* The metadata of files that PyTorch reads, without which transformers refuses them. */
static aq_status begin_header(aq_safetensors_writer *writer, aq_error *err) {
  writer->header = json_object();
  if (writer->header == NULL) return aq_fail_memory(err, sizeof metadata_key);
  AQ_TRY(set_member(writer->header, metadata_key, json_object(), err));
  return aq_safetensors_writer_metadata(writer, "format", "pt", err);
}

aq_status aq_safetensors_writer_begin(const char *path, bool force, aq_safetensors_writer **out, aq_error *err) {
  *out = NULL;
  aq_safetensors_writer *writer = aq_calloc(1, sizeof *writer);
  if (writer == NULL) return aq_fail_memory(err, sizeof *writer);
  aq_status status = begin_header(writer, err);
  if (status == AQ_OK) status = aq_outfile_create(path, force, &writer->out, err);
  if (status == AQ_OK) {
    *out = writer;
    return AQ_OK;
  }
  aq_safetensors_writer_abort(writer);
  return aq_error_in_file(err, status, path);
}

aq_status aq_safetensors_writer_create(const char *path, bool force, const aq_tensor_info *tensors, size_t tensor_count,
                                       const char *const *metadata, size_t metadata_count, aq_safetensors_writer **out,
                                       aq_error *err) {
  AQ_TRY(aq_safetensors_writer_begin(path, force, out, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < metadata_count; i++) {
    status = aq_safetensors_writer_metadata(*out, metadata[2 * i], metadata[2 * i + 1], err);
  }
  for (size_t i = 0; status == AQ_OK && i < tensor_count; i++) {
    status = aq_safetensors_writer_declare(*out, &tensors[i], err);
  }
  if (status == AQ_OK) return AQ_OK;
  aq_safetensors_writer_abort(*out);
  *out = NULL;
  return aq_error_in_file(err, status, path);
}

aq_status aq_safetensors_writer_write(aq_safetensors_writer *writer, const void *bytes, size_t size, aq_error *err) {
  AQ_TRY(write_header(writer, err));
  AQ_FAIL_IF(size > writer->data_bytes - writer->written, AQ_ERR_INTERNAL,
             "more bytes were written than the tensors have");
  AQ_TRY(aq_outfile_write(writer->out, bytes, size, err));
  writer->written += size;
  return AQ_OK;
}

aq_status aq_safetensors_writer_commit(aq_safetensors_writer *writer, uint64_t *file_bytes, aq_error *err) {
  aq_status status = write_header(writer, err); /* of a file without tensors */
  if (status == AQ_OK && writer->written != writer->data_bytes) {
    status = aq_fail(err, AQ_ERR_INTERNAL, "%llu of %llu bytes of the tensors were written",
                     (unsigned long long)writer->written, (unsigned long long)writer->data_bytes);
  }
  if (status != AQ_OK) {
    aq_safetensors_writer_abort(writer);
    return status;
  }
  if (file_bytes != NULL) *file_bytes = aq_outfile_offset(writer->out);
  status = aq_outfile_commit(writer->out, err);
  aq_free(writer);
  return status;
}

void aq_safetensors_writer_abort(aq_safetensors_writer *writer) {
  if (writer == NULL) return;
  json_decref(writer->header);
  aq_outfile_abort(writer->out);
  aq_free(writer);
}
