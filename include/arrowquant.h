/* arrowquant.h - quantize neural-network weights into Parquet tables, and measure what that costs.
 *
 * A model (safetensors, a Hugging Face folder, a weight table in Parquet) is a *source* of tensors. This library
 * converts a source to an ordinary Parquet table (schema V1), quantizes it to int8 / int4 / int3 / int2 (schema V2),
 * reads both back as views or FP32 values, compares them, and runs sentence encoders of the BERT family. docs/FORMAT.md
 * defines the files, docs/schemes/ the quantization schemes.
 *
 * Quantize a model, then read one tensor of the result as FP32:
 *
 *     aq_error err;
 *     aq_quantize_options opt;
 *     aq_quantize_options_init(&opt);
 *     opt.type = "int4";
 *     if (aq_quantize("model.safetensors", "model.parquet", &opt, NULL, &err) != AQ_OK) return fail(&err);
 *
 *     aq_source *src;
 *     if (aq_source_open("model.parquet", NULL, &src, &err) != AQ_OK) return fail(&err);
 *     const aq_tensor_info *t = aq_source_tensor(src, 0);
 *     float *values = malloc(t->num_params * sizeof *values);
 *     aq_status st = aq_source_read_f32(src, 0, 0, t->num_params, values, &err);
 *     aq_source_close(src);
 *
 * This header is stable. arrowquant_experimental.h has the parts that may change in any version: statistics and tuning
 * for a search, and sensitivity.
 *
 * Ownership: a call that returns an object through a pointer-to-pointer makes the caller its owner on AQ_OK and sets
 *   the pointer to NULL otherwise; `close` and `free` accept NULL. Strings and views of a handle live as long as the
 *   handle. The library owns nothing that the caller passes in, except the Arrow stream of aq_source_open_arrow.
 * Threads: different threads may use different handles at the same time. An open aq_source is immutable: any number of
 *   threads may read it and run operations on it at once. Calls with a non-const source (adding to it, closing it) need
 *   exclusive access. Set the allocator before any other call.
 * fork(): the child may use every handle that was open, with the same results; an encoder starts new threads there. A
 *   handle that another thread was changing during fork() (an encoder that was encoding, a running operation) fails in
 *   the child with AQ_ERR_ARGUMENT and must be opened again; closing it there does not free its memory. fork() waits
 * for the library's locks, at most for the decompression of one block. An unfinished output belongs to the parent.
 * Errors: every call that can fail returns an aq_status and fills *err when err is not NULL. The library never prints,
 *   never aborts and never exits. Every number in an input file is checked before it is used.
 * Versions: a program runs with every library of the same soname, whichever header it was built with.
 *   - A struct of options begins with `sizeof_options`, its size in the caller's header. The init function sets it, and
 *     everything else to zero, which is the default of every option. New members are added at the end, never in
 *     padding. Members that the caller's header lacks have their defaults. Members that this library lacks must be
 * zero; otherwise the call fails with AQ_ERR_ARGUMENT, because the caller requests something unknown.
 *   - A struct that is a member of another one, an element of an array, or filled by the library in the caller's memory
 *     has a fixed size and `reserved` members, which new members will replace. The caller leaves them zero; otherwise
 *     the call fails in the same way.
 *   - aq_allocator and the structs of Arrow never change.
 *   - AQ_VERSION_NUMBER is the version of the header, aq_version_number() that of the library.
 * Files: an output appears under its name only when it is complete; until then it is NAME.partial. Inputs are never
 *   changed. The same input and options give the same bytes, with any number of threads and on any instruction set;
 * with calibration, instruction sets may differ in a few codes, and tuning depends on the time that it gets. */
#ifndef ARROWQUANT_H
#define ARROWQUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AQ_API __attribute__((visibility("default")))
#define AQ_MUST_CHECK __attribute__((warn_unused_result))
#else
#define AQ_API
#define AQ_MUST_CHECK
#endif

/* ---- Version -------------------------------------------------------------------------------------------------------
 */

#define AQ_VERSION_MAJOR 0
#define AQ_VERSION_MINOR 1
#define AQ_VERSION_PATCH 0
#define AQ_VERSION_STRING "0.1.0"
/* For comparisons: 10203 is version 1.2.3. */
#define AQ_VERSION_NUMBER (AQ_VERSION_MAJOR * 10000 + AQ_VERSION_MINOR * 100 + AQ_VERSION_PATCH)

/* Version of the library in use, "MAJOR.MINOR.PATCH". Static storage. */
AQ_API const char *aq_version(void);
/* The same as AQ_VERSION_NUMBER, of the library in use. */
AQ_API uint32_t aq_version_number(void);

/* Sets a struct of options to its defaults. `size` is its size in the caller's header and becomes its first member,
 * sizeof_options. The init function of each struct is this call. */
AQ_API void aq_options_init(void *options, size_t size);

/* Instruction sets: the name of the set in use ("ref", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot"),
 * and the names that AQ_CPU accepts on this machine, separated by spaces, lowest first. The environment variable
 * AQ_CPU=NAME limits the choice to NAME and the sets below it; an unknown name, or one of another architecture, means
 * "ref". It is read once, at first use. Static storage. */
AQ_API const char *aq_cpu_in_use(void);
AQ_API const char *aq_cpu_available(void);

/* ---- Status and errors ---------------------------------------------------------------------------------------------
 */

typedef enum aq_status {
  AQ_OK = 0,
  AQ_ERR_ARGUMENT = 10,    /* an option or argument is wrong */
  AQ_ERR_MEMORY = 11,      /* out of memory, or the caller's memory limit reached */
  AQ_ERR_INTERRUPTED = 12, /* the progress callback asked to stop */
  AQ_ERR_INTERNAL = 13,    /* a bug in this library */
  AQ_ERR_IO = 20,          /* the system refused a read or write */
  AQ_ERR_NOT_FOUND = 21,   /* an input does not exist */
  AQ_ERR_EXISTS = 22,      /* the output exists already */
  AQ_ERR_DISK_FULL = 23,   /* no space left, or a quota or file-size limit reached */
  AQ_ERR_PERMISSION = 24,  /* not allowed to read or write there */
  AQ_ERR_FORMAT = 30,      /* the input breaks the rules of its format */
  AQ_ERR_CORRUPT = 31,     /* a checksum or a length does not match: damaged bytes */
  AQ_ERR_UNSUPPORTED = 32, /* valid, but not handled here (an encrypted file, an unknown codec) */
  AQ_ERR_NONFINITE = 40,   /* NaN, an infinity, or a value out of the range of the type */
  AQ_ERR_NO_MATCH = 41,    /* a pattern matches no tensor, or a name does not exist */
  AQ_ERR_REQUANTIZE = 42,  /* the source is quantized already */
  AQ_ERR_THRESHOLD = 50,   /* done, but a measured value is below the requested minimum */
  AQ_ERR_DEGRADED = 51     /* done, but a matrix was not quantized, and strict was set */
} aq_status;

#define AQ_ERROR_NO_OFFSET (-1)

/* An error. `message` is what went wrong and what was expected, `hint` is what to do; unknown fields are empty strings
 * and AQ_ERROR_NO_OFFSET. Long paths and names are shortened in the middle. A hint names an option by its member
 * between backquotes, with a value where that helps: `force=true`, `calib=builtin`. */
typedef struct aq_error {
  aq_status code;
  int32_t row_group; /* Parquet row group, or -1 */
  int64_t offset;    /* byte offset in the file, or AQ_ERROR_NO_OFFSET */
  char file[256];
  char tensor[256];
  char message[512];
  char hint[256];
  uint64_t reserved[6];
} aq_error;

/* One line: "FILE: tensor 'NAME': MESSAGE (offset N, row group N). HINT". Returns the length of the whole line;
 * at most size-1 bytes and a terminating zero are written. */
AQ_API size_t aq_error_format(const aq_error *err, char *out, size_t size);

/* Short fixed name of a status ("corrupt", "disk full"). Static storage. */
AQ_API const char *aq_status_name(aq_status status);

/* ---- Memory --------------------------------------------------------------------------------------------------------
 */

/* The source of all memory of the library. `reallocate(ctx, NULL, n)` allocates; it returns NULL on failure. */
typedef struct aq_allocator {
  void *(*reallocate)(void *ctx, void *ptr, size_t size);
  void (*release)(void *ctx, void *ptr);
  void *ctx;
} aq_allocator;

/* Sets the allocator of the process; NULL restores malloc/realloc/free. Call before any other function. */
AQ_API void aq_set_allocator(const aq_allocator *allocator);

/* Frees memory that the library returned to the caller as plain memory. Accepts NULL. */
AQ_API void aq_free(void *ptr);

/* ---- Progress ------------------------------------------------------------------------------------------------------
 */

typedef struct aq_progress_event {
  const char *stage;  /* "convert", "quantize", "compare", ... */
  const char *tensor; /* tensor just finished, or NULL */
  uint64_t tensors_done, tensors_total;
  uint64_t bytes_done, bytes_total; /* bytes of the source */
  double seconds;                   /* since the stage began */
  uint64_t reserved[4];
} aq_progress_event;

/* Called at intervals on the calling thread. Return false to stop: the call ends with AQ_ERR_INTERRUPTED and leaves no
 * output. */
typedef bool (*aq_progress_fn)(void *ctx, const aq_progress_event *event);

/* Options of every long call, a member of the options of each operation. Zeros are the defaults. */
typedef struct aq_run_options {
  uint32_t threads;    /* 0: the CPUs this process may use */
  uint64_t max_memory; /* limit in bytes of working memory; 0: none */
  aq_progress_fn progress;
  void *progress_ctx;
  uint64_t reserved[8];
} aq_run_options;

/* ---- Tensors -------------------------------------------------------------------------------------------------------
 */

typedef enum aq_dtype {
  AQ_DTYPE_INVALID = 0,
  AQ_F64,
  AQ_F32,
  AQ_F16,
  AQ_BF16,
  AQ_F8_E4M3,
  AQ_F8_E5M2,
  AQ_I64,
  AQ_I32,
  AQ_I16,
  AQ_I8,
  AQ_U64,
  AQ_U32,
  AQ_U16,
  AQ_U8,
  AQ_BOOL,
  /* Opaque: dtypes of safetensors whose bytes this library copies and whose values it cannot read. */
  AQ_F8_E8M0,
  AQ_F8_E4M3FNUZ,
  AQ_F8_E5M2FNUZ,
  AQ_F6_E2M3,
  AQ_F6_E3M2,
  AQ_F4,
  AQ_C64
} aq_dtype;

/* How a row is stored. AQ_KEPT: not quantized, values in `dtype`. */
typedef enum aq_quant_type { AQ_KEPT = 0, AQ_INT8, AQ_INT4, AQ_INT3, AQ_INT2 } aq_quant_type;

#define AQ_MAX_RANK 16

typedef struct aq_tensor_info {
  const char *name;
  aq_dtype dtype; /* of the values; for a quantized tensor, of the original */
  aq_quant_type quant_type;
  int32_t rank; /* 0 for a scalar */
  int64_t shape[AQ_MAX_RANK];
  uint64_t num_params;   /* product of the shape, 1 for a scalar */
  uint64_t data_bytes;   /* values or codes, decompressed */
  uint64_t stored_bytes; /* size in the file of data, scales and zero points, including page headers */
  uint64_t num_scales;   /* 0 for a kept tensor */
  int32_t quant_axis;    /* -1: one scale (or kept); 0: per channel of axis 0, or per group */
  int32_t group_size;    /* 0: per tensor or channel; n: groups of n in C order */
  int32_t alias_of;      /* index of the tensor that holds the bytes, or -1 */
  uint64_t reserved[7];
} aq_tensor_info;

AQ_API const char *aq_dtype_name(aq_dtype dtype);          /* "torch.float32", "safetensors.F4", ...; "invalid" */
AQ_API size_t aq_dtype_size(aq_dtype dtype);               /* bytes per element; 0 when invalid or less than a byte */
AQ_API uint32_t aq_dtype_bits(aq_dtype dtype);             /* bits per element; 0 when invalid */
AQ_API const char *aq_quant_type_name(aq_quant_type type); /* "int8", ...; "kept" */
AQ_API uint32_t aq_quant_type_bits(aq_quant_type type);    /* 8, 4, 3, 2; 0 for kept */

/* ---- Texts in memory -----------------------------------------------------------------------------------------------
 */

/* Texts in the caller's memory: UTF-8, lengths[i] bytes each; lengths NULL: each ends with a zero. texts NULL: no list.
 * It is a member of the options of operations that run a model, beside the name of a file with texts; unless stated
 * otherwise, only one of the two may be set. Texts of white space alone are skipped, like blank lines of a file. */
typedef struct aq_text_list {
  const char *const *texts;
  const size_t *lengths;
  size_t count;
  uint64_t reserved[1];
} aq_text_list;

/* ---- Sources: reading tensors from a file or folder
 * ------------------------------------------------------------------ */

typedef struct aq_source aq_source;

typedef struct aq_source_options {
  size_t sizeof_options;
  uint64_t max_memory; /* limit in bytes of the memory of one call; 0: none */
  bool skip_checksums; /* do not check page CRCs */
  /* Names of a GGUF file's tensors; no other format has two of them. "file" (NULL): those of the file, llama.cpp's.
   * "hf": those of Hugging Face, with rows in its order and config.json and tokenizer made of the metadata, so that the
   * model can be run (docs/formats/gguf.md); AQ_ERR_UNSUPPORTED for an architecture that is not known. "auto": those of
   * Hugging Face where there are any, else those of the file and a note. */
  const char *names;
  /* Tensors that the format stores as codes (blocks of GGUF, layers that another tool quantized) are quantized tensors
   * here, with the codes, scales and zero points of the file, wherever these give exactly its values, bit for bit;
   * otherwise they are values, as without this option. All codes are read to find out (docs/FORMAT.md, "Codes of other
   * formats"). */
  bool keep_codes;
  uint32_t threads; /* that compare codes with values for keep_codes; 0: the CPUs that this process may use */
} aq_source_options;
static inline void aq_source_options_init(aq_source_options *options) { aq_options_init(options, sizeof *options); }

/* Opens a .safetensors file, a model.safetensors.index.json, a folder that holds one of them (a Hugging Face snapshot
 * or repository cache folder too), a file of torch.save or the index of several (docs/formats/torch.md; nothing in it
 * is run), a GGUF file (any of its parts where it has several; docs/formats/gguf.md), an ONNX model
 * (docs/formats/onnx.md), or a V1/V2 Parquet table, in one file or as a folder of its parts. The format is detected
 * from the bytes, not from the name. Layers that another tool quantized are tensors of FP32 where their scheme is known
 * (docs/formats/quantized-checkpoints.md). NULL options: defaults. On success the caller owns *out. */
AQ_API AQ_MUST_CHECK aq_status aq_source_open(const char *path, const aq_source_options *options, aq_source **out,
                                              aq_error *err);

/* Releases the caller's reference to a source. Its files and memory are released with the last reference: encoders, and
 * the streams and batches of aq_source_export_arrow, have one each. */
AQ_API void aq_source_close(aq_source *source);

/* "safetensors", "PyTorch", "GGUF", "ONNX", "table V1", "table V2", "memory", "Arrow V1", "Arrow V2". */
AQ_API const char *aq_source_format(const aq_source *source);
AQ_API int aq_source_schema_version(const aq_source *source);  /* 1 or 2 for tables and Arrow streams, 0 otherwise */
AQ_API uint64_t aq_source_file_bytes(const aq_source *source); /* size of all files read, or of all arrays */
AQ_API size_t aq_source_tensor_count(const aq_source *source);
AQ_API const aq_tensor_info *aq_source_tensor(const aq_source *source, size_t index); /* NULL when out of range */
AQ_API int64_t aq_source_find(const aq_source *source, const char *name);             /* index, or -1 */

/* Key-value metadata of the file: count, and pair i (NULL when out of range). */
AQ_API size_t aq_source_metadata_count(const aq_source *source);
AQ_API const char *aq_source_metadata_key(const aq_source *source, size_t i);
AQ_API const char *aq_source_metadata_value(const aq_source *source, size_t i);

/* Notes about the source, one sentence each: it is one shard of several, another tool quantized it, a column is not
 * part of the schema. NULL when out of range. */
AQ_API size_t aq_source_note_count(const aq_source *source);
AQ_API const char *aq_source_note(const aq_source *source, size_t i);

/* The stored bytes of one tensor. Views into the mapped file (or the caller's arrays) where they lie uncompressed and
 * in one piece, otherwise memory of the tensor's own. No alignment is guaranteed. Release with aq_tensor_release. */
typedef struct aq_tensor {
  const void *data;        /* values (little-endian, C order) or packed codes */
  const void *scales;      /* FP32 array of num_scales, or NULL */
  const void *zero_points; /* FP32 array of num_scales, or NULL */
  uint64_t data_bytes;
  uint64_t num_scales;
  bool is_view; /* data points into the mapped file or array, which the source keeps */
  void *owned;  /* private */
  uint64_t reserved[5];
} aq_tensor;
AQ_API AQ_MUST_CHECK aq_status aq_source_load(const aq_source *source, size_t index, aq_tensor *out, aq_error *err);
AQ_API void aq_tensor_release(aq_tensor *tensor);

/* Elements [first, first + count) of a tensor as FP32, into out: kept values converted (integers too, rounded to
 * nearest), codes dequantized with x = (q - zero_point) * scale. */
AQ_API AQ_MUST_CHECK aq_status aq_source_read_f32(const aq_source *source, size_t index, uint64_t first, uint64_t count,
                                                  float *out, aq_error *err);

/* Elements [first, first + count) of a tensor, and the destination of their values. */
typedef struct aq_f32_range {
  size_t tensor;
  uint64_t first, count;
  float *out;
  uint64_t reserved[2]; /* zero */
} aq_f32_range;

/* The same for many ranges at once, large or small, with several threads. threads 0: the CPUs this process may use.
 * After an error the values in the ranges are undefined. */
AQ_API AQ_MUST_CHECK aq_status aq_source_read_f32_ranges(const aq_source *source, const aq_f32_range *ranges,
                                                         size_t count, uint32_t threads, aq_error *err);

/* ---- Sources of the caller's own arrays
 * ------------------------------------------------------------------------------- */

/* An empty source in memory, format "memory", to be filled by aq_source_add. */
AQ_API AQ_MUST_CHECK aq_status aq_source_create(aq_source **out, aq_error *err);

/* Adds a tensor at the end. Of `info` (zero-initialise it) name, dtype, rank and shape are used; quant_type must be
 * AQ_KEPT and reserved zero; the name is copied. `data` holds the values in C order, little-endian, at any alignment;
 * NULL when there are none. It is borrowed and must not change until the source is released (see aq_source_on_release).
 * AQ_ERR_ARGUMENT when the source was not made by aq_source_create, when the name is empty, not UTF-8, that of a part
 * (NAME[lo:hi]) or already present, and while an Arrow stream or batch of the source exists. Pointers that
 * aq_source_tensor returned before become invalid. */
AQ_API AQ_MUST_CHECK aq_status aq_source_add(aq_source *source, const aq_tensor_info *info, const void *data,
                                             aq_error *err);

/* Sets a key-value pair of the metadata of a source made by aq_source_create. Both strings are copied. */
AQ_API AQ_MUST_CHECK aq_status aq_source_set_metadata(aq_source *source, const char *key, const char *value,
                                                      aq_error *err);

/* Registers release(ctx), which is called once with the last reference to the source: after aq_source_close and the
 * release of all exported streams and batches, possibly on another thread. Borrowed arrays can be freed there. A second
 * call replaces the first. */
AQ_API void aq_source_on_release(aq_source *source, void (*release)(void *ctx), void *ctx);

/* ---- Arrow: tables of other engines, without a copy
 * ------------------------------------------------------------------- */

/* The Apache Arrow C data interface and C stream interface, as their specifications say
 * (https://arrow.apache.org/docs/format/CDataInterface.html, .../CStreamInterface.html). */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};
#endif

/* Opens the record batches of a stream as a source: a V1 or V2 weight table (docs/FORMAT.md), columns found by name.
 * Strings and binaries may have 32-bit or 64-bit offsets, be views, or be encoded by a dictionary; lists may have
 * 32-bit or 64-bit offsets. All batches are read at once and not copied: values are views into the batches, which
 * live as long as the source.
 *
 * The call always owns the stream, also on failure: it is moved out of *stream (whose release becomes NULL) and
 * released before the call returns. Offsets, counts, indices and nulls are checked; the sizes of the buffers are not
 * part of the interface, so the producer is trusted for them. */
AQ_API AQ_MUST_CHECK aq_status aq_source_open_arrow(struct ArrowArrayStream *stream, aq_source **out, aq_error *err);

/* Exports the tensors of a source as a stream of record batches with the columns of a V2 table (when the source is one)
 * or of a V1 table. A tensor of 1 MiB or more is its own batch, and its bytes are not copied where aq_source_load would
 * return a view; smaller tensors are collected in batches of up to 16 MiB. Each stored part of a large tensor is one
 * row; a tensor of more than 2^31 - 16 bytes in one piece is cut into parts. Aliases are rows like all others. The
 * schema has the metadata of the source, without arrowquant.aliases and ARROW:schema.
 *
 * The stream and each batch keep the source alive: aq_source_close may be called before they are released. The caller
 * releases *out. On failure out->release is NULL. Reading a batch reads the source, concurrently with other readers if
 * need be; one stream belongs to one thread at a time, as its specification requires. */
AQ_API AQ_MUST_CHECK aq_status aq_source_export_arrow(const aq_source *source, struct ArrowArrayStream *out,
                                                      aq_error *err);

/* ---- Reports: the results of a call
 * ------------------------------------------------------------------------------- */

typedef struct aq_report aq_report;

typedef enum aq_report_form { AQ_REPORT_JSON, AQ_REPORT_TEXT, AQ_REPORT_MARKDOWN } aq_report_form;

/* Renders the report; the JSON form is complete, the others are made from it. Free *out with aq_free. */
AQ_API AQ_MUST_CHECK aq_status aq_report_render(const aq_report *report, aq_report_form form, char **out,
                                                aq_error *err);

/* One figure of a report without parsing its JSON. `path` names a member of the document, nested members after a dot,
 * elements of an array by their index in brackets: "totals.bits_per_weight", "tensors[3].cosine". *out is the exact
 * number that the operation computed; true is 1 and false is 0. A number that JSON cannot express is null there and NaN
 * here. docs/REPORTS.md lists the stable paths. AQ_ERR_NO_MATCH names the missing part of the path and the existing
 * members; AQ_ERR_ARGUMENT: the value has another type, or the path is malformed. */
AQ_API AQ_MUST_CHECK aq_status aq_report_number(const aq_report *report, const char *path, double *out, aq_error *err);
/* The same for a text, which lives as long as the report; NULL where the report has null. */
AQ_API AQ_MUST_CHECK aq_status aq_report_text(const aq_report *report, const char *path, const char **out,
                                              aq_error *err);
/* The elements of an array, or the members of an object. */
AQ_API AQ_MUST_CHECK aq_status aq_report_count(const aq_report *report, const char *path, size_t *out, aq_error *err);
AQ_API void aq_report_free(aq_report *report);

/* ---- Converting
 * ------------------------------------------------------------------------------------------------------ */

/* How tables are written. Codec: "auto" (zstd where it saves at least 3 %), "none", "zstd", "zstd:LEVEL", "lz4",
 * "snappy", "brotli" (Brotli literals, or zstd where that is smaller: the smallest tables, slower to read). */
typedef struct aq_table_options {
  const char *codec;        /* NULL: "auto" */
  uint64_t row_group_bytes; /* 0: 64 MiB */
  uint64_t part_bytes;      /* a tensor with more bytes as FP32 becomes several rows; 0: 1 GiB */
  bool force;               /* replace an existing output */
  uint64_t reserved[8];
} aq_table_options;

typedef struct aq_convert_options {
  size_t sizeof_options;
  aq_run_options run;
  aq_table_options table;
  const char *dtype;     /* "keep" (NULL), "fp32", "fp16", "bf16": for floating-point tensors */
  bool keep_unsupported; /* keep the bytes of tensors of opaque dtypes; otherwise they are an error */
  const char *names;     /* as in aq_source_options; for a source that is open it has no effect, as in all operations */
  /* Quantized tensors, of a table or as in aq_source_options, stay as they are, and the table is a V2 table if there
   * are any. `dtype` is for the other tensors. */
  bool keep_codes;
} aq_convert_options;
static inline void aq_convert_options_init(aq_convert_options *options) { aq_options_init(options, sizeof *options); }

/* Writes the V1 table of a source, or the V2 table of its codes. `report` may be NULL. */
AQ_API AQ_MUST_CHECK aq_status aq_convert(const char *source, const char *output, const aq_convert_options *options,
                                          aq_report **report, aq_error *err);

/* The same for an open source, which stays open and unchanged. Every operation has this form too; the first form opens
 * the path, calls the second, and closes. */
AQ_API AQ_MUST_CHECK aq_status aq_convert_source(const aq_source *source, const char *output,
                                                 const aq_convert_options *options, aq_report **report, aq_error *err);

typedef struct aq_export_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *format; /* "safetensors" (NULL), "compressed-tensors", "gptq", "mlx", "gguf", "onnx" */
  const char *dtype;  /* "original" (NULL), "fp32", "fp16", "bf16": for floating-point tensors */
  bool force;
  const char *names; /* as in aq_source_options */
  bool keep_codes;   /* as in aq_source_options */
} aq_export_options;
static inline void aq_export_options_init(aq_export_options *options) { aq_options_init(options, sizeof *options); }

/* Writes every tensor of a source into another format. Aliases become tensors again. "safetensors": dequantized values,
 * in one file when `output` ends in .safetensors, else in a folder with the model's configuration and tokenizer.
 * "compressed-tensors": such a folder with the codes of linear layers; what it cannot hold is AQ_ERR_UNSUPPORTED before
 * anything is written (docs/formats/compressed-tensors.md). "gptq": the same with FP16 scales and one setting for all
 * layers (docs/formats/gptq.md). "mlx": such a folder with the codes of all matrices, for
 * MLX (docs/formats/mlx.md). "gguf": a file for llama.cpp, with the codes where a block of ggml has them
 * (docs/formats/gguf.md). "onnx": the graph of an encoder, with FP32 or FP16 values and with the codes; a file for a
 * name that ends in .onnx, else onnx/model.onnx in such a folder (docs/formats/onnx.md). */
AQ_API AQ_MUST_CHECK aq_status aq_export(const char *source, const char *output, const aq_export_options *options,
                                         aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_export_source(const aq_source *source, const char *output,
                                                const aq_export_options *options, aq_report **report, aq_error *err);

/* ---- Quantizing
 * ------------------------------------------------------------------------------------------------------ */

typedef enum aq_symmetry { AQ_SYMMETRY_DEFAULT = 0, AQ_SYMMETRIC, AQ_ASYMMETRIC } aq_symmetry;
typedef enum aq_nonfinite { AQ_NONFINITE_REFUSE = 0, AQ_NONFINITE_KEEP } aq_nonfinite;

struct aq_search_options;

/* Patterns, everywhere: an exact tensor name, a glob (* ? [...]) over the whole name, or re:REGEX (POSIX extended,
 * unanchored). A SPEC is a comma-separated list of: a type, "per=tensor|channel|group", "group=N", "sym", "asym",
 * "method=minmax|mse|gptq"; or "keep", or "auto". Later rules win. */
typedef struct aq_quantize_options {
  size_t sizeof_options;
  aq_run_options run;
  aq_table_options table;
  const char *type; /* "int8" (NULL), "int4", "int3", "int2", "fp16", "bf16", "fp32"; "auto" (NULL with a target) */
  const char *granularity; /* NULL: channel for int8, group for the others; "tensor", "channel", "group" */
  uint32_t group_size;     /* 0: 64, when the granularity is group */
  aq_symmetry symmetry;    /* default: symmetric for int8, asymmetric for the others */
  const char *method;      /* NULL: "minmax" for int8, "mse" for the others */
  aq_nonfinite nonfinite;
  bool quantize_1d; /* also quantize 1-D and small tensors */
  bool allow_requantize;
  bool strict;  /* AQ_ERR_DEGRADED when a matrix was not quantized and no rule of the caller keeps it */
  bool dry_run; /* plan only: nothing is written, `output` may be NULL */
  const char *const *tensor_rules; /* "PATTERN=SPEC" */
  size_t tensor_rule_count;
  const char *const *keep_patterns;
  size_t keep_pattern_count;
  const char *plan_path;      /* read the plan from this file instead of the options above, or NULL */
  const char *save_plan_path; /* write the plan there, or NULL */

  /* Bit allocation for tensors of type auto: their types, granularities and scales meet the target. At most one: */
  uint64_t target_size;  /* maximum bytes of the file, including all overhead; 0: no such target */
  double target_bpw;     /* maximum bits per quantized weight, including scales and page headers; 0: none */
  double min_similarity; /* minimum mean cosine of embeddings with the original's, at the smallest size; 0: none */
  /* Calibration texts: "builtin", "self" (those that a language model writes itself; AQ_ERR_ARGUMENT for an encoder),
   * "none" (data-free), or a file with one text per line. NULL: "builtin" for an encoder that can be run, otherwise
   * "none". */
  const char *calib;
  aq_text_list calib_texts;               /* instead of a file */
  const struct aq_search_options *search; /* arrowquant_experimental.h: statistics, tuning, inputs of layers; or NULL */
  /* Keep the bytes of tensors of opaque dtypes. Otherwise they are an error, unless a keep pattern matches them. */
  bool keep_unsupported;
  /* A target as those above, of a language model that can be run: maximum mean KL divergence from the original's
   * predictions on held-out calibration texts, in nats per token, at the smallest size; 0: none. calib NULL is
   * "builtin" then. */
  double max_kl;
  const char *names; /* as in aq_source_options */
  /* NULL, or the format ("gguf", "compressed-tensors", "mlx") that the table is to be exported to: only what it has
   * codes of is quantized, and scales and zero points are such that the export loses nothing. Targets count the
   * exported file. What is left open of symmetry and groups is what the format has: symmetric, of "gguf" groups of 32.
   */
  const char *for_format;
  bool keep_codes; /* keep quantized tensors, of a table or as in aq_source_options, where no rule names them */
} aq_quantize_options;
static inline void aq_quantize_options_init(aq_quantize_options *options) { aq_options_init(options, sizeof *options); }

/* Writes the quantized V2 table of a source. `report` may be NULL; it lists every tensor, its stored type and the rule
 * for it. */
AQ_API AQ_MUST_CHECK aq_status aq_quantize(const char *source, const char *output, const aq_quantize_options *options,
                                           aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_quantize_source(const aq_source *source, const char *output,
                                                  const aq_quantize_options *options, aq_report **report,
                                                  aq_error *err);

/* ---- Information and checks
 * -------------------------------------------------------------------------------------------- */

typedef struct aq_info_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *names; /* as in aq_source_options */
  bool keep_codes;   /* as in aq_source_options */
} aq_info_options;
static inline void aq_info_options_init(aq_info_options *options) { aq_options_init(options, sizeof *options); }

/* Describes a source: tensors, types, sizes, bits per weight, metadata. */
AQ_API AQ_MUST_CHECK aq_status aq_info(const char *source, const aq_info_options *options, aq_report **report,
                                       aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_info_source(const aq_source *source, const aq_info_options *options,
                                              aq_report **report, aq_error *err);

typedef struct aq_verify_options {
  size_t sizeof_options;
  aq_run_options run;
  bool deep;           /* also decode every value */
  const char *against; /* NULL, or the model of the table: both must have the same tensors, shapes, and bytes where not
                          quantized, except for tensors that arrowquant.adjusted names */
  const aq_source *against_source; /* the same, already open */
  const char *names;               /* of both, as in aq_source_options */
} aq_verify_options;
static inline void aq_verify_options_init(aq_verify_options *options) { aq_options_init(options, sizeof *options); }

/* Checks every page CRC and the lengths of every row. AQ_OK when no damage was found; otherwise the report lists all
 * damage and is returned together with the error. */
AQ_API AQ_MUST_CHECK aq_status aq_verify(const char *source, const aq_verify_options *options, aq_report **report,
                                         aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_verify_source(const aq_source *source, const aq_verify_options *options,
                                                aq_report **report, aq_error *err);

typedef struct aq_compare_options {
  size_t sizeof_options;
  aq_run_options run;
  double min_cosine;      /* AQ_ERR_THRESHOLD when the mean cosine of the quantized tensors is below; 0: no threshold */
  bool outputs;           /* also run both, and compare their embeddings of texts, of cross-encoders their scores of
                             pairs or, of language models, their predictions of the next token; implied by everything
                             below but `folder` */
  const char *texts_file; /* one text per line, or JSONL (aq_text_reader_open); NULL: the built-in texts. Of
                             cross-encoders lines with a tab in each are pairs; other texts are combined to pairs */
  const char *labels_file; /* lines of TEXT, tab, TEXT, tab, similarity score; NULL: none */
  const char *folder;      /* of config.json and the tokenizer of both; NULL: as aq_encoder_open finds them */
  aq_text_list texts;      /* instead of texts_file */
  /* Of language models only; texts are then one running text, with a line feed between them: */
  uint32_t context;        /* tokens of a window, whose second half counts, at least 8; 0: 512 */
  uint32_t windows;        /* at most so many, 0: all that the text fills */
  double max_kl;           /* AQ_ERR_THRESHOLD when the mean KL divergence is above, in nats per token; 0: no limit */
  double max_ppl_increase; /* the same for the perplexity, in percent above that of the reference */
  const char *names;       /* of both, as in aq_source_options; NULL: "auto" when both are run, else "file" */
} aq_compare_options;
static inline void aq_compare_options_init(aq_compare_options *options) { aq_options_init(options, sizeof *options); }

/* Per-tensor and total agreement of two sources with the same tensors: cosine, SNR, RMSE, largest error. The report is
 * also returned with AQ_ERR_THRESHOLD, and with AQ_ERR_FORMAT when the sources do not have the same tensors. */
AQ_API AQ_MUST_CHECK aq_status aq_compare(const char *reference, const char *other, const aq_compare_options *options,
                                          aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_compare_sources(const aq_source *reference, const aq_source *other,
                                                  const aq_compare_options *options, aq_report **report, aq_error *err);

typedef struct aq_validate_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *types;      /* comma-separated; NULL: "int8,int4,int2" */
  const char *output_dir; /* NULL: "validation_results"; with keep_tables, also for the tables */
  bool keep_tables;
  bool no_outputs; /* do not run the model. Otherwise outputs are compared when it can be run; when it cannot, the
                      report has the reason, and the call fails if one of those below is set that need them */
  const char *texts_file, *labels_file, *folder; /* as in aq_compare_options */
  bool keep_unsupported;                         /* as in aq_quantize_options */
  aq_text_list texts;                            /* as in aq_compare_options */
  uint32_t context, windows;                     /* as in aq_compare_options */
  double max_kl, max_ppl_increase;               /* the same: criteria for each type */
} aq_validate_options;
static inline void aq_validate_options_init(aq_validate_options *options) { aq_options_init(options, sizeof *options); }

/* Converts, quantizes to each type, reads back, measures, applies the acceptance criteria, writes
 * OUTPUT_DIR/validation.json and OUTPUT_DIR/validation_summary.md. AQ_ERR_THRESHOLD when a criterion fails; the report
 * is returned then too. */
AQ_API AQ_MUST_CHECK aq_status aq_validate(const char *model, const aq_validate_options *options, aq_report **report,
                                           aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_validate_source(const aq_source *model, const aq_validate_options *options,
                                                  aq_report **report, aq_error *err);

/* ---- Tokenizing
 * ------------------------------------------------------------------------------------------------------ */

/* A tokenizer: WordPiece, as in models of the BERT family, Unigram, as in multilingual ones, BPE, as in language
 * models, or WordLevel. Several threads may use one at once. The ids are those that sentence-transformers gives to the
 * same model; docs/TOKENIZER.md lists every key of its files. */
typedef struct aq_tokenizer aq_tokenizer;

/* Opens the tokenizer of a model. `path` is a folder with a tokenizer.json or else a vocab.txt, or else vocab.json and
 * merges.txt, or else a model of SentencePiece (tokenizer.model, sentencepiece.bpe.model, spiece.model, spm.model); a
 * model in such a folder or its name in the Hugging Face cache, as for aq_source_open; a GGUF file; a table that was
 * made from such a model and carries its tokenizer; or a tokenizer.json, a vocab.txt or a NAME.model under any name. A
 * tokenizer.json alone gives the ids of the library `tokenizers`. AQ_ERR_UNSUPPORTED names the reason: a tokenizer of
 * another kind, a key whose value is not supported. On success the caller owns *out. */
AQ_API AQ_MUST_CHECK aq_status aq_tokenizer_open(const char *path, aq_tokenizer **out, aq_error *err);
/* The tokenizer of an open source, from its metadata or beside it. The source may be closed afterwards. */
AQ_API AQ_MUST_CHECK aq_status aq_tokenizer_open_source(const aq_source *source, aq_tokenizer **out, aq_error *err);
AQ_API void aq_tokenizer_close(aq_tokenizer *tokenizer);

/* One past the largest id of the tokenizer: the number of rows that its embedding table needs. */
AQ_API int32_t aq_tokenizer_id_end(const aq_tokenizer *tokenizer);

/* A growing array of ids. Zero-initialise; release with aq_free(ids.ids). */
typedef struct aq_token_ids {
  int32_t *ids;
  size_t count, capacity;
  uint64_t reserved[2];
} aq_token_ids;

/* Appends the ids of a text of `length` bytes to *ids; on failure the count stays as it was. `add_special` puts the
 * special tokens of the model around the text. At most max_tokens ids are appended, special tokens included (0: no
 * limit); a longer text is truncated at its end, or at its beginning when the tokenizer is configured so.
 *
 * The text is UTF-8, zeros included. Where it is not, each maximal subpart of an ill-formed sequence counts as U+FFFD
 * (Unicode, section 3.9), which BERT's normalization drops. AQ_ERR_ARGUMENT when max_tokens has no room for the special
 * tokens. */
AQ_API AQ_MUST_CHECK aq_status aq_tokenizer_encode(const aq_tokenizer *tokenizer, const char *text, size_t length,
                                                   uint32_t max_tokens, bool add_special, aq_token_ids *ids,
                                                   aq_error *err);

/* ---- Embedding
 * ------------------------------------------------------------------------------------------------------- */

/* A sentence encoder of the BERT family (docs/EMBEDDING.md has the model types): texts
 * become the vectors that sentence-transformers computes from the same files. Weights may be stored in any format of a
 * source. One thread at a time may use an encoder; it has its own worker threads. */
typedef struct aq_encoder aq_encoder;

typedef struct aq_encoder_options {
  size_t sizeof_options;
  uint32_t threads;      /* 0: the CPUs this process may use; the result does not depend on it */
  uint32_t max_tokens;   /* of a text, special tokens included; 0: the limit in the model's files */
  const char *compute;   /* "fp32" (NULL): weights as FP32; "int8": weights and inputs of the layers as codes of 8 bits,
                            several times faster, see docs/EMBEDDING.md */
  const char *folder;    /* of config.json and the tokenizer; NULL: in the table, or beside the weights */
  bool normalize;        /* scale every vector to length 1, even when the model does not */
  uint32_t truncate_dim; /* keep the first values of a vector, before `normalize`; 0: what the model's files say */
} aq_encoder_options;
static inline void aq_encoder_options_init(aq_encoder_options *options) { aq_options_init(options, sizeof *options); }

/* Opens an encoder: `path` as for aq_source_open. A table that was made from a model's folder needs no other files.
 * AQ_ERR_UNSUPPORTED names the architecture of the model and those that can be run; a missing tensor or a wrong shape
 * is an error with the name of the tensor. The second form opens the encoder of a source and has a reference to it: the
 * source may be closed before the encoder. No tensor may be added to it meanwhile. */
AQ_API AQ_MUST_CHECK aq_status aq_encoder_open(const char *path, const aq_encoder_options *options, aq_encoder **out,
                                               aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_encoder_open_source(const aq_source *source, const aq_encoder_options *options,
                                                      aq_encoder **out, aq_error *err);
AQ_API void aq_encoder_close(aq_encoder *encoder);

AQ_API uint32_t aq_encoder_dimension(const aq_encoder *encoder);  /* of a vector */
AQ_API uint32_t aq_encoder_width(const aq_encoder *encoder);      /* of a vector before it is truncated to that */
AQ_API uint32_t aq_encoder_max_tokens(const aq_encoder *encoder); /* of a text, special tokens included */

/* Notes for the users of the vectors, one line each: a head that is not run, unknown keys of the configuration, weights
 * of another dtype. The encoder owns note i; NULL when out of range. */
AQ_API size_t aq_encoder_note_count(const aq_encoder *encoder);
AQ_API const char *aq_encoder_note(const aq_encoder *encoder, size_t i);

/* The vectors of texts given as token ids: text i has lengths[i] ids, special tokens included; the ids of all texts
 * follow each other in `ids`. out: texts x dimension. AQ_ERR_ARGUMENT when a text is empty or longer than max_tokens,
 * or an id is not in the vocabulary; AQ_ERR_NONFINITE when a vector would be NaN or infinite, naming text and tensor.
 */
AQ_API AQ_MUST_CHECK aq_status aq_encoder_encode_ids(aq_encoder *encoder, const int32_t *ids, const uint32_t *lengths,
                                                     size_t texts, float *out, aq_error *err);

/* The same for texts in UTF-8; lengths[i] bytes each, NULL when all end with a zero. A text is truncated to max_tokens.
 * The first call opens the tokenizer. */
AQ_API AQ_MUST_CHECK aq_status aq_encoder_encode_texts(aq_encoder *encoder, const char *const *texts,
                                                       const size_t *lengths, size_t count, float *out, aq_error *err);

/* The prompt for every text, as sentence-transformers chooses it: `prompt` if it is not NULL, else the prompt `name` of
 * the model's config_sentence_transformers.json, else (both NULL) its default prompt; "" when there is none. *out is
 * `prompt` or belongs to the encoder. AQ_ERR_ARGUMENT lists the existing names; AQ_ERR_UNSUPPORTED: the model's pooling
 * leaves prompts out. The functions above add no prompt. */
AQ_API AQ_MUST_CHECK aq_status aq_encoder_prompt(aq_encoder *encoder, const char *name, const char *prompt,
                                                 const char **out, aq_error *err);

/* ---- Texts of a file
 * -------------------------------------------------------------------------------------------------
 */

/* Reads a file of texts as all operations do: one text per line, UTF-8, or one JSON object per line with the text as a
 * member. docs/EMBEDDING.md has the rules. */
typedef struct aq_text_reader aq_text_reader;

/* path "-" is standard input. field: lines are JSON objects, and this member is the text. NULL: lines are texts, except
 * in NAME.jsonl, NAME.ndjson and NAME.json, where they are objects with a member "text". */
AQ_API AQ_MUST_CHECK aq_status aq_text_reader_open(const char *path, const char *field, aq_text_reader **out,
                                                   aq_error *err);
AQ_API void aq_text_reader_close(aq_text_reader *reader);

/* *text and its length in bytes, valid until the next call, followed by a zero that *length does not count; NULL after
 * the last. Lines that are not UTF-8 are returned unchanged (the tokenizer repairs them) and counted. */
AQ_API AQ_MUST_CHECK aq_status aq_text_reader_next(aq_text_reader *reader, const char **text, size_t *length,
                                                   aq_error *err);
AQ_API uint64_t aq_text_reader_broken(const aq_text_reader *reader); /* lines that were not UTF-8 */

typedef struct aq_embed_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *compute, *folder; /* these four as in aq_encoder_options */
  uint32_t max_tokens;
  bool normalize;
  aq_text_list texts; /* first all of these */
  const char *input;  /* then the texts of this file; "-" is standard input; NULL: none */
  const char *field;  /* of aq_text_reader_open; lines that are not UTF-8 are refused */
  const char *output; /* NAME.npy: an array of FP32 as NumPy stores it; NAME.parquet: columns text and embedding; any
                         other name: JSONL, one {"text", "embedding"} per line; NULL: JSONL is passed to `write` */
  bool force;         /* replace an existing output */
  aq_status (*write)(void *ctx, const void *bytes, size_t size, aq_error *err);
  void *write_ctx;
  const char *prompt_name, *prompt;          /* see aq_encoder_prompt; the output has the texts without it */
  void (*note)(void *ctx, const char *text); /* called with each note of the encoder, before the first vector; NULL:
                                                only the report has them */
  void *note_ctx;
  uint32_t truncate_dim; /* as in aq_encoder_options */
} aq_embed_options;
static inline void aq_embed_options_init(aq_embed_options *options) { aq_options_init(options, sizeof *options); }

/* Embeds texts from a list or a file into a file of vectors, in bounded memory. `report` may be NULL. */
AQ_API AQ_MUST_CHECK aq_status aq_embed(const char *model, const aq_embed_options *options, aq_report **report,
                                        aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_embed_source(const aq_source *model, const aq_embed_options *options,
                                               aq_report **report, aq_error *err);

#ifdef __cplusplus
}
#endif
#endif
