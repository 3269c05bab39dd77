/* source.h - a format that hands out tensors: what it implements, and what every source gets for it.
 *
 * A tensor is stored in one or more segments (more than one only for the part rows of FORMAT.md), each with its own
 * bytes and scales. A format fills in tensors and segments at opening, and reads ranges of bytes of one segment;
 * joining, dequantizing, views and lookups are done once, in source.c. */
#ifndef AQ_IO_SOURCE_H
#define AQ_IO_SOURCE_H

#include <stdatomic.h>

#include "arrowquant.h"
#include "core/compiler.h"
#include "core/file.h"
#include "core/strmap.h"

typedef enum aq_piece { AQ_PIECE_DATA, AQ_PIECE_SCALES, AQ_PIECE_ZERO_POINTS } aq_piece;

typedef struct aq_segment {
  uint64_t first_param, num_params; /* elements of the tensor that it holds */
  uint64_t num_scales;
  uint64_t data_bytes;
  bool f16_bits;     /* tolerance of FORMAT.md: dtype says float32, data holds FP16 */
  uint64_t where[4]; /* the format's own (file number and offset; row group and row) */
} aq_segment;

/* How the codes of a tensor would lie in a row of FORMAT.md. */
typedef struct aq_code_layout {
  aq_quant_type type; /* AQ_KEPT: no row has such codes */
  uint64_t span; /* values of the flattened tensor that share a scale, >= 1; a divisor of a slice of axis 0, or all */
} aq_code_layout;

typedef struct aq_source_ops {
  void (*close)(aq_source *source); /* frees impl only */
  /* Bytes [offset, offset+size) of a piece of a segment. Any thread. */
  aq_status (*read)(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset, size_t size,
                    void *out, aq_error *err);
  /* A view of a whole piece, or *view = NULL when the bytes are not there in one piece uncompressed. Any thread. */
  aq_status (*view)(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                    aq_error *err);
  /* At opening: the tensors of another file of the format too, each name behind the prefix. NULL: the format has none.
   */
  aq_status (*add_file)(aq_source *source, const char *path, const char *prefix, aq_error *err);
  /* Of a format that decodes codes, else NULL: whether the values of a tensor are made of codes when they are read. */
  bool (*is_decoded)(const aq_source *source, size_t index);
  /* The codes of such a tensor, of one segment. Whether the formula of FORMAT.md gives all of its values is for
   * source_codes.h to find out. Any thread. */
  aq_status (*find_codes)(const aq_source *source, size_t index, aq_code_layout *out, aq_error *err);
  /* Of a tensor with such a layout: codes of elements [first, first + count) of the segment, in the range of the type;
   * scales and zero points [first, first + count), of which one may be NULL. Any thread. */
  aq_status (*read_codes)(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count, int8_t *out,
                          aq_error *err);
  aq_status (*read_code_scales)(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                                float *scales, float *zero_points, aq_error *err);
} aq_source_ops;

struct aq_source {
  const aq_source *base; /* of an overlay: what it lies over, a hold; or NULL */
  const aq_source_ops *ops;
  void *impl;
  char *path;
  char *folder;       /* of the model's small files, where it is not the one that holds `path`; else NULL */
  const char *format; /* see aq_source_format */
  int schema_version;
  uint64_t file_bytes;
  uint64_t max_memory;
  aq_tensor_info *tensors;
  char **names;            /* owned; tensors[i].name points here */
  uint32_t *segment_first; /* tensor_count + 1 entries into segments */
  aq_segment *segments;
  size_t tensor_count, segment_count;
  aq_strmap index;
  char **metadata; /* key, value, key, value, ... ; owned */
  size_t metadata_count;
  uint64_t metadata_bytes;          /* of the files, where they hold the metadata in a form of their own; else 0 */
  struct aq_carried_files *carried; /* the model's files that travel with a table made from it: model_files.h */
  char **notes;                     /* what a reader should be told ("column 'x' is not part of the schema") */
  size_t note_count;
  char *partial;     /* in words, when it is a part of a model or table: "is shard 1 of 3 of a model"; owned; or NULL */
  const char *whole; /* with partial: what to name instead, a hint */
  aq_file_id *files; /* all that it reads */
  size_t file_count;
  char *edited_place; /* a file of the model that reads otherwise than it is stored, and its text; owned, or NULL */
  char *edited_text;
  bool keeps_codes;        /* is being opened so: no format says that it decodes, source_codes.h says what happened */
  bool prequantized_known; /* aq_prequantized_note has looked at all tensors */
  /* From here on an overlay has its own. */
  atomic_long more_holds; /* besides the opener's */
  void (*on_release)(void *ctx);
  void *on_release_ctx;
};

/* Another hold on a source, and the end of one. How many there are is no part of what a source says, so that who only
 * reads it can hold it. Any thread. */
void aq_source_hold(const aq_source *source);
void aq_source_drop(const aq_source *source); /* NULL is fine */

/* A source of an operation's own over `base`, which stays as it is: it takes notes of the operation, and puts together
 * the files that travel along. Its tensors are `tied` (of aq_source_find_ties; taken over whatever happens), or NULL: a
 * copy of those of `base`. It holds `base`; the caller closes *out. */
AQ_MUST_CHECK aq_status aq_source_overlay(const aq_source *base, aq_tensor_info *tied, aq_source **out, aq_error *err);
/* The two together. */
AQ_MUST_CHECK aq_status aq_source_overlay_tied(const aq_source *base, aq_source **out, aq_error *err);

/* For formats: building up a source. Names and metadata are copied. The tensor's name must be new. */
AQ_MUST_CHECK aq_status aq_source_add_tensor(aq_source *source, const aq_tensor_info *info, const aq_segment *segments,
                                             size_t segment_count, aq_error *err);
AQ_MUST_CHECK aq_status aq_source_add_metadata(aq_source *source, const char *key, const char *value, aq_error *err);
void aq_source_drop_carried(aq_source *source); /* to be put together anew */
AQ_MUST_CHECK aq_status aq_source_add_note(aq_source *source, aq_error *err, const char *format, ...) AQ_PRINTF(3, 4);

/* For formats that read more files than the one that was opened: the source reads this one too. */
AQ_MUST_CHECK aq_status aq_source_note_file(aq_source *source, const char *path, aq_error *err);
/* True when the path is a file that the source reads. */
bool aq_source_reads_file(const aq_source *source, const char *path);

/* Fails when a tensor has no such elements, or none that can be read as numbers. */
AQ_MUST_CHECK aq_status aq_source_check_range(const aq_source *source, size_t index, uint64_t first, uint64_t count,
                                              aq_error *err);

/* Raw bytes of the data of a tensor of one segment or of byte-aligned segments, without dequantizing. */
AQ_MUST_CHECK aq_status aq_source_read_bytes(const aq_source *source, size_t index, uint64_t offset, size_t size,
                                             void *out, aq_error *err);

/* Scales, or zero points, [first, first + count) of a quantized tensor. AQ_ERR_UNSUPPORTED: those of its parts are not
 * those of the tensor. */
AQ_MUST_CHECK aq_status aq_source_read_scales(const aq_source *source, size_t index, aq_piece piece, uint64_t first,
                                              size_t count, float *out, aq_error *err);

/* Calls fn(ctx, scales, zero_points, count, err) for all of them, some thousand at a time, in their order. */
typedef aq_status (*aq_scales_fn)(void *ctx, const float *scales, const float *zero_points, size_t count,
                                  aq_error *err);
AQ_MUST_CHECK aq_status aq_source_each_scale(const aq_source *source, size_t index, aq_scales_fn fn, void *ctx,
                                             aq_error *err);

/* A copy of the source's tensors in which those with the same dtype, shape and bytes as an earlier one have alias_of
 * set (tied weights), as well as those of which the file says so: by hash, then by comparing the bytes. Tensors under 1
 * KiB are not looked at. Free *tied with aq_free; names are the source's. */
AQ_MUST_CHECK aq_status aq_source_find_ties(const aq_source *source, aq_tensor_info **tied, aq_error *err);

/* How a format opens a file: false in *mine when the file is not of this format (and AQ_OK). formats.h has them all. */
typedef aq_status (*aq_source_opener)(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                                      aq_error *err);

/* A table in parts: the folder that aq_locate_file gave. */
AQ_MUST_CHECK aq_status aq_table_open_folder(aq_source *source, const char *folder, const aq_source_options *options,
                                             aq_error *err);

/* The Parquet files of a table; 0 of any other source. */
size_t aq_table_file_count(const aq_source *source);
const char *aq_table_file(const aq_source *source, size_t i);

/* Opens a source within the memory limit of the run (NULL: defaults), with names of GGUF tensors as aq_source_options
 * has them. */
AQ_MUST_CHECK aq_status aq_open_for_run(const char *path, const aq_run_options *run, const char *names, aq_source **out,
                                        aq_error *err);

#endif
