/* sink.h - where rows go: what an output format implements, and the calls by which a transform writes to it.
 *
 * The calls come in this order: aq_sink_create; aq_sink_declare for every row; rows and metadata; commit or abort. A
 * format whose header stands before the data has its metadata before the first row; every other one takes them at any
 * time. What a format cannot hold is known from a row without its bytes, so that nothing is begun that cannot end. */
#ifndef AQ_IO_SINK_H
#define AQ_IO_SINK_H

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/pool.h"

/* Gives bytes [offset, offset + size) of the data of a large row. Called from the pool's workers, in no fixed order,
 * possibly more than once for a range; offset is a multiple of AQ_FILL_BLOCK. */
#define AQ_FILL_BLOCK ((size_t)3 << 18) /* 768 KiB: whole bytes and whole runs of 8 elements at any number of bits */
typedef aq_status (*aq_fill_fn)(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err);

/* A tensor, or a part of one along axis 0, as it is stored. For a large row `fill` and data_bytes are set and `data` is
 * empty. */
typedef struct aq_row {
  const char *name;
  aq_dtype dtype; /* quantized: of the original tensor; kept: of the bytes in data */
  int32_t rank;
  const int64_t *shape;
  uint64_t num_params;
  aq_quant_type quant_type;
  int32_t quant_axis, group_size;
  bool budgeted; /* a target was met with the sizes of data, scales and zero points: the codec is theirs to decide */
  aq_buffer data, scales, zero_points;
  aq_fill_fn fill;
  void *fill_ctx;
  uint64_t data_bytes;
} aq_row;
void aq_row_reset(aq_row *row);

typedef struct aq_sink_options {
  const aq_table_options *table;  /* what a format has no use for is ignored */
  int schema_version;             /* of a weight table: 1 or 2 */
  const struct aq_source *source; /* of the rows: a format with a layout finds there what a row does not have */
  aq_pool *pool;                  /* compresses and fills; borrowed. NULL: the calling thread alone */
} aq_sink_options;

typedef struct aq_sink aq_sink;

/* An output format. Each function that fails leaves the sink to be aborted; commit frees it whatever happens. */
typedef struct aq_sink_type {
  bool header_first;   /* metadata must come before the first row */
  bool has_parts;      /* a large tensor may come as several rows */
  bool is_export;      /* holds plain tensors for other programs: aq_export writes it */
  uint64_t held_bytes; /* a row with more data comes with `fill`: what is written at once is better made in the cache;
                          0: the format holds rows anyway, as many as memory allows */
  aq_status (*create)(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err);
  /* Fails when the format cannot hold such a row; its bytes are not there yet. */
  aq_status (*declare)(aq_sink *sink, const aq_row *row, aq_error *err);
  /* The next of the declared rows. The buffers may be taken over. */
  aq_status (*add)(aq_sink *sink, aq_row *row, aq_error *err);
  aq_status (*metadata)(aq_sink *sink, const char *key, const char *value, aq_error *err);
  aq_status (*commit)(aq_sink *sink, uint64_t *file_bytes, aq_error *err);
  void (*abort)(aq_sink *sink);
} aq_sink_type;

/* What every sink begins with. */
struct aq_sink {
  const aq_sink_type *type;
};

/* The file appears under its name at the commit. An output that exists is AQ_ERR_EXISTS, unless force is set. */
AQ_MUST_CHECK aq_status aq_sink_create(const aq_sink_type *type, const char *path, const aq_sink_options *options,
                                       aq_sink **out, aq_error *err);
/* An error names the tensor. */
AQ_MUST_CHECK aq_status aq_sink_declare(aq_sink *sink, const aq_row *row, aq_error *err);
/* Checks the row and writes it. Its buffers are emptied whatever happens; an error names the tensor. */
AQ_MUST_CHECK aq_status aq_sink_add(aq_sink *sink, aq_row *row, aq_error *err);
/* Copied. */
AQ_MUST_CHECK aq_status aq_sink_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err);
/* Frees the sink whatever happens. file_bytes may be NULL. */
AQ_MUST_CHECK aq_status aq_sink_commit(aq_sink *sink, uint64_t *file_bytes, aq_error *err);
void aq_sink_abort(aq_sink *sink); /* NULL is fine; nothing is left of the output */

#endif
