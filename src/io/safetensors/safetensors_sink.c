/* safetensors_sink.c - one .safetensors file as a sink: rows are declared to the writer, then written in order. */
#include "io/safetensors/safetensors_sink.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/safetensors/safetensors_writer.h"

enum { LEAST_BLOCKS = 8 }; /* that are filled side by side */

typedef struct safetensors_sink {
  aq_sink base;
  aq_safetensors_writer *file;
  aq_pool *pool;
  uint8_t *room; /* of filled blocks; made when first needed */
  size_t blocks; /* that it has room for */
} safetensors_sink;

static safetensors_sink *as_safetensors(aq_sink *sink) { return (safetensors_sink *)(void *)sink; }

/* ---- rows ---- */

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  AQ_FAIL_IF(row->quant_type != AQ_KEPT, AQ_ERR_UNSUPPORTED, "safetensors files have no %s codes",
             aq_quant_type_name(row->quant_type));
  AQ_FAIL_IF(row->rank < 0 || row->rank > AQ_MAX_RANK, AQ_ERR_ARGUMENT, "its rank is wrong");
  aq_tensor_info info = {.name = row->name, .dtype = row->dtype, .rank = row->rank};
  memcpy(info.shape, row->shape, (size_t)row->rank * sizeof *row->shape);
  return aq_safetensors_writer_declare(as_safetensors(sink)->file, &info, err);
}

static aq_status put_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  return aq_safetensors_writer_metadata(as_safetensors(sink)->file, key, value, err);
}

/* Blocks of a large row, filled side by side and written in order. */
typedef struct filled_blocks {
  const aq_row *row;
  uint64_t first; /* offset of the first one */
  uint8_t *room;  /* AQ_FILL_BLOCK for each */
} filled_blocks;

static size_t block_size(const aq_row *row, uint64_t offset) {
  return (size_t)AQ_MIN(row->data_bytes - offset, (uint64_t)AQ_FILL_BLOCK);
}

static aq_status fill_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const filled_blocks *f = ctx;
  const uint64_t offset = f->first + item * AQ_FILL_BLOCK;
  return f->row->fill(f->row->fill_ctx, offset, block_size(f->row, offset), f->room + item * AQ_FILL_BLOCK, worker,
                      err);
}

static aq_status fill_blocks(const safetensors_sink *s, filled_blocks *f, uint64_t count, aq_error *err) {
  if (s->pool != NULL) return aq_pool_run(s->pool, count, fill_block, f, err);
  for (uint64_t i = 0; i < count; i++) AQ_TRY(fill_block(f, i, 0, err));
  return AQ_OK;
}

static aq_status need_room(safetensors_sink *s, aq_error *err) {
  if (s->room != NULL) return AQ_OK;
  s->blocks = AQ_MAX(2 * (size_t)(s->pool != NULL ? aq_pool_threads(s->pool) : 1), (size_t)LEAST_BLOCKS);
  s->room = aq_malloc(s->blocks * AQ_FILL_BLOCK);
  return s->room != NULL ? AQ_OK : aq_fail_memory(err, s->blocks * AQ_FILL_BLOCK);
}

static aq_status write_large_row(safetensors_sink *s, const aq_row *row, aq_error *err) {
  AQ_TRY(need_room(s, err));
  filled_blocks f = {.row = row, .room = s->room};
  while (f.first < row->data_bytes) {
    const uint64_t size = AQ_MIN(row->data_bytes - f.first, (uint64_t)(s->blocks * AQ_FILL_BLOCK));
    AQ_TRY(fill_blocks(s, &f, aq_div_up(size, AQ_FILL_BLOCK), err));
    AQ_TRY(aq_safetensors_writer_write(s->file, f.room, (size_t)size, err));
    f.first += size;
  }
  return AQ_OK;
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  safetensors_sink *s = as_safetensors(sink);
  if (row->fill != NULL) return write_large_row(s, row, err);
  return aq_safetensors_writer_write(s->file, row->data.data, row->data.size, err);
}

/* ---- beginning and end ---- */

static aq_status create_file(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err) {
  safetensors_sink *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  s->base.type = &aq_safetensors_sink;
  s->pool = options->pool;
  const aq_status status = aq_safetensors_writer_begin(path, options->table->force, &s->file, err);
  if (status == AQ_OK) {
    *out = &s->base;
  } else {
    aq_free(s);
  }
  return status;
}

static aq_status commit_file(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  safetensors_sink *s = as_safetensors(sink);
  const aq_status status = aq_safetensors_writer_commit(s->file, file_bytes, err);
  aq_free(s->room);
  aq_free(s);
  return status;
}

static void abort_file(aq_sink *sink) {
  safetensors_sink *s = as_safetensors(sink);
  aq_safetensors_writer_abort(s->file);
  aq_free(s->room);
  aq_free(s);
}

const aq_sink_type aq_safetensors_sink = {.header_first = true,
                                          .is_export = true,
                                          .held_bytes = (uint64_t)1 << 20,
                                          .create = create_file,
                                          .declare = declare_row,
                                          .add = add_row,
                                          .metadata = put_metadata,
                                          .commit = commit_file,
                                          .abort = abort_file};
