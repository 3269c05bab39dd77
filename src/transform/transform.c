/* transform.c - tensors in, rows out, in batches.
 *
 * Consecutive tensors make a batch of bounded size; its blocks are worked on by all threads, then its rows are handed
 * to the sink in order. A row too large to be held is a batch of its own: its scales are found first, its data is
 * made again block by block while the sink writes it. Memory is that of a batch, whatever the model's size. */
#include "transform/transform.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "transform/output_check.h"
#include "transform/row_job_maker.h"
#include "transform/transform_limits.h"

typedef struct transform_run {
  const aq_transform *t;
  const aq_transform_limits *limits;
  aq_row_batch *batch;
  aq_sink *sink;
  aq_progress progress;
} transform_run;

static const aq_tensor_info *tensor_of(const transform_run *r, size_t i) { return &r->t->source->tensors[i]; }
static const aq_plan_entry *entry_of(const transform_run *r, size_t i) { return &r->t->plan->entries[i]; }

/* ---- the rows that there will be ---- */

/* lo < 0: the whole tensor, else a part of it along axis 0. */
typedef aq_status (*row_fn)(transform_run *r, size_t tensor, int64_t lo, int64_t hi, aq_error *err);

static aq_status fail_part(const aq_tensor_info *t, const char *what, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "%s", what);
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, t->name);
}

static aq_status visit_parts(transform_run *r, size_t tensor, row_fn visit, aq_error *err) {
  const aq_tensor_info *t = tensor_of(r, tensor);
  const aq_plan_entry *e = entry_of(r, tensor);
  const int64_t length = aq_part_length(t, e, r->limits->part_bytes);
  if (length == 0) return fail_part(t, "one slice along axis 0 has more than 2 GiB; a row cannot hold it", err);
  if (t->rank == 0 || length >= t->shape[0]) return visit(r, tensor, -1, -1, err);
  if (e->action == AQ_KEEP && t->quant_type != AQ_KEPT && !aq_row_copy_cuts_at(t, length)) {
    return fail_part(t,
                     "is quantized already and too large to be copied: no part of it ends with a group; raise the "
                     "part size",
                     err);
  }
  for (int64_t lo = 0; lo < t->shape[0]; lo += length) {
    AQ_TRY(visit(r, tensor, lo, AQ_MIN(lo + length, t->shape[0]), err));
  }
  return AQ_OK;
}

static aq_status visit_rows(transform_run *r, row_fn visit, aq_error *err) {
  for (size_t i = 0; i < r->t->plan->count; i++) {
    if (entry_of(r, i)->tied) continue;
    AQ_TRY(r->sink->type->has_parts ? visit_parts(r, i, visit, err) : visit(r, i, -1, -1, err));
  }
  return AQ_OK;
}

/* ---- a row as the sink has it ---- */

/* What the row says of its tensor, by the plan; shape is the row's. The name is the caller's to free. */
static aq_status describe_row(const transform_run *r, size_t tensor, int64_t lo, int64_t hi, int64_t *shape,
                              char **name, aq_row *row, aq_error *err) {
  const aq_tensor_info *t = tensor_of(r, tensor);
  const aq_plan_entry *e = entry_of(r, tensor);
  *name = lo >= 0 ? aq_part_name_make(t->name, lo, hi) : aq_strdup(t->name);
  if (*name == NULL) return aq_fail_memory(err, strlen(t->name));
  *row = (aq_row){.name = *name, .dtype = t->dtype, .rank = t->rank, .shape = shape, .quant_axis = -1};
  row->num_params = t->num_params;
  memcpy(shape, t->shape, sizeof t->shape);
  if (lo >= 0) {
    shape[0] = hi - lo;
    row->num_params = t->num_params / (uint64_t)t->shape[0] * (uint64_t)shape[0];
  }
  if (e->action == AQ_CONVERT) row->dtype = e->dtype;
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
  return AQ_OK;
}

static aq_status declare_row(transform_run *r, size_t tensor, int64_t lo, int64_t hi, aq_error *err) {
  int64_t shape[AQ_MAX_RANK];
  char *name;
  aq_row row;
  AQ_TRY(describe_row(r, tensor, lo, hi, shape, &name, &row, err));
  const aq_status status = aq_sink_declare(r->sink, &row, err);
  aq_free(name);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, tensor_of(r, tensor)->name);
}

/* Moves the results into the row. A large row's scales are needed until its data is written: it gets copies. */
static aq_status move_results(transform_run *r, aq_row_job *job, aq_row *row, aq_error *err) {
  if (!job->large) {
    row->data = job->data;
    row->scales = job->scales;
    row->zero_points = job->zero_points;
    job->data = job->scales = job->zero_points = (aq_buffer){NULL, 0, 0};
    return AQ_OK;
  }
  row->fill = aq_row_batch_fill;
  row->fill_ctx = r->batch;
  row->data_bytes = job->data_bytes;
  AQ_TRY(aq_buffer_append(&row->scales, job->scales.data, job->scales.size, err));
  return aq_buffer_append(&row->zero_points, job->zero_points.data, job->zero_points.size, err);
}

static aq_status write_row(transform_run *r, aq_row_job *job, aq_error *err) {
  const aq_tensor_info *t = tensor_of(r, job->tensor);
  int64_t shape[AQ_MAX_RANK];
  char *name;
  aq_row row;
  AQ_TRY(describe_row(r, job->tensor, job->part_lo, job->part_hi, shape, &name, &row, err));
  aq_status status = move_results(r, job, &row, err);
  if (status == AQ_OK) status = aq_sink_add(r->sink, &row, err);
  aq_row_reset(&row);
  aq_free(name);
  if (status != AQ_OK) return aq_error_in_tensor(err, status, t->name);
  const bool last_part = job->part_lo < 0 || job->part_hi == t->shape[0];
  return aq_progress_add(&r->progress, t->name, last_part ? 1 : 0, 0, err);
}

/* ---- batches ---- */

static aq_status write_batch(transform_run *r, aq_error *err) {
  if (r->batch->count == 0) return AQ_OK;
  AQ_TRY(aq_row_batch_run(r->batch, &r->progress, err));
  for (size_t i = 0; i < r->batch->count; i++) AQ_TRY(write_row(r, &r->batch->rows[i], err));
  aq_row_batch_clear(r->batch);
  return AQ_OK;
}

static aq_status add_row(transform_run *r, size_t tensor, int64_t lo, int64_t hi, aq_error *err) {
  aq_row_job job;
  AQ_TRY(aq_row_job_init(&job, r->t->source, tensor, entry_of(r, tensor), lo, hi, r->limits->large_bytes, err));
  if (r->t->encoded != NULL) aq_row_job_set_encoded(&job, &r->t->encoded[tensor]);
  const uint64_t bytes = job.count * AQ_MAX(aq_dtype_size(tensor_of(r, tensor)->dtype), 1);
  const bool full = r->batch->count == AQ_BATCH_ROWS || r->batch->bytes + bytes > r->limits->batch_bytes;
  if (job.large || full) AQ_TRY(write_batch(r, err));
  aq_row_batch_add(r->batch, &job, bytes);
  return job.large ? write_batch(r, err) : AQ_OK;
}

/* ---- the whole ---- */

static void begin_progress(transform_run *r) {
  uint64_t bytes = 0, tensors = 0;
  for (size_t i = 0; i < r->t->plan->count; i++) {
    if (entry_of(r, i)->tied) continue;
    bytes += tensor_of(r, i)->num_params * aq_dtype_bits(tensor_of(r, i)->dtype) / 8;
    tensors++;
  }
  aq_progress_begin(&r->progress, r->t->run, r->t->stage, tensors, bytes);
}

static aq_status put_metadata(const transform_run *r, bool before_rows, aq_error *err) {
  const aq_transform *t = r->t;
  if (t->put_metadata == NULL || r->sink->type->header_first != before_rows) return AQ_OK;
  return t->put_metadata(t->metadata_ctx, r->sink, err);
}

aq_status aq_transform_write(const aq_transform *transform, const aq_transform_limits *limits, aq_row_batch *batch,
                             aq_sink *sink, aq_error *err) {
  transform_run r = {.t = transform, .limits = limits, .batch = batch, .sink = sink};
  AQ_TRY(visit_rows(&r, declare_row, err));
  AQ_TRY(put_metadata(&r, true, err));
  batch->side = transform->side;
  begin_progress(&r);
  AQ_TRY(visit_rows(&r, add_row, err));
  AQ_TRY(write_batch(&r, err));
  AQ_TRY(aq_row_batch_finish_side(batch, err));
  return put_metadata(&r, false, err);
}

/* ---- to a file ---- */

/* A format that holds no rows gets small batches, and large rows in blocks. */
static void fit_to_sink(const aq_sink_type *sink, aq_transform_limits *limits) {
  if (sink->held_bytes == 0) return;
  limits->large_bytes = AQ_MIN(limits->large_bytes, sink->held_bytes);
  limits->batch_bytes = AQ_MIN(limits->batch_bytes, 16 * sink->held_bytes);
}

static aq_status check_space(const aq_transform *t, aq_error *err) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < t->plan->count; i++) {
    const aq_plan_entry *e = &t->plan->entries[i];
    if (e->tied) continue;
    AQ_FAIL_IF(!aq_add_ok(bytes, aq_plan_entry_bytes(&t->source->tensors[i], e), &bytes), AQ_ERR_FORMAT,
               "the model is too large");
  }
  return aq_check_space(t->output, bytes, err);
}

static aq_status create_sink(const aq_transform *t, const aq_transform_limits *limits, aq_pool *pool, aq_sink **out,
                             aq_error *err) {
  aq_table_options table = *t->table;
  table.row_group_bytes = limits->row_group_bytes;
  const aq_sink_options options = {
      .table = &table, .schema_version = t->schema_version, .source = t->source, .pool = pool};
  return aq_sink_create(t->sink, t->output, &options, out, err);
}

aq_status aq_transform_run(const aq_transform *transform, uint64_t *file_bytes, aq_error *err) {
  aq_transform_limits limits;
  aq_row_batch batch = {.pool = NULL};
  aq_sink *sink = NULL;
  AQ_TRY(aq_transform_limits_find(transform->run, transform->table, &limits, err));
  fit_to_sink(transform->sink, &limits);
  AQ_TRY(check_space(transform, err));
  aq_status status = aq_row_batch_init(&batch, limits.threads, err);
  if (status == AQ_OK) status = create_sink(transform, &limits, batch.pool, &sink, err);
  if (status == AQ_OK) status = aq_transform_write(transform, &limits, &batch, sink, err);
  if (status == AQ_OK) {
    status = aq_sink_commit(sink, file_bytes, err);
  } else {
    aq_sink_abort(sink);
  }
  aq_row_batch_reset(&batch);
  return status;
}
