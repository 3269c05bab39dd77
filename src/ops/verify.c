/* verify.c - is a file whole: page checksums, lengths of rows, and on request every value.
 *
 * Damage does not end the search: what can still be checked is, and the report lists all that was found. The error
 * returned is the first of it. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "io/model_files.h"
#include "io/source.h"
#include "kernels/kernels.h"
#include "ops/decode_all.h"
#include "ops/operation.h"
#include "ops/verify_against.h"
#include "parquet/parquet.h"
#include "report/report.h"
#include "report/source_json.h"

typedef struct verification {
  const aq_verify_options *options;
  json_t *root, *problems;
  aq_error first; /* of the problems; code AQ_OK: none */
  aq_pq_check sums;
  uint64_t row_groups, rows;
} verification;

static bool is_damage(aq_status status) {
  return status == AQ_ERR_CORRUPT || status == AQ_ERR_FORMAT || status == AQ_ERR_UNSUPPORTED;
}

/* Notes damage and goes on; other failures (memory, an interrupt) end the call. */
static aq_status note_problem(verification *v, aq_status status, const aq_error *found, aq_error *err) {
  if (!is_damage(status)) {
    if (err != NULL) *err = *found;
    return status;
  }
  if (v->first.code == AQ_OK) v->first = *found;
  AQ_TRY(aq_report_append(v->problems, json_object(), err));
  json_t *problem = json_array_get(v->problems, json_array_size(v->problems) - 1);
  AQ_TRY(aq_report_set(problem, "status", json_string(aq_status_name(status)), err));
  AQ_TRY(aq_report_set(problem, "tensor", aq_json_string(found->tensor[0] != '\0' ? found->tensor : NULL), err));
  AQ_TRY(aq_report_set(problem, "message", aq_json_string(found->message), err));
  AQ_TRY(
      aq_report_set(problem, "row_group", found->row_group >= 0 ? json_integer(found->row_group) : json_null(), err));
  return aq_report_set(problem, "offset", found->offset >= 0 ? json_integer(found->offset) : json_null(), err);
}

/* ---- pages ---- */

static bool is_parquet(const char *path) {
  aq_file file;
  char magic[4] = {0};
  if (aq_path_is_folder(path) || aq_file_open(&file, path, NULL) != AQ_OK) return false;
  const bool yes = aq_file_read(&file, 0, sizeof magic, magic, NULL) == AQ_OK && memcmp(magic, "PAR1", 4) == 0;
  aq_file_close(&file);
  return yes;
}

typedef struct page_job {
  aq_pq_reader *reader;
  size_t group; /* the row group in work; items are its columns */
  bool deep;
  aq_pq_check *checks; /* a column each */
  aq_error *errors;
  aq_status *statuses;
} page_job;

/* Damage is this item's result, not a failure of the job. */
static aq_status check_column(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  (void)worker;
  page_job *job = ctx;
  const size_t column = (size_t)item;
  const aq_status st =
      aq_pq_verify_chunk(job->reader, job->group, column, job->deep, &job->checks[column], &job->errors[column]);
  job->statuses[column] = st;
  if (st == AQ_OK || is_damage(st)) return AQ_OK;
  if (err != NULL) *err = job->errors[column];
  return st;
}

static aq_status check_group(verification *v, page_job *job, aq_pool *pool, aq_error *err) {
  const size_t columns = aq_pq_column_count(job->reader);
  memset(job->checks, 0, columns * sizeof *job->checks);
  AQ_TRY(aq_pool_run(pool, columns, check_column, job, err));
  for (size_t c = 0; c < columns; c++) {
    v->sums.pages += job->checks[c].pages;
    v->sums.pages_with_crc += job->checks[c].pages_with_crc;
    v->sums.bytes += job->checks[c].bytes;
    if (job->statuses[c] != AQ_OK) AQ_TRY(note_problem(v, job->statuses[c], &job->errors[c], err));
  }
  return AQ_OK;
}

static aq_status check_groups(verification *v, page_job *job, aq_pool *pool, aq_error *err) {
  const size_t groups = aq_pq_row_group_count(job->reader), columns = aq_pq_column_count(job->reader);
  aq_progress progress;
  aq_progress_begin(&progress, &v->options->run, "verify pages", 0, aq_pq_file_bytes(job->reader));
  v->row_groups += groups;
  v->rows += aq_pq_row_count(job->reader);
  for (job->group = 0; job->group < groups; job->group++) {
    uint64_t bytes = 0;
    for (size_t c = 0; c < columns; c++) bytes += aq_pq_chunk_bytes(job->reader, job->group, c);
    AQ_TRY(check_group(v, job, pool, err));
    AQ_TRY(aq_progress_add(&progress, NULL, 0, bytes, err));
  }
  return AQ_OK;
}

static aq_status check_pages(verification *v, const char *path, aq_pool *pool, aq_error *err) {
  const aq_pq_reader_options options = {.max_memory = v->options->run.max_memory};
  aq_error found;
  page_job job = {.deep = v->options->deep};
  const aq_status opened = aq_pq_reader_open(path, &options, &job.reader, &found);
  if (opened != AQ_OK) return note_problem(v, opened, &found, err);
  const size_t columns = aq_pq_column_count(job.reader);
  job.checks = aq_calloc(columns, sizeof *job.checks);
  job.errors = aq_calloc(columns, sizeof *job.errors);
  job.statuses = aq_calloc(columns, sizeof *job.statuses);
  aq_status status;
  if (job.checks == NULL || job.errors == NULL || job.statuses == NULL) {
    status = aq_fail_memory(err, columns * sizeof *job.errors);
  } else {
    status = check_groups(v, &job, pool, err);
  }
  aq_free(job.checks);
  aq_free(job.errors);
  aq_free(job.statuses);
  aq_pq_reader_close(job.reader);
  return status;
}

/* ---- model files ---- */

/* A footer has no checksum; a compressed file in its metadata has one. */
static aq_status check_model_files(verification *v, const aq_source *source, aq_error *err) {
  for (size_t i = 0; i < source->metadata_count; i++) {
    const char *place = aq_model_file_key_place(source->metadata[2 * i]);
    if (place == NULL || aq_model_file_compressed(source, place) == NULL) continue;
    char *text;
    size_t size;
    aq_error found;
    const aq_status status = aq_model_file_read_place(source, place, &text, &size, &found);
    aq_free(text);
    if (status != AQ_OK) AQ_TRY(note_problem(v, status, &found, err));
  }
  return AQ_OK;
}

/* ---- values ---- */

/* Scales and zero points of one segment. */
static aq_status check_numbers(const aq_source *source, const aq_tensor_info *tensor, const aq_segment *segment,
                               aq_piece piece, aq_error *err) {
  enum { CHUNK = 1024 };
  uint8_t bytes[CHUNK * sizeof(float)];
  for (uint64_t first = 0; first < segment->num_scales; first += CHUNK) {
    const size_t n = (size_t)AQ_MIN(segment->num_scales - first, (uint64_t)CHUNK);
    AQ_TRY(source->ops->read(source, segment, piece, first * sizeof(float), n * sizeof(float), bytes, err));
    for (size_t i = 0; i < n; i++) {
      if (isfinite(aq_load_f32(bytes + i * sizeof(float)))) continue;
      const aq_status st = aq_fail(err, AQ_ERR_CORRUPT, "%s %llu is not a finite number",
                                   piece == AQ_PIECE_SCALES ? "scale" : "zero point", (unsigned long long)(first + i));
      return aq_error_in_tensor(err, st, tensor->name);
    }
  }
  return AQ_OK;
}

static aq_status check_scales(verification *v, const aq_source *source, aq_error *err) {
  for (size_t t = 0; t < source->tensor_count; t++) {
    const aq_tensor_info *tensor = &source->tensors[t];
    if (tensor->quant_type == AQ_KEPT || tensor->alias_of >= 0) continue;
    for (uint32_t s = source->segment_first[t]; s < source->segment_first[t + 1]; s++) {
      aq_error found;
      aq_status st = check_numbers(source, tensor, &source->segments[s], AQ_PIECE_SCALES, &found);
      if (st == AQ_OK) st = check_numbers(source, tensor, &source->segments[s], AQ_PIECE_ZERO_POINTS, &found);
      if (st != AQ_OK) AQ_TRY(note_problem(v, st, &found, err));
    }
  }
  return AQ_OK;
}

/* A look of aq_decode_all: NaN and infinities of each tensor. */
static void count_nonfinite(void *ctx, size_t tensor, const float *values, size_t count, uint32_t worker) {
  (void)worker;
  atomic_uint_fast64_t *counts = ctx;
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(values, count, &range);
  if (aq_range_is_finite(&range)) return;
  uint64_t n = 0;
  for (size_t i = 0; i < count; i++) n += isfinite(values[i]) ? 0 : 1;
  atomic_fetch_add(&counts[tensor], n);
}

/* Counted, not refused: a kept tensor may well hold infinities (attention masks do). */
static aq_status report_nonfinite(json_t *root, const aq_source *source, atomic_uint_fast64_t *counts, aq_error *err) {
  AQ_TRY(aq_report_set(root, "nonfinite", json_array(), err));
  json_t *list = json_object_get(root, "nonfinite");
  uint64_t decoded = 0;
  for (size_t t = 0; t < source->tensor_count; t++) {
    if (source->tensors[t].alias_of < 0) decoded += source->tensors[t].num_params;
    const uint64_t n = atomic_load(&counts[t]);
    if (n == 0) continue;
    AQ_TRY(aq_report_append(list, json_object(), err));
    json_t *entry = json_array_get(list, json_array_size(list) - 1);
    AQ_TRY(aq_report_set(entry, "name", aq_json_string(source->names[t]), err));
    AQ_TRY(aq_report_set(entry, "values", aq_json_count(n), err));
  }
  return aq_report_set(root, "values_decoded", aq_json_count(decoded), err);
}

static aq_status check_values(verification *v, const aq_source *source, aq_pool *pool, aq_error *err) {
  AQ_TRY(check_scales(v, source, err));
  if (v->first.code != AQ_OK) return AQ_OK; /* what is damaged already would be found again */
  atomic_uint_fast64_t *counts = aq_calloc(source->tensor_count, sizeof *counts);
  if (counts == NULL) return aq_fail_memory(err, source->tensor_count * sizeof *counts);
  aq_error found;
  aq_status status = aq_decode_all(source, pool, &v->options->run, "verify values", count_nonfinite, counts, &found);
  status = status == AQ_OK ? report_nonfinite(v->root, source, counts, err) : note_problem(v, status, &found, err);
  aq_free(counts);
  return status;
}

/* ---- the model that it was made from ---- */

static aq_status note_difference(void *v, aq_status status, const aq_error *found, aq_error *err) {
  return note_problem(v, status, found, err);
}

static bool is_against_a_model(const aq_verify_options *o) { return o->against != NULL || o->against_source != NULL; }

static aq_status check_against(verification *v, const aq_source *source, aq_error *err) {
  const aq_verify_options *o = v->options;
  aq_source *opened = NULL;
  if (o->against != NULL) AQ_TRY(aq_open_for_run(o->against, &o->run, o->names, &opened, err));
  const aq_source *model = opened != NULL ? opened : o->against_source;
  const aq_status status = aq_verify_against(source, model, &o->run, v->root, note_difference, v, err);
  aq_source_close(opened);
  return status;
}

/* ---- all of it ---- */

/* What is verified: an open source, or a file that could not be opened as one and why. */
typedef struct subject {
  const aq_source *source; /* NULL: see below */
  const char *path;
  aq_status opened;
  const aq_error *cause;
} subject;

static aq_status check_source(verification *v, const aq_source *source, aq_pool *pool, aq_error *err) {
  AQ_TRY(aq_report_set(v->root, "source", aq_source_json(source), err));
  for (size_t i = 0; i < aq_table_file_count(source); i++) AQ_TRY(check_pages(v, aq_table_file(source, i), pool, err));
  AQ_TRY(check_model_files(v, source, err));
  if (v->options->deep) AQ_TRY(check_values(v, source, pool, err));
  return is_against_a_model(v->options) && v->first.code == AQ_OK ? check_against(v, source, err) : AQ_OK;
}

/* Most often a damaged page is the reason, for which the check of the pages has a better message. */
static aq_status check_unopened(verification *v, const subject *what, aq_pool *pool, aq_error *err) {
  AQ_TRY(aq_report_set(v->root, "source", json_pack("{s:o}", "path", aq_json_string(what->path)), err));
  AQ_TRY(check_pages(v, what->path, pool, err));
  return v->first.code == AQ_OK ? note_problem(v, what->opened, what->cause, err) : AQ_OK;
}

static aq_status fill_report(verification *v, const subject *what, aq_error *err) {
  const double started = aq_clock();
  AQ_TRY(aq_report_set(v->root, "deep", json_boolean(v->options->deep), err));
  AQ_TRY(aq_report_set(v->root, "problems", json_array(), err));
  v->problems = json_object_get(v->root, "problems");
  aq_pool *pool;
  AQ_TRY(aq_pool_create(v->options->run.threads, &pool, err));
  const aq_status status =
      what->source != NULL ? check_source(v, what->source, pool, err) : check_unopened(v, what, pool, err);
  aq_pool_free(pool);
  AQ_TRY(status);
  AQ_TRY(aq_report_set(v->root, "row_groups", aq_json_count(v->row_groups), err));
  AQ_TRY(aq_report_set(v->root, "rows", aq_json_count(v->rows), err));
  AQ_TRY(aq_report_set(v->root, "pages", aq_json_count(v->sums.pages), err));
  AQ_TRY(aq_report_set(v->root, "pages_with_crc", aq_json_count(v->sums.pages_with_crc), err));
  AQ_TRY(aq_report_set(v->root, "page_bytes", aq_json_count(v->sums.bytes), err));
  AQ_TRY(aq_report_set(v->root, "ok", json_boolean(v->first.code == AQ_OK), err));
  return aq_report_set(v->root, "seconds", aq_json_real(aq_clock() - started), err);
}

static aq_status verify(const subject *what, const aq_verify_options *options, aq_report **report, aq_error *err) {
  aq_verify_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&own.run, "run", err));
  AQ_FAIL_IF(own.against != NULL && own.against_source != NULL, AQ_ERR_ARGUMENT,
             "the model to verify against was given as a path and as a source; one of them, not both");
  aq_report *made;
  AQ_TRY(aq_report_create("verify", &made, err));
  verification v = {.options = &own, .root = made->root};
  aq_error_clear(&v.first);
  const aq_status status = aq_report_finish(fill_report(&v, what, err), made, report);
  if (status != AQ_OK || v.first.code == AQ_OK) return status;
  if (err != NULL) *err = v.first;
  return aq_error_in_file(err, v.first.code, what->path);
}

aq_status aq_verify_source(const aq_source *source, const aq_verify_options *options, aq_report **report,
                           aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  const subject what = {.source = source, .path = source->path};
  return verify(&what, options, report, err);
}

/* A file may be too damaged to be opened as a source, which is what this operation is for. */
aq_status aq_verify(const char *path, const aq_verify_options *options, aq_report **report, aq_error *err) {
  aq_source *source = NULL;
  aq_error cause;
  const aq_status opened =
      aq_operation_open(path, options, AQ_NAMES_OF(options, aq_verify_options), report, &source, &cause);
  if (opened != AQ_OK && !(is_damage(opened) && is_parquet(path))) {
    if (err != NULL) *err = cause;
    return opened; /* nothing that could be looked into */
  }
  aq_error_clear(err);
  const subject what = {source, path, opened, &cause};
  const aq_status status = verify(&what, options, report, err);
  aq_source_close(source);
  return status;
}
