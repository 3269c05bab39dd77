/* gptq.c - codes rounded with feedback over a layer's inputs. */
#include "search/gptq.h"

#include <string.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "kernels/kernels.h"
#include "quant/feedback.h"
#include "tensor/dtype.h"

#define COLUMNS_MAX ((size_t)32768) /* the factor of the inputs has their square */
#define PIECE_ROWS ((size_t)64)     /* of inputs that are added at one go */

/* Damping, of the mean diagonal: more and more until the matrix can be factored. */
static const double dampings[] = {0.01, 0.1, 1};

typedef struct gptq_job {
  const aq_source *source;
  const aq_quantize_options *options;
  const aq_search_backend *backend;
  aq_plan *plan;
  aq_encoded *encoded; /* one a tensor of the source */
} gptq_job;

/* One tensor in the making. */
typedef struct gptq_tensor {
  size_t index, rows, cols, span, spans;
  float *w, *scales, *zeros; /* scales as aq_feedback wants them, a span each */
  float *second, *l, *d;
  int8_t *codes;
} gptq_tensor;

bool aq_gptq_wanted(const aq_plan *plan) {
  for (size_t i = 0; i < plan->count; i++) {
    if (aq_plan_entry_is_open(&plan->entries[i], AQ_GPTQ)) return true;
  }
  return false;
}

/* ---- inputs ---- */

/* Rows [first, first + n) of the inputs. The kernel adds the last product first: the rows are turned round, so that
 * they are added in their order. piece: room for two times PIECE_ROWS rows. */
static void add_piece(const aq_activations *a, uint64_t first, size_t n, float *piece, gptq_tensor *t) {
  const size_t cols = t->cols;
  const float scale = 1 / (float)AQ_MAX(a->rows, 1);
  float *scaled = piece, *plain = piece + PIECE_ROWS * cols;
  for (size_t r = 0; r < n; r++) {
    const float *x = a->values + (first + r) * cols;
    const size_t at = (n - 1 - r) * cols;
    memcpy(plain + at, x, cols * sizeof *x);
    for (size_t i = 0; i < cols; i++) scaled[at + i] = x[i] * scale;
  }
  const aq_rank_update u = {.m = cols,
                            .n = cols,
                            .k = n,
                            .a = scaled,
                            .a_row = 1,
                            .a_step = cols,
                            .b = plain,
                            .ldb = cols,
                            .c = t->second,
                            .ldc = cols};
  aq_kernels_get()->rank_update_f32(&u);
}

static aq_status add_activations(const aq_activations *a, gptq_tensor *t, const char *name, aq_error *err) {
  if (a->cols != t->cols) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "its inputs have %llu columns; the weight has %zu", (unsigned long long)a->cols,
                  t->cols);
    return aq_error_in_tensor(err, AQ_ERR_ARGUMENT, name);
  }
  float *piece = aq_realloc_array(NULL, 2 * PIECE_ROWS * t->cols, sizeof *piece);
  if (piece == NULL) return aq_fail_memory(err, 2 * PIECE_ROWS * t->cols * sizeof *piece);
  for (uint64_t first = 0; first < a->rows; first += PIECE_ROWS) {
    add_piece(a, first, (size_t)AQ_MIN(a->rows - first, (uint64_t)PIECE_ROWS), piece, t);
  }
  aq_free(piece);
  return AQ_OK;
}

/* Whether a tensor is t, or is tied to it. */
static bool is_same(const gptq_job *job, const gptq_tensor *t, size_t tensor) {
  return tensor == t->index || job->source->tensors[tensor].alias_of == (int32_t)t->index;
}

/* Second moments of the inputs into t->second, of all layers that are this tensor; false in *known when nobody knows
 * them. */
static aq_status find_inputs(const gptq_job *job, gptq_tensor *t, bool *known, aq_error *err) {
  *known = false;
  for (size_t i = 0; i < job->options->search->activation_count; i++) {
    const char *name = job->options->search->activations[i].tensor;
    if (!is_same(job, t, (size_t)aq_source_find(job->source, name))) continue;
    *known = true;
    AQ_TRY(add_activations(&job->options->search->activations[i], t, name, err));
  }
  if (*known || job->backend->ops->add_input_moments == NULL) return AQ_OK;
  return job->backend->ops->add_input_moments(job->backend, job->source, t->index, t->second, known, err);
}

static bool factor_inputs(gptq_tensor *t) {
  for (size_t i = 0; i < AQ_COUNT_OF(dampings); i++) {
    if (aq_ldl(t->second, t->cols, dampings[i], t->l, t->d, NULL) == AQ_OK) return true;
  }
  return false;
}

/* ---- one tensor ---- */

static aq_status fit_scales(const gptq_job *job, gptq_tensor *t, aq_error *err) {
  const aq_plan_entry *e = &job->plan->entries[t->index];
  const size_t total = t->rows * t->cols;
  const bool whole = e->quant_axis < 0;
  for (size_t i = 0; i < t->spans; i++) {
    const size_t at = whole ? 0 : i * t->span, n = whole ? total : t->span;
    if (whole && i > 0) {
      t->scales[i] = t->scales[0];
      t->zeros[i] = t->zeros[0];
    } else if (!aq_fit_span(&e->scheme, t->w + at, n, &t->scales[i], &t->zeros[i])) {
      (void)aq_fail(err, AQ_ERR_NONFINITE, "holds NaN or infinite values; gptq needs finite ones");
      return aq_error_in_tensor(err, AQ_ERR_NONFINITE, job->source->tensors[t->index].name);
    }
  }
  return AQ_OK;
}

/* Scales and codes become the finished tensor's, and the plan's. */
static aq_status finish_tensor(const gptq_job *job, gptq_tensor *t, aq_error *err) {
  aq_plan_entry *e = &job->plan->entries[t->index];
  aq_encoded *out = &job->encoded[t->index];
  char *rule = aq_format("%s; rounded for its inputs", e->rule);
  if (rule == NULL) return aq_fail_memory(err, 128);
  aq_free(e->rule);
  e->rule = rule;
  *out = (aq_encoded){.count = (uint64_t)t->rows * t->cols,
                      .type = e->scheme.type,
                      .quant_axis = e->quant_axis,
                      .group_size = e->group_size,
                      .span_length = e->span_length,
                      .span_count = e->quant_axis < 0 ? 1 : t->spans,
                      .scales = t->scales,
                      .zero_points = t->zeros,
                      .codes = t->codes};
  t->scales = t->zeros = NULL;
  t->codes = NULL;
  return aq_encoded_describe(out, e, err);
}

static aq_status round_tensor(const gptq_job *job, gptq_tensor *t, aq_error *err) {
  const aq_plan_entry *e = &job->plan->entries[t->index];
  AQ_TRY(aq_source_read_f32(job->source, t->index, 0, (uint64_t)t->rows * t->cols, t->w, err));
  AQ_TRY(fit_scales(job, t, err));
  const aq_feedback f = {.rows = t->rows,
                         .cols = t->cols,
                         .w = t->w,
                         .input_l = t->l,
                         .input_gain = 1,
                         .output_gain = 1,
                         .scales = t->scales,
                         .zero_points = t->zeros,
                         .span = t->span,
                         .qmin = aq_quant_min(e->scheme.type),
                         .qmax = aq_quant_max(e->scheme.type)};
  AQ_TRY(aq_feedback_round(&f, job->backend->pool, t->codes, err));
  return finish_tensor(job, t, err);
}

/* Without inputs a tensor is what mse makes of it. */
static aq_status fall_back_to_nearest(const gptq_job *job, size_t index, const char *why, aq_error *err) {
  aq_plan_entry *e = &job->plan->entries[index];
  char *rule = aq_format("%s; %s: rounded to nearest", e->rule, why);
  if (rule == NULL) return aq_fail_memory(err, 128);
  aq_free(e->rule);
  e->rule = rule;
  e->scheme.method = AQ_MSE;
  return AQ_OK;
}

static aq_status allocate_tensor(gptq_tensor *t, aq_error *err) {
  const size_t total = t->rows * t->cols, square = t->cols * t->cols;
  t->w = aq_realloc_array(NULL, total, sizeof *t->w);
  t->codes = aq_malloc(total);
  t->scales = aq_calloc(t->spans, sizeof *t->scales);
  t->zeros = aq_calloc(t->spans, sizeof *t->zeros);
  t->second = aq_calloc(square, sizeof *t->second);
  t->l = aq_realloc_array(NULL, square, sizeof *t->l);
  t->d = aq_calloc(t->cols, sizeof *t->d);
  const bool all = t->w != NULL && t->codes != NULL && t->scales != NULL && t->zeros != NULL && t->second != NULL &&
                   t->l != NULL && t->d != NULL;
  return all ? AQ_OK : aq_fail_memory(err, (total + 2 * square) * sizeof(float));
}

static void reset_tensor(gptq_tensor *t) {
  aq_free(t->w);
  aq_free(t->codes);
  aq_free(t->scales);
  aq_free(t->zeros);
  aq_free(t->second);
  aq_free(t->l);
  aq_free(t->d);
}

static aq_status round_for_inputs(const gptq_job *job, size_t index, aq_error *err) {
  const aq_tensor_info *info = &job->source->tensors[index];
  const aq_plan_entry *e = &job->plan->entries[index];
  if (info->rank != 2 || info->num_params == 0) return fall_back_to_nearest(job, index, "not a matrix", err);
  gptq_tensor t = {.index = index, .rows = (size_t)info->shape[0], .cols = (size_t)info->shape[1]};
  t.span = e->group_size > 0 ? (size_t)e->group_size : t.cols;
  if (t.cols > COLUMNS_MAX) return fall_back_to_nearest(job, index, "too many columns", err);
  if (t.cols % t.span != 0) return fall_back_to_nearest(job, index, "groups cross rows", err);
  t.spans = t.rows * (t.cols / t.span);
  bool known = false;
  aq_status status = allocate_tensor(&t, err);
  if (status == AQ_OK) status = find_inputs(job, &t, &known, err);
  if (status == AQ_OK && !known) {
    status = fall_back_to_nearest(job, index, "no inputs of it are known", err);
  } else if (status == AQ_OK && !factor_inputs(&t)) {
    status = fall_back_to_nearest(job, index, "its inputs cannot be factored", err);
  } else if (status == AQ_OK) {
    status = round_tensor(job, &t, err);
  }
  reset_tensor(&t);
  return status;
}

/* Names of activations are checked first: a misspelled one must not go unnoticed. */
static aq_status check_names(const gptq_job *job, aq_error *err) {
  for (size_t i = 0; i < job->options->search->activation_count; i++) {
    const char *name = job->options->search->activations[i].tensor;
    AQ_TRY(AQ_RESERVED_CHECK(&job->options->search->activations[i], "activations", err));
    AQ_FAIL_IF(aq_source_find(job->source, name) < 0, AQ_ERR_NO_MATCH,
               "activations are given for '%.200s', which is no tensor of the source", name);
  }
  return AQ_OK;
}

aq_status aq_gptq_make(const aq_source *source, const aq_quantize_options *options, const aq_search_backend *backend,
                       aq_plan *plan, aq_encoded *encoded, aq_error *err) {
  const gptq_job job = {source, options, backend, plan, encoded};
  AQ_TRY(check_names(&job, err));
  if (backend->ops->add_input_moments == NULL && options->search->activation_count == 0) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "method gptq needs to see what goes into the layers");
    return aq_error_hint(err, AQ_ERR_ARGUMENT, "Add `calib=FILE` or `calib=builtin` for a model that can be run");
  }
  aq_progress progress;
  aq_progress_begin(&progress, &options->run, "gptq", plan->count, 0);
  for (size_t i = 0; i < plan->count; i++) {
    if (source->tensors[i].alias_of < 0 && aq_plan_entry_is_open(&plan->entries[i], AQ_GPTQ)) {
      AQ_TRY(round_for_inputs(&job, i, err));
    }
    AQ_TRY(aq_progress_add(&progress, source->tensors[i].name, 1, 0, err));
  }
  return aq_plan_share_ties(plan, err);
}
