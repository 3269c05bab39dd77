/* foreign.c - one table of the formats that are recognised but not read. */
#include "io/foreign.h"

#include <string.h>
#include <strings.h>

#include "core/compiler.h"
#include "core/error.h"

#define HEAD_SIZE 512

typedef struct foreign_row {
  aq_foreign words;
  const char *magic; /* what is at `offset` in the file, or NULL: known by its name only */
  size_t magic_size, offset;
  const char *suffix[4]; /* ends of names */
  aq_status status;
} foreign_row;

static const char save_hint[] =
    "Save it as safetensors: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER), or a state_dict with "
    "safetensors.torch.save_file";
static const char original_hint[] = "Take the safetensors files of the model that it was made from";
static const char unpack_hint[] = "Unpack it, and name what was in it";
static const char download_hint[] = "Download the file again";
static const char parquet_hint[] = "Write it as Parquet, for example with pyarrow.parquet.write_table";
static const char numpy_hint[] = "Load the arrays with NumPy and give them to arrowquant.convert of the Python package";

/* Of rows with the same first bytes, the one with the file's suffix counts; else the first. */
static const foreign_row rows[] = {
    {{"a zip archive", unpack_hint}, "PK\x03\x04", 4, 0, {".zip"}, AQ_ERR_UNSUPPORTED},
    {{"an archive of NumPy arrays", numpy_hint}, "PK\x03\x04", 4, 0, {".npz"}, AQ_ERR_UNSUPPORTED},
    {{"a NumPy array", numpy_hint}, "\x93NUMPY", 6, 0, {".npy"}, AQ_ERR_UNSUPPORTED},
    {{"an OpenVINO file", original_hint}, NULL, 0, 0, {"openvino_model.bin", "openvino_model.xml"}, AQ_ERR_UNSUPPORTED},
    {{"a Python pickle, and no file of torch.save", save_hint}, "\x80\x02", 2, 0, {".pkl"}, AQ_ERR_UNSUPPORTED},
    {{"a Python pickle, and no file of torch.save", save_hint}, "\x80\x03", 2, 0, {NULL}, AQ_ERR_UNSUPPORTED},
    {{"a Python pickle, and no file of torch.save", save_hint}, "\x80\x04", 2, 0, {NULL}, AQ_ERR_UNSUPPORTED},
    {{"a Python pickle, and no file of torch.save", save_hint}, "\x80\x05", 2, 0, {NULL}, AQ_ERR_UNSUPPORTED},
    {{"a GGML file, as before GGUF", original_hint}, "lmgg", 4, 0, {".ggml"}, AQ_ERR_UNSUPPORTED},
    {{"a GGML file, as before GGUF", original_hint}, "tjgg", 4, 0, {NULL}, AQ_ERR_UNSUPPORTED},
    {{"a NeMo archive (tar)", save_hint}, "ustar", 5, 257, {".nemo"}, AQ_ERR_UNSUPPORTED},
    {{"a tar archive", unpack_hint}, "ustar", 5, 257, {".tar"}, AQ_ERR_UNSUPPORTED},
    {{"compressed with gzip", unpack_hint}, "\x1f\x8b", 2, 0, {".gz", ".tgz"}, AQ_ERR_UNSUPPORTED},
    {{"compressed with xz", unpack_hint},
     "\xfd"
     "7zXZ",
     6,
     0,
     {".xz"},
     AQ_ERR_UNSUPPORTED},
    {{"compressed with bzip2", unpack_hint}, "BZh", 3, 0, {".bz2"}, AQ_ERR_UNSUPPORTED},
    {{"compressed with zstd", unpack_hint}, "\x28\xb5\x2f\xfd", 4, 0, {".zst"}, AQ_ERR_UNSUPPORTED},
    {{"a 7z archive", unpack_hint}, "7z\xbc\xaf\x27\x1c", 6, 0, {".7z"}, AQ_ERR_UNSUPPORTED},
    {{"a RAR archive", unpack_hint}, "Rar!\x1a\x07", 6, 0, {".rar"}, AQ_ERR_UNSUPPORTED},
    {{"an Arrow file", parquet_hint}, "ARROW1", 6, 0, {".arrow", ".feather"}, AQ_ERR_UNSUPPORTED},
    {{"an Arrow stream", parquet_hint}, "\xff\xff\xff\xff", 4, 0, {".arrows"}, AQ_ERR_UNSUPPORTED},
    {{"an ORC file", parquet_hint}, "ORC", 3, 0, {".orc"}, AQ_ERR_UNSUPPORTED},
    {{"an Avro file", parquet_hint}, "Obj\x01", 4, 0, {".avro"}, AQ_ERR_UNSUPPORTED},
    {{"an SQLite database", parquet_hint}, "SQLite format 3", 15, 0, {".sqlite"}, AQ_ERR_UNSUPPORTED},
    {{"a DuckDB database", "Write the table as Parquet: copy TABLE to 'model.parquet'"},
     "DUCK",
     4,
     8,
     {".duckdb"},
     AQ_ERR_UNSUPPORTED},
    {{"an HDF5 file (Keras)", "Take the model's safetensors files"},
     "\x89HDF\r\n\x1a\n",
     8,
     0,
     {".h5", ".hdf5", ".keras"},
     AQ_ERR_UNSUPPORTED},
    {{"a TensorFlow Lite file", original_hint}, "TFL3", 4, 4, {".tflite"}, AQ_ERR_UNSUPPORTED},
    {{"an ExecuTorch program", original_hint}, "ET12", 4, 4, {".pte"}, AQ_ERR_UNSUPPORTED},
    {{"the external data of an ONNX file", "Name the .onnx file beside it"},
     NULL,
     0,
     0,
     {".onnx_data", ".onnx.data"},
     AQ_ERR_UNSUPPORTED},
    {{"a Flax file", "Take the model's safetensors files"}, NULL, 0, 0, {".msgpack"}, AQ_ERR_UNSUPPORTED},
    {{"a Core ML file", original_hint}, NULL, 0, 0, {".mlmodel", ".mlpackage"}, AQ_ERR_UNSUPPORTED},
    {{"an unfinished download", "Finish the download"},
     NULL,
     0,
     0,
     {".incomplete", ".crdownload", ".part", ".aria2"},
     AQ_ERR_FORMAT},
    {{"a Git LFS pointer: the file itself was not downloaded", "Run git lfs pull in the repository"},
     "version https://git-lfs",
     23,
     0,
     {NULL},
     AQ_ERR_FORMAT},
    {{"a git-annex pointer: the file itself was not downloaded", "Run git annex get in the repository"},
     "/annex/objects/",
     15,
     0,
     {NULL},
     AQ_ERR_FORMAT},
};

static bool ends_with(const char *name, const char *suffix) {
  const size_t length = strlen(name), end = strlen(suffix);
  return length >= end && strcasecmp(name + length - end, suffix) == 0;
}

/* A file of nothing but its suffix is named so by chance. */
static bool has_suffix(const foreign_row *row, const char *name) {
  for (size_t k = 0; k < AQ_COUNT_OF(row->suffix) && row->suffix[k] != NULL; k++) {
    if (ends_with(name, row->suffix[k]) && (row->suffix[k][0] != '.' || strlen(name) > strlen(row->suffix[k])))
      return true;
  }
  return false;
}

const aq_foreign *aq_foreign_by_name(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    if (has_suffix(&rows[i], name)) return &rows[i].words;
  }
  return NULL;
}

static bool has_magic(const foreign_row *row, const uint8_t *head, size_t size) {
  return row->magic != NULL && row->offset + row->magic_size <= size &&
         memcmp(head + row->offset, row->magic, row->magic_size) == 0;
}

static const foreign_row *find_row(const char *name, const uint8_t *head, size_t size) {
  const foreign_row *found = NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    if (!has_magic(&rows[i], head, size)) continue;
    if (has_suffix(&rows[i], name)) return &rows[i];
    if (found == NULL) found = &rows[i];
  }
  /* Formats without first bytes of their own. */
  for (size_t i = 0; i < AQ_COUNT_OF(rows) && found == NULL; i++) {
    if (rows[i].magic == NULL && has_suffix(&rows[i], name)) found = &rows[i];
  }
  return found;
}

/* What servers send instead of a file, in any case and after any spaces. */
static bool is_web_page(const uint8_t *head, size_t size) {
  static const char *const begins[] = {"<!doctype html", "<html", "<?xml", "<error"};
  size_t at = 0;
  while (at < size && strchr(" \t\r\n\xef\xbb\xbf", head[at]) != NULL && head[at] != 0) at++;
  for (size_t i = 0; i < AQ_COUNT_OF(begins); i++) {
    const size_t length = strlen(begins[i]);
    if (length <= size - at && strncasecmp((const char *)head + at, begins[i], length) == 0) return true;
  }
  return false;
}

static bool is_all(const uint8_t *head, size_t size, uint8_t byte) {
  for (size_t i = 0; i < size; i++) {
    if (head[i] != byte) return false;
  }
  return size > 0;
}

static aq_status fail_with(const aq_file *file, aq_status status, const char *what, const char *hint, aq_error *err) {
  (void)aq_fail(err, status, "is %s", what);
  (void)aq_error_hint(err, status, "%s", hint);
  return aq_error_in_file(err, status, file->path);
}

aq_status aq_foreign_fail(const aq_file *file, aq_error *err) {
  uint8_t head[HEAD_SIZE] = {0};
  const size_t size = (size_t)AQ_MIN(file->size, (uint64_t)sizeof head);
  AQ_TRY(aq_file_read(file, 0, size, head, err));
  if (size == 0) return fail_with(file, AQ_ERR_FORMAT, "empty", "Download or write it again", err);
  const foreign_row *row = find_row(file->path, head, size);
  if (row != NULL) return fail_with(file, row->status, row->words.what, row->words.hint, err);
  if (ends_with(file->path, ".onnx")) /* a format without first bytes of its own */
    return fail_with(file, AQ_ERR_FORMAT, "named like an ONNX file, but does not begin like one", download_hint, err);
  if (is_web_page(head, size))
    return fail_with(file, AQ_ERR_FORMAT, "a web page: the download went wrong", download_hint, err);
  if (is_all(head, size, 0))
    return fail_with(file, AQ_ERR_FORMAT, "zeros where it should begin: it was never written to its end", download_hint,
                     err);
  const aq_status status =
      aq_fail(err, AQ_ERR_FORMAT,
              "is neither a safetensors file, nor its index, nor a PyTorch, GGUF or ONNX file, nor a Parquet table");
  return aq_error_in_file(err, status, file->path);
}
