/* table_job.c - tensors in, rows out, in batches.
 *
 * Consecutive tensors make a batch of bounded size; its blocks are worked on by all threads, then its rows are handed
 * to the writer in order. A row too large to be held is a batch of its own: its scales are found first, its data is
 * made again block by block while the writer writes it. Memory is that of a batch, whatever the model's size. */
#include "transform/table_job.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/table/table_writer.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "transform/output_check.h"
#include "transform/row_job.h"
#include "transform/table_job_metadata.h"

#define MIB ((uint64_t)1 << 20)
#define DEFAULT_BATCH_BYTES (64 * MIB) /* of the source as FP32 */
#define DEFAULT_LARGE_BYTES (32 * MIB) /* of a row's data */
#define BATCH_ROWS 4096                /* small tensors: bounds the bookkeeping */
#define WORKER_BYTES (8 * MIB)         /* scratch of ours, and the writer's window, for each thread */
#define SLICE_BLOCKS 64                /* between two looks at the progress callback */

typedef struct writer_state {
  const aq_table_job *job;
  aq_pool *pool;
  aq_table_writer *writer;
  aq_scratch *scratch; /* one a worker */
  aq_progress progress;
  uint64_t part_bytes, batch_bytes, large_bytes;
  aq_row_job *rows; /* the batch */
  size_t row_count;
  uint64_t batched; /* bytes in it */
  /* blocks of the batch: row of each block, by prefix sums */
  uint64_t *block_first; /* BATCH_ROWS + 1 */
} writer_state;

/* ---- blocks of a batch ---- */

static size_t row_of_block(const writer_state *w, uint64_t block) {
  size_t lo = 0, hi = w->row_count;
  while (hi - lo > 1) {
    const size_t middle = lo + (hi - lo) / 2;
    if (w->block_first[middle] <= block) {
      lo = middle;
    } else {
      hi = middle;
    }
  }
  return lo;
}

typedef struct slice {
  const writer_state *w;
  uint64_t first;
  uint64_t *bad; /* a block of the slice each */
} slice;

static aq_status do_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const slice *s = ctx;
  const uint64_t block = s->first + item;
  const size_t row = row_of_block(s->w, block);
  return aq_row_job_block(&s->w->rows[row], block - s->w->block_first[row], &s->w->scratch[worker], &s->bad[item], err);
}

/* Progress of source bytes: by blocks, as they are about equal. */
static aq_status tell_progress(writer_state *w, uint64_t blocks_done, uint64_t blocks_total, uint64_t *told,
                               aq_error *err) {
  const uint64_t now = blocks_total == 0 ? w->batched : w->batched / blocks_total * blocks_done;
  const uint64_t more = blocks_done == blocks_total ? w->batched - *told : now - *told;
  *told += more;
  return aq_progress_add(&w->progress, NULL, 0, more, err);
}

static aq_status run_blocks(writer_state *w, aq_error *err) {
  uint64_t bad[SLICE_BLOCKS], told = 0;
  w->block_first[0] = 0;
  for (size_t i = 0; i < w->row_count; i++) w->block_first[i + 1] = w->block_first[i] + w->rows[i].block_count;
  const uint64_t total = w->block_first[w->row_count];
  for (uint64_t first = 0; first < total; first += SLICE_BLOCKS) {
    const uint64_t n = AQ_MIN(total - first, SLICE_BLOCKS);
    for (uint64_t i = 0; i < n; i++) bad[i] = UINT64_MAX;
    slice s = {w, first, bad};
    AQ_TRY(aq_pool_run(w->pool, n, do_block, &s, err));
    for (uint64_t i = 0; i < n; i++) {
      aq_row_job *row = &w->rows[row_of_block(w, first + i)];
      row->bad_index = AQ_MIN(row->bad_index, bad[i]);
    }
    AQ_TRY(tell_progress(w, first + n, total, &told, err));
  }
  return total == 0 ? tell_progress(w, 0, 0, &told, err) : AQ_OK;
}

/* ---- from a finished job to a row of the table ---- */

static aq_status fill_large(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err) {
  const writer_state *w = ctx;
  return aq_row_job_fill(&w->rows[0], offset, size, out, &w->scratch[worker], err);
}

/* What the row says of its tensor, by the plan. */
static void describe(const aq_tensor_info *t, const aq_plan_entry *e, aq_row *row) {
  row->dtype = e->action == AQ_CONVERT ? e->dtype : t->dtype;
  row->quant_axis = -1;
  if (e->action == AQ_QUANTIZE) {
    row->quant_type = e->scheme.type;
    row->quant_axis = e->quant_axis;
    row->group_size = e->group_size;
    row->budgeted = e->scheme.method == AQ_RD;
  } else if (e->action == AQ_KEEP) {
    row->quant_type = t->quant_type;
    row->quant_axis = t->quant_axis;
    row->group_size = t->group_size;
  }
}

/* Moves the results into the row. A large row's scales are needed until its data is written: it gets copies. */
static aq_status move_results(writer_state *w, aq_row_job *r, aq_row *row, aq_error *err) {
  if (!r->large) {
    row->data = r->data;
    row->scales = r->scales;
    row->zero_points = r->zero_points;
    r->data = r->scales = r->zero_points = (aq_buffer){NULL, 0, 0};
    return AQ_OK;
  }
  row->fill = fill_large;
  row->fill_ctx = w;
  row->data_bytes = r->data_bytes;
  AQ_TRY(aq_buffer_append(&row->scales, r->scales.data, r->scales.size, err));
  return aq_buffer_append(&row->zero_points, r->zero_points.data, r->zero_points.size, err);
}

static aq_status hand_over(writer_state *w, aq_row_job *r, aq_error *err) {
  const aq_tensor_info *t = &w->job->source->tensors[r->tensor];
  const bool part = r->part_lo >= 0;
  int64_t shape[AQ_MAX_RANK];
  memcpy(shape, t->shape, sizeof shape);
  if (part) shape[0] = r->part_hi - r->part_lo;
  char *name = part ? aq_part_name_make(t->name, r->part_lo, r->part_hi) : aq_strdup(t->name);
  if (name == NULL) return aq_fail_memory(err, strlen(t->name));
  aq_row row = {.name = name, .rank = t->rank, .shape = shape, .num_params = r->count};
  describe(t, r->entry, &row);
  aq_status status = move_results(w, r, &row, err);
  if (status == AQ_OK) status = aq_table_writer_add(w->writer, &row, err);
  aq_row_reset(&row);
  aq_free(name);
  if (status != AQ_OK) return aq_error_in_tensor(err, status, t->name);
  const bool last_part = !part || r->part_hi == t->shape[0];
  return aq_progress_add(&w->progress, t->name, last_part ? 1 : 0, 0, err);
}

/* ---- values that cannot be stored ---- */

/* Changes the plan to keep the tensor of a row, when the caller said so. */
static aq_status plan_to_keep(const writer_state *w, const aq_row_job *r, aq_error *err) {
  if (w->job->nonfinite != AQ_NONFINITE_KEEP) return aq_row_job_fail_bad(r, err);
  return aq_plan_entry_keep_nonfinite(&w->job->plan->entries[r->tensor], err);
}

/* Makes a row again, of the values as they are. */
static aq_status keep_instead(writer_state *w, aq_row_job *r, aq_error *err) {
  AQ_TRY(plan_to_keep(w, r, err));
  const aq_row_job old = *r;
  aq_row_job_reset(r);
  AQ_TRY(aq_row_job_init(r, old.source, old.tensor, old.entry, old.part_lo, old.part_hi, UINT64_MAX, err));
  AQ_TRY(aq_row_job_allocate(r, err));
  uint64_t bad = UINT64_MAX;
  for (uint64_t b = 0; b < r->block_count; b++) AQ_TRY(aq_row_job_block(r, b, &w->scratch[0], &bad, err));
  return AQ_OK;
}

/* Rows that are streamed or in parts cannot be taken back once begun, and a row that is small as codes may be too large
 * to be held as it is: look at all their values first. */
static aq_status scan_first(writer_state *w, size_t tensor, aq_error *err) {
  const aq_tensor_info *t = &w->job->source->tensors[tensor];
  aq_plan_entry *e = &w->job->plan->entries[tensor];
  if (w->job->nonfinite != AQ_NONFINITE_KEEP || e->action == AQ_KEEP) return AQ_OK;
  aq_row_job whole;
  AQ_TRY(aq_row_job_init(&whole, w->job->source, tensor, e, -1, -1, UINT64_MAX, err));
  uint8_t *out = aq_malloc((size_t)AQ_BLOCK_PARAMS * 8);
  if (out == NULL) return aq_fail_memory(err, (size_t)AQ_BLOCK_PARAMS * 8);
  aq_status status = AQ_OK;
  for (uint64_t at = 0; status == AQ_OK && at < t->num_params && whole.bad_index == UINT64_MAX; at += AQ_BLOCK_PARAMS) {
    status = aq_row_job_scan(&whole, at, AQ_MIN(at + AQ_BLOCK_PARAMS, t->num_params), &w->scratch[0], out,
                             &whole.bad_index, err);
  }
  aq_free(out);
  if (status != AQ_OK || whole.bad_index == UINT64_MAX) return status;
  return plan_to_keep(w, &whole, err);
}

/* ---- batches ---- */

static aq_status flush_batch(writer_state *w, aq_error *err) {
  if (w->row_count == 0) return AQ_OK;
  for (size_t i = 0; i < w->row_count; i++) AQ_TRY(aq_row_job_allocate(&w->rows[i], err));
  AQ_TRY(run_blocks(w, err));
  for (size_t i = 0; i < w->row_count; i++) {
    if (w->rows[i].bad_index != UINT64_MAX) AQ_TRY(keep_instead(w, &w->rows[i], err));
    AQ_TRY(hand_over(w, &w->rows[i], err));
  }
  for (size_t i = 0; i < w->row_count; i++) aq_row_job_reset(&w->rows[i]);
  w->row_count = 0;
  w->batched = 0;
  return AQ_OK;
}

static aq_status add_row(writer_state *w, size_t tensor, int64_t lo, int64_t hi, aq_error *err) {
  aq_row_job row;
  AQ_TRY(aq_row_job_init(&row, w->job->source, tensor, &w->job->plan->entries[tensor], lo, hi, w->large_bytes, err));
  if (w->job->encoded != NULL) aq_row_job_set_encoded(&row, &w->job->encoded[tensor]);
  const uint64_t bytes = row.count * AQ_MAX(aq_dtype_size(w->job->source->tensors[tensor].dtype), 1);
  if (row.large || w->batched + bytes > w->batch_bytes || w->row_count == BATCH_ROWS) AQ_TRY(flush_batch(w, err));
  w->rows[w->row_count++] = row;
  w->batched += bytes;
  return row.large ? flush_batch(w, err) : AQ_OK;
}

static aq_status add_tensor(writer_state *w, size_t tensor, aq_error *err) {
  const aq_tensor_info *t = &w->job->source->tensors[tensor];
  const aq_plan_entry *e = &w->job->plan->entries[tensor];
  const int64_t length = aq_part_length(t, e, w->part_bytes);
  if (length == 0) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "one slice along axis 0 has more than 2 GiB; a row cannot hold it");
    return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, t->name);
  }
  const bool parts = t->rank > 0 && length < t->shape[0];
  const uint64_t most = AQ_MAX(aq_plan_entry_bytes(t, e), t->data_bytes); /* as planned, or kept after all */
  if (parts || most > w->large_bytes) AQ_TRY(scan_first(w, tensor, err));
  if (!parts) return add_row(w, tensor, -1, -1, err);
  AQ_FAIL_IF(e->action == AQ_KEEP && t->quant_type != AQ_KEPT, AQ_ERR_UNSUPPORTED,
             "tensor '%s' is quantized already and too large to be copied; raise the part size", t->name);
  for (int64_t lo = 0; lo < t->shape[0]; lo += length) {
    AQ_TRY(add_row(w, tensor, lo, AQ_MIN(lo + length, t->shape[0]), err));
  }
  return AQ_OK;
}

/* ---- the whole ---- */

/* Sizes of batches under the caller's memory limit: threads are given up first, then batch size. */
static aq_status settle_memory(writer_state *w, uint32_t *threads, aq_error *err) {
  const uint64_t limit = w->job->run->max_memory;
  *threads = w->job->run->threads != 0 ? w->job->run->threads : aq_cpu_count();
  w->part_bytes = w->job->table->part_bytes != 0 ? w->job->table->part_bytes : AQ_DEFAULT_PART_BYTES;
  w->batch_bytes = DEFAULT_BATCH_BYTES;
  w->large_bytes = DEFAULT_LARGE_BYTES;
  if (limit == 0) return AQ_OK;
  const uint64_t least = WORKER_BYTES + 16 * MIB;
  if (limit < least) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "the memory limit of %llu bytes is too low; at least %llu are needed",
                  (unsigned long long)limit, (unsigned long long)least);
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Use `max_memory=%lluMiB` or more", (unsigned long long)(least / MIB));
  }
  while (*threads > 1 && *threads * WORKER_BYTES > limit / 2) --*threads;
  /* A batch is held up to three times: as results, in the writer's row group, and compressed there. */
  const uint64_t share = (limit - *threads * WORKER_BYTES) / 3;
  w->batch_bytes = AQ_MIN(w->batch_bytes, share);
  w->large_bytes = AQ_MIN(w->large_bytes, share);
  return AQ_OK;
}

static aq_status allocate_state(writer_state *w, uint32_t threads, aq_error *err) {
  AQ_TRY(aq_pool_create(threads, &w->pool, err));
  w->scratch = aq_calloc(threads, sizeof *w->scratch);
  w->rows = aq_calloc(BATCH_ROWS, sizeof *w->rows);
  w->block_first = aq_calloc(BATCH_ROWS + 1, sizeof *w->block_first);
  if (w->scratch == NULL || w->rows == NULL || w->block_first == NULL) return aq_fail_memory(err, BATCH_ROWS * 64);
  for (uint32_t i = 0; i < threads; i++) AQ_TRY(aq_scratch_allocate(&w->scratch[i], err));
  return AQ_OK;
}

static void free_state(writer_state *w, uint32_t threads) {
  for (size_t i = 0; i < w->row_count; i++) aq_row_job_reset(&w->rows[i]);
  for (uint32_t i = 0; w->scratch != NULL && i < threads; i++) aq_scratch_reset(&w->scratch[i]);
  aq_free(w->scratch);
  aq_free(w->rows);
  aq_free(w->block_first);
  aq_table_writer_abort(w->writer);
  aq_pool_free(w->pool);
}

static aq_status write_rows(writer_state *w, aq_error *err) {
  const aq_table_job *job = w->job;
  uint64_t bytes = 0, tensors = 0;
  for (size_t i = 0; i < job->source->tensor_count; i++) {
    const aq_tensor_info *t = &job->source->tensors[i];
    if (t->alias_of >= 0) continue;
    bytes += t->num_params * aq_dtype_bits(t->dtype) / 8;
    tensors++;
  }
  aq_progress_begin(&w->progress, job->run, job->stage, tensors, bytes);
  for (size_t i = 0; i < job->source->tensor_count; i++) {
    if (job->source->tensors[i].alias_of < 0) AQ_TRY(add_tensor(w, i, err));
  }
  AQ_TRY(flush_batch(w, err));
  /* Tensors that were kept after all may have tied ones, which the plan in the metadata must not call quantized. */
  AQ_TRY(aq_plan_share_aliases(job->source->tensors, job->source->tensor_count, job->plan, err));
  return aq_table_put_metadata(w->writer, job, err);
}

aq_status aq_table_job_run(const aq_table_job *job, aq_error *err) {
  writer_state w = {.job = job};
  uint32_t threads = 0;
  AQ_TRY(settle_memory(&w, &threads, err));
  aq_table_estimate estimate;
  AQ_TRY(aq_table_job_estimate(job, &estimate, err));
  AQ_TRY(aq_check_space(job->output, estimate.file_bytes + estimate.overhead_bytes, err));
  aq_table_options table = *job->table;
  if (job->run->max_memory != 0) {
    const uint64_t group = table.row_group_bytes != 0 ? table.row_group_bytes : DEFAULT_BATCH_BYTES;
    table.row_group_bytes = AQ_MIN(group, w.batch_bytes);
  }
  aq_status status = allocate_state(&w, threads, err);
  if (status == AQ_OK)
    status = aq_table_writer_create(job->output, job->schema_version, &table, w.pool, &w.writer, err);
  if (status == AQ_OK) status = write_rows(&w, err);
  if (status == AQ_OK) {
    aq_table_writer *writer = w.writer;
    w.writer = NULL;
    status = aq_table_writer_commit(writer, NULL, err);
  }
  free_state(&w, threads);
  return status;
}

/* ---- estimates ---- */

uint64_t aq_plan_entry_bytes(const aq_tensor_info *t, const aq_plan_entry *e) {
  uint64_t bytes = 0;
  switch (e->action) {
    case AQ_KEEP:
      return t->data_bytes + t->num_scales * 2 * sizeof(float);
    case AQ_CONVERT:
      return t->num_params * aq_dtype_size(e->dtype);
    case AQ_QUANTIZE:
      break;
  }
  if (!aq_packed_bytes_ok(t->num_params, e->scheme.type, &bytes)) return UINT64_MAX;
  return bytes + 2 * sizeof(float) * aq_scale_count(t->shape, t->rank, t->num_params, e->quant_axis, e->group_size);
}

enum {
  ROW_BYTES = 640,    /* of a row at most: headers of three pages, gaps that align values, small columns */
  GROUP_BYTES = 2048, /* of a row group: its chunks in the footer, pages of the small columns */
  EXPANDED = 128      /* a codec makes values longer by less than one part in so many */
};

/* Rows of a tensor; names and shapes beyond what ROW_BYTES has room for count as more. */
static uint64_t count_rows(const writer_state *w, size_t tensor) {
  const aq_tensor_info *t = &w->job->source->tensors[tensor];
  const int64_t length = aq_part_length(t, &w->job->plan->entries[tensor], w->part_bytes);
  const uint64_t rows =
      t->rank > 0 && length > 0 && t->shape[0] > length ? aq_div_up((uint64_t)t->shape[0], (uint64_t)length) : 1;
  return rows * (1 + strlen(t->name) / 256);
}

/* Two row groups that follow each other have more than the limit together, but for rows that are streamed. */
static uint64_t count_groups(const writer_state *w, uint64_t rows, uint64_t bytes) {
  const uint64_t set = w->job->table->row_group_bytes, limit = set != 0 ? set : DEFAULT_BATCH_BYTES;
  const uint64_t most = 1 + 2 * (bytes / AQ_MIN(limit, w->batch_bytes) + 1) + 2 * (bytes / w->large_bytes);
  return AQ_MIN(rows, most);
}

static aq_status measure_overhead(const writer_state *w, uint64_t bytes, uint64_t *overhead, aq_error *err) {
  uint64_t rows = 0, metadata;
  AQ_TRY(aq_table_measure_metadata(w->job, &metadata, err));
  for (size_t i = 0; i < w->job->source->tensor_count; i++) {
    if (w->job->source->tensors[i].alias_of < 0) rows += count_rows(w, i);
  }
  *overhead =
      metadata + rows * ROW_BYTES + count_groups(w, rows, bytes + rows * ROW_BYTES) * GROUP_BYTES + bytes / EXPANDED;
  return AQ_OK;
}

aq_status aq_table_job_estimate(const aq_table_job *job, aq_table_estimate *out, aq_error *err) {
  writer_state w = {.job = job};
  uint32_t threads = 0;
  AQ_TRY(settle_memory(&w, &threads, err));
  *out = (aq_table_estimate){0, 0, 0};
  uint64_t largest = 0, total;
  for (size_t i = 0; i < job->source->tensor_count; i++) {
    const aq_tensor_info *t = &job->source->tensors[i];
    if (t->alias_of >= 0) continue;
    const uint64_t bytes = aq_plan_entry_bytes(t, &job->plan->entries[i]);
    AQ_FAIL_IF(!aq_add_ok(out->file_bytes, bytes, &out->file_bytes), AQ_ERR_FORMAT, "the model is too large");
    largest = AQ_MAX(largest, AQ_MIN(bytes, w.large_bytes));
  }
  AQ_TRY(measure_overhead(&w, out->file_bytes, &out->overhead_bytes, err));
  AQ_FAIL_IF(!aq_add_ok(out->file_bytes, out->overhead_bytes, &total), AQ_ERR_FORMAT, "the model is too large");
  out->memory_bytes = threads * WORKER_BYTES + 3 * AQ_MAX(largest, AQ_MIN(total, w.batch_bytes));
  return AQ_OK;
}
