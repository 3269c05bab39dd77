/* transform_stream.c - rows of a weight table pulled through a plan.
 *
 * A batch of the input becomes a source, some of its tensors at a time become rows in memory, and those are handed out
 * as an Arrow stream of their own until they are used up. Nothing is read before it is asked for; what is held is a
 * batch of the input (or the batches of one tensor in parts) and the rows that are being handed out. */
#include <errno.h>
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/strmap.h"
#include "io/arrow/arrow_export.h"
#include "io/arrow/arrow_import.h"
#include "io/arrow/arrow_schema.h"
#include "io/table/memory_sink.h"
#include "parquet/parquet.h"
#include "transform/transform.h"

static const aq_arrow_limits out_limits = {
    .value_bytes = AQ_PQ_MAX_VALUE, .alone_bytes = (uint64_t)1 << 20, .batch_bytes = (uint64_t)16 << 20};
static const aq_table_options defaults; /* parts as quantize makes them */

typedef struct transform_stream {
  aq_arrow_import *in;
  aq_plan plan;     /* a copy */
  aq_strmap places; /* of names in the plan */
  bool *seen;       /* one an entry of the plan */
  aq_run_options run;
  aq_transform_limits limits;
  aq_row_batch batch;
  aq_source *source;             /* the tensors of the input at hand; NULL: none */
  aq_plan_entry *entries;        /* theirs: borrowed from the plan, name and scales included */
  size_t next;                   /* tensor of them */
  struct ArrowArrayStream ready; /* rows that are made; release NULL: none */
  int failed;                    /* errno of a failure, after which there is no more */
  char message[2048];
} transform_stream;

/* ---- the input ---- */

static bool goes_on(void *ctx, const char *name, size_t length, int64_t hi) {
  const transform_stream *s = ctx;
  char *base = aq_strndup(name, length);
  const int64_t i = base != NULL ? aq_strmap_get(&s->places, base) : -1;
  aq_free(base);
  return i >= 0 && s->plan.tensors[i].rank > 0 && hi < s->plan.tensors[i].shape[0];
}

static bool is_same_tensor(const aq_tensor_info *a, const aq_tensor_info *b) {
  bool same = a->dtype == b->dtype && a->quant_type == b->quant_type && a->rank == b->rank;
  for (int32_t i = 0; same && i < a->rank; i++) same = a->shape[i] == b->shape[i];
  return same;
}

/* Its entry of the plan, not tied: a row of the stream is a row, with what its owner becomes. */
static aq_status find_entry(transform_stream *s, const aq_tensor_info *t, aq_plan_entry *out, aq_error *err) {
  const int64_t i = aq_strmap_get(&s->places, t->name);
  if (i < 0) {
    (void)aq_fail(err, AQ_ERR_NO_MATCH, "the plan has no entry for it");
    return aq_error_hint(err, AQ_ERR_NO_MATCH, "Make the plan from a source with the tensors of the stream");
  }
  AQ_FAIL_IF(s->seen[i], AQ_ERR_FORMAT, "two tensors have this name");
  AQ_FAIL_IF(!is_same_tensor(t, &s->plan.tensors[i]), AQ_ERR_FORMAT,
             "it has another dtype, shape or quantization than the tensor that the plan is for");
  s->seen[i] = true;
  *out = s->plan.entries[aq_plan_owner(&s->plan, (size_t)i)];
  return AQ_OK;
}

static void drop_source(transform_stream *s) {
  aq_source_close(s->source);
  aq_free(s->entries);
  s->source = NULL;
  s->entries = NULL;
  s->next = 0;
}

/* The next tensors of the input; s->source is NULL at its end. */
static aq_status pull_source(transform_stream *s, aq_error *err) {
  drop_source(s);
  AQ_TRY(aq_arrow_import_next(s->in, goes_on, s, &s->source, err));
  if (s->source == NULL) return AQ_OK;
  const size_t count = s->source->tensor_count;
  s->entries = aq_calloc(AQ_MAX(count, 1), sizeof *s->entries);
  if (s->entries == NULL) return aq_fail_memory(err, count * sizeof *s->entries);
  for (size_t i = 0; i < count; i++) {
    const aq_status status = find_entry(s, &s->source->tensors[i], &s->entries[i], err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, s->source->names[i]);
    s->entries[i].tied = true; /* until its turn: the transform leaves it out */
  }
  return AQ_OK;
}

/* ---- the output ---- */

/* As many of the tensors at hand as fit a batch, at least one; returns the end of them. */
static size_t choose_tensors(const transform_stream *s) {
  uint64_t total = 0;
  size_t end = s->next;
  while (end < s->source->tensor_count) {
    const uint64_t bytes = aq_plan_entry_bytes(&s->source->tensors[end], &s->entries[end]);
    if (end > s->next && (total > out_limits.batch_bytes || bytes > out_limits.batch_bytes - total)) break;
    total = bytes > UINT64_MAX - total ? UINT64_MAX : total + bytes;
    end++;
  }
  return end;
}

static aq_status write_rows(transform_stream *s, aq_sink *sink, aq_error *err) {
  const aq_plan plan = {s->entries, s->source->tensor_count, NULL};
  const aq_transform transform = {.stage = "transform", .source = s->source, .plan = &plan, .run = &s->run};
  const size_t first = s->next, end = choose_tensors(s);
  for (size_t i = first; i < end; i++) s->entries[i].tied = false;
  const aq_status status = aq_transform_write(&transform, &s->limits, &s->batch, sink, err);
  for (size_t i = first; i < end; i++) s->entries[i].tied = true;
  aq_row_batch_clear(&s->batch);
  s->next = end;
  return status;
}

/* Makes the next rows, of the tensors at hand or of the next ones; none at the end of the input. */
static aq_status make_rows(transform_stream *s, aq_error *err) {
  aq_sink *sink;
  aq_source *rows;
  if (s->source == NULL || s->next == s->source->tensor_count) AQ_TRY(pull_source(s, err));
  if (s->source == NULL) return AQ_OK;
  AQ_TRY(aq_memory_sink_create(s->batch.pool, &sink, err));
  const aq_status written = write_rows(s, sink, err);
  if (written != AQ_OK) {
    aq_sink_abort(sink);
    return written;
  }
  AQ_TRY(aq_memory_sink_finish(sink, &rows, err));
  const aq_status status = aq_arrow_export(rows, &out_limits, &s->ready, err);
  aq_source_close(rows); /* the stream and its batches keep it */
  return status;
}

/* ---- the functions of the stream ---- */

static int fail_stream(transform_stream *s, const aq_error *err) {
  (void)aq_error_format(err, s->message, sizeof s->message);
  return err->code == AQ_ERR_MEMORY ? ENOMEM : err->code == AQ_ERR_UNSUPPORTED ? ENOTSUP : EIO;
}

static int get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
  transform_stream *s = self->private_data;
  aq_error err;
  aq_error_clear(&err);
  *out = (struct ArrowSchema){0};
  const aq_status status = aq_arrow_schema_make(aq_arrow_import_schema(s->in), 2, true, out, &err);
  return status == AQ_OK ? 0 : fail_stream(s, &err);
}

/* The next batch of the rows that are made; *out without a release when they are used up. */
static int take_ready(transform_stream *s, struct ArrowArray *out) {
  const int code = s->ready.get_next(&s->ready, out);
  if (code != 0) {
    const char *words = s->ready.get_last_error(&s->ready);
    aq_error err;
    aq_error_clear(&err);
    (void)aq_fail(&err, AQ_ERR_IO, "%.500s", words != NULL ? words : strerror(code));
    (void)fail_stream(s, &err);
    return code;
  }
  if (out->release == NULL) s->ready.release(&s->ready);
  return 0;
}

static int get_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
  transform_stream *s = self->private_data;
  aq_error err;
  aq_error_clear(&err);
  *out = (struct ArrowArray){0}; /* without a release: the end of the stream */
  while (s->failed == 0) {
    if (s->ready.release == NULL) {
      if (make_rows(s, &err) != AQ_OK) {
        s->failed = fail_stream(s, &err);
        break;
      }
      if (s->ready.release == NULL) return 0; /* the end */
    }
    s->failed = take_ready(s, out);
    if (out->release != NULL) return 0;
  }
  return s->failed;
}

static const char *get_last_error(struct ArrowArrayStream *self) {
  const transform_stream *s = self->private_data;
  return s->message[0] != '\0' ? s->message : NULL;
}

static void free_stream(transform_stream *s) {
  if (s->ready.release != NULL) s->ready.release(&s->ready);
  drop_source(s);
  aq_arrow_import_close(s->in);
  aq_row_batch_reset(&s->batch);
  aq_strmap_reset(&s->places);
  aq_free(s->seen);
  aq_plan_reset(&s->plan);
  aq_free(s);
}

static void release_stream(struct ArrowArrayStream *self) {
  transform_stream *s = self->private_data;
  self->release = NULL;
  free_stream(s);
}

/* ---- handing it out ---- */

/* Scales that are found from more than a tensor are not for a stream to find. */
static aq_status check_plan(const aq_plan *plan, aq_error *err) {
  for (size_t i = 0; i < plan->count; i++) {
    const aq_plan_entry *e = &plan->entries[i];
    if (!aq_plan_entry_is_open(e, AQ_RD) && !aq_plan_entry_is_open(e, AQ_GPTQ)) continue;
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "the plan has no scales for it, and method %s finds them by a search",
                  e->scheme.method == AQ_RD ? "rd" : "gptq");
    (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Plan with method minmax or mse, or quantize with `save_plan_path`");
    return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, e->name);
  }
  return AQ_OK;
}

static aq_status open_stream(transform_stream *s, const aq_plan *plan, aq_error *err) {
  AQ_TRY(check_plan(plan, err));
  AQ_TRY(aq_plan_copy(plan, &s->plan, err));
  s->seen = aq_calloc(AQ_MAX(plan->count, 1), sizeof *s->seen);
  if (s->seen == NULL) return aq_fail_memory(err, plan->count);
  for (size_t i = 0; i < plan->count; i++) {
    AQ_TRY(aq_strmap_add(&s->places, s->plan.entries[i].name, (int64_t)i, NULL, err));
  }
  AQ_TRY(aq_transform_limits_find(&s->run, &defaults, &s->limits, err));
  return aq_row_batch_init(&s->batch, s->limits.threads, err);
}

/* Takes the stream `in` over whatever happens. */
static aq_status start_stream(struct ArrowArrayStream *in, const aq_plan *plan, const aq_run_options *run,
                              struct ArrowArrayStream *out, aq_error *err) {
  transform_stream *s = aq_calloc(1, sizeof *s);
  if (s == NULL) {
    in->release(in);
    return aq_fail_memory(err, sizeof *s);
  }
  if (run != NULL) s->run = *run;
  s->run.progress = NULL;
  aq_status status = aq_arrow_import_open(in, &s->in, err);
  if (status == AQ_OK) status = open_stream(s, plan, err);
  if (status != AQ_OK) {
    free_stream(s);
    return status;
  }
  *out = (struct ArrowArrayStream){.get_schema = get_schema,
                                   .get_next = get_next,
                                   .get_last_error = get_last_error,
                                   .release = release_stream,
                                   .private_data = s};
  return AQ_OK;
}

aq_status aq_transform_stream(struct ArrowArrayStream *in, const aq_plan *plan, const aq_run_options *run,
                              struct ArrowArrayStream *out, aq_error *err) {
  aq_error_clear(err);
  if (out != NULL) out->release = NULL;
  AQ_FAIL_IF(in == NULL || in->release == NULL, AQ_ERR_ARGUMENT, "the Arrow stream was released already");
  aq_status status = AQ_OK;
  if (out == NULL || plan == NULL) status = aq_fail(err, AQ_ERR_ARGUMENT, "a plan and a stream to fill are needed");
  if (status == AQ_OK && run != NULL) status = AQ_RESERVED_CHECK(run, "run", err);
  if (status == AQ_OK) return start_stream(in, plan, run, out, err);
  in->release(in);
  return status;
}
