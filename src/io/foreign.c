/* foreign.c - one table of the formats that are recognised but not read. */
#include "io/foreign.h"

#include <string.h>
#include <strings.h>

#include "core/compiler.h"
#include "core/error.h"

#define MAGIC_MAX 24

static const struct foreign_row {
  aq_foreign words;
  const char *magic; /* first bytes, or NULL */
  size_t magic_size;
  const char *suffix[4]; /* ends of names */
  aq_status status;
} rows[] = {
    {{"a PyTorch file (or another zip archive)",
      "Save it as safetensors first: model.save_pretrained(FOLDER, safe_serialization=True)"},
     "PK\x03\x04",
     4,
     {".bin", ".pt", ".pth", ".ckpt"},
     AQ_ERR_UNSUPPORTED},
    {{"a Python pickle, as old PyTorch files are",
      "Save it as safetensors first: model.save_pretrained(FOLDER, safe_serialization=True)"},
     "\x80\x02",
     2,
     {".pkl"},
     AQ_ERR_UNSUPPORTED},
    {{"a GGUF file", "Take the model's original safetensors files"}, "GGUF", 4, {".gguf"}, AQ_ERR_UNSUPPORTED},
    {{"an Arrow file", "Write it as Parquet, for example with pyarrow.parquet.write_table"},
     "ARROW1",
     6,
     {".arrow", ".feather"},
     AQ_ERR_UNSUPPORTED},
    {{"an HDF5 file (Keras)", "Take the model's safetensors files"},
     "\x89HDF\r\n\x1a\n",
     8,
     {".h5", ".hdf5", ".keras"},
     AQ_ERR_UNSUPPORTED},
    {{"an ONNX file", "Take the safetensors files of the model it was made from"},
     NULL,
     0,
     {".onnx"},
     AQ_ERR_UNSUPPORTED},
    {{"a Flax file", "Take the model's safetensors files"}, NULL, 0, {".msgpack"}, AQ_ERR_UNSUPPORTED},
    {{"a Git LFS pointer: the file itself was not downloaded", "Run git lfs pull in the repository"},
     "version https://git-lfs",
     23,
     {NULL},
     AQ_ERR_FORMAT},
    {{"a web page: the download went wrong", "Download the file again"}, "<!DOCTYPE", 9, {NULL}, AQ_ERR_FORMAT},
    {{"a web page: the download went wrong", "Download the file again"}, "<html", 5, {NULL}, AQ_ERR_FORMAT},
};

const aq_foreign *aq_foreign_by_name(const char *name) {
  const size_t length = strlen(name);
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    for (size_t k = 0; k < AQ_COUNT_OF(rows[i].suffix) && rows[i].suffix[k] != NULL; k++) {
      const size_t end = strlen(rows[i].suffix[k]);
      if (length > end && strcasecmp(name + length - end, rows[i].suffix[k]) == 0) return &rows[i].words;
    }
  }
  return NULL;
}

aq_status aq_foreign_fail(const aq_file *file, aq_error *err) {
  uint8_t head[MAGIC_MAX] = {0};
  aq_status status = aq_file_read(file, 0, (size_t)AQ_MIN(file->size, sizeof head), head, err);
  if (status != AQ_OK) return status;
  if (file->size == 0) {
    status = aq_fail(err, AQ_ERR_FORMAT, "is empty");
    (void)aq_error_hint(err, status, "Download or write it again");
    return aq_error_in_file(err, status, file->path);
  }
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    if (rows[i].magic == NULL || memcmp(head, rows[i].magic, rows[i].magic_size) != 0) continue;
    status = aq_fail(err, rows[i].status, "is %s", rows[i].words.what);
    (void)aq_error_hint(err, status, "%s", rows[i].words.hint);
    return aq_error_in_file(err, status, file->path);
  }
  status = aq_fail(err, AQ_ERR_FORMAT, "is neither a safetensors file, nor its index, nor a Parquet table");
  return aq_error_in_file(err, status, file->path);
}
