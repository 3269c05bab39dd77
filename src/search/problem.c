/* problem.c - what tensors cost at a lambda. Where all values are not at hand, evenly spaced rows stand for them: a row
 * is what shares a step, so that a sample of rows has the entropy of the whole. */
#include "search/problem.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "model/facts.h"
#include "parquet/format.h"
#include "parquet/write/page_write.h"
#include "quant/scheme.h"
#include "search/data_free.h"
#include "tensor/dtype.h"
#include "transform/row_job.h"

#define SAMPLE_WEIGHTS ((size_t)1 << 18)

/* ---- compressed sizes ---- */

typedef struct sizer {
  const aq_search_problem *set;
  uint32_t worker;
} sizer;

/* Of a sample, without what a page has beside. Without memory to compress, bytes count as they are. */
static size_t size_in(const sizer *s, int codec, int level, const uint8_t *bytes, size_t size) {
  if (codec == AQ_PQ_UNCOMPRESSED) return size;
  aq_buffer out = {NULL, 0, 0};
  const aq_status status =
      aq_compress(&s->set->compressors[s->worker], codec, level, AQ_PAGE_INSIDE, bytes, size, &out, NULL);
  const size_t packed = status == AQ_OK ? out.size : size;
  aq_buffer_reset(&out);
  return !s->set->codec.decide || aq_saves_percent(size, packed, AQ_WORTH_PERCENT) ? packed : size;
}

/* Layouts are compared by quick zstd instead of brotli, which is ten times slower and prefers the same ones. */
static size_t compared_size(void *ctx, const uint8_t *bytes, size_t size) {
  const sizer *s = ctx;
  const aq_codec_setting *file = &s->set->codec;
  const bool quick = file->codec == AQ_PQ_BROTLI || file->level == AQ_ZSTD_OWN_SETTINGS;
  return quick ? size_in(s, AQ_PQ_ZSTD, AQ_ZSTD_QUICK_SETTINGS, bytes, size)
               : size_in(s, file->codec, file->level, bytes, size);
}

static aq_status page_bytes(const sizer *s, int codec, const uint8_t *value, size_t size, uint64_t *bytes,
                            aq_error *err) {
  const bool all = s->worker == AQ_ALL_WORKERS;
  aq_compressor *compressors = s->set->compressors + (all ? 0 : s->worker);
  return aq_blob_page_bytes(all ? s->set->pool : NULL, compressors, codec, s->set->codec.level, value, size, bytes,
                            err);
}

/* Of the page that the writer will make of a value. Where compression saves little, the writer may leave it, as it goes
 * by all tensors of a row group together: what is more counts. */
static aq_status add_page(const sizer *s, int codec, const uint8_t *value, size_t size, uint64_t *bytes,
                          aq_error *err) {
  uint64_t page, plain;
  AQ_TRY(page_bytes(s, codec, value, size, &page, err));
  if (s->set->codec.decide && !aq_saves_percent(size, page, 2 * AQ_WORTH_PERCENT)) {
    AQ_TRY(page_bytes(s, AQ_PQ_UNCOMPRESSED, value, size, &plain, err));
    page = AQ_MAX(page, plain);
  }
  *bytes += page;
  return AQ_OK;
}

static aq_status add_codes(const sizer *s, const int8_t *codes, size_t count, aq_quant_type type, uint64_t *bytes,
                           aq_error *err) {
  const int codec = s->set->codec.codec;
  if (type == AQ_INT8) return add_page(s, codec, (const uint8_t *)codes, count, bytes, err);
  const size_t size = (count * aq_quant_type_bits(type) + 7) / 8;
  uint8_t *packed = aq_malloc(AQ_MAX(size, 1));
  if (packed == NULL) return aq_fail_memory(err, size);
  aq_pack_codes(type, codes, count, packed);
  const aq_status status = add_page(s, codec, packed, size, bytes, err);
  aq_free(packed);
  return status;
}

/* Scales repeat, so that the writer takes zstd for them where it has the choice. */
static aq_status add_scales(const sizer *s, const float *steps, size_t count, uint64_t *bytes, aq_error *err) {
  const int codec = s->set->codec.codec == AQ_PQ_BROTLI ? AQ_PQ_ZSTD : s->set->codec.codec;
  const size_t size = count * sizeof *steps;
  uint8_t *zeros = aq_calloc(AQ_MAX(size, 1), 1);
  if (zeros == NULL) return aq_fail_memory(err, size);
  aq_status status = add_page(s, codec, (const uint8_t *)(const void *)steps, size, bytes, err);
  if (status == AQ_OK) status = add_page(s, codec, zeros, size, bytes, err);
  aq_free(zeros);
  return status;
}

/* A tensor in parts is so many pages more. */
aq_status aq_search_item_stored_bytes(const aq_search_problem *set, const aq_search_item *item, const int8_t *codes,
                                      const aq_rd_choice *choice, uint32_t worker, uint64_t *bytes, aq_error *err) {
  const sizer s = {set, worker};
  const size_t span = aq_search_item_span(item, choice), a_row = item->cols / span;
  const size_t part = (size_t)AQ_MAX(set->part_params / item->cols, 8) / 8 * 8; /* rows, in whole bytes */
  *bytes = 0;
  for (size_t row = 0; row < item->rows; row += part) {
    const size_t rows = AQ_MIN(part, item->rows - row);
    AQ_TRY(add_codes(&s, codes + row * item->cols, rows * item->cols, choice->type, bytes, err));
    AQ_TRY(add_scales(&s, choice->steps + row * a_row, rows * a_row, bytes, err));
  }
  return AQ_OK;
}

/* ---- choosing ---- */

aq_status aq_search_item_choose(const aq_search_problem *set, const aq_search_item *item, const float *w, double lambda,
                                uint32_t worker, aq_rd_choice *out, aq_error *err) {
  const aq_rd_matrix m = {.w = w,
                          .rows = item->rows,
                          .cols = item->cols,
                          .sensitivity = item->sensitivity,
                          .narrow = item->narrow,
                          .wide = item->wide};
  sizer s = {set, worker};
  return aq_rd_choose(&m, lambda, SAMPLE_WEIGHTS, compared_size, &s, out, err);
}

static aq_status count_nearest(const aq_search_problem *set, const aq_search_item *item, const float *w,
                               aq_rd_choice *choice, uint32_t worker, aq_error *err) {
  const aq_kernels *k = aq_kernels_get();
  const size_t count = item->rows * item->cols;
  const size_t span = aq_search_item_span(item, choice);
  int8_t *codes = aq_malloc(AQ_MAX(count, 1));
  if (codes == NULL) return aq_fail_memory(err, count);
  for (size_t at = 0, i = 0; at < count; at += span, i++) {
    k->quantize_f32(w + at, AQ_MIN(span, count - at), choice->steps[i], 0, aq_quant_min(choice->type),
                    aq_quant_max(choice->type), codes + at);
  }
  uint64_t bytes = 0;
  const aq_status status = aq_search_item_stored_bytes(set, item, codes, choice, worker, &bytes, err);
  choice->bits = 8 * (double)bytes;
  aq_free(codes);
  return status;
}

aq_status aq_search_item_round_to_nearest(const aq_search_problem *set, aq_search_item *item, double lambda,
                                          uint32_t worker, aq_rd_choice *out, aq_error *err) {
  const size_t values = item->rows * item->cols;
  float *w = aq_realloc_array(NULL, values, sizeof *w);
  if (w == NULL) return aq_fail_memory(err, values * sizeof *w);
  aq_status status = aq_source_read_f32(set->source, item->tensor, 0, values, w, err);
  if (status == AQ_OK) status = aq_search_item_choose(set, item, w, lambda, worker, out, err);
  if (status == AQ_OK) status = count_nearest(set, item, w, out, worker, err);
  item->bits = out->bits;
  item->loss = out->loss;
  aq_free(w);
  return status;
}

typedef struct estimate {
  aq_search_problem *set;
  double lambda;
} estimate;

static aq_status estimate_item(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const estimate *e = ctx;
  const aq_search_problem *set = e->set;
  aq_search_item *item = &e->set->items[i];
  const double lambda = e->lambda;
  sizer s = {set, worker};
  aq_rd_choice choice = {0};
  double part = 1;
  aq_status status;
  if (item->sample == NULL) {
    status = aq_search_item_choose(set, item, item->factors->w, lambda, worker, &choice, err);
  } else {
    const aq_rd_matrix m = {.w = item->sample,
                            .rows = item->sample_rows,
                            .cols = item->cols,
                            .sensitivity = item->sample_sensitivity,
                            .narrow = item->narrow,
                            .wide = item->wide};
    status = aq_rd_choose(&m, lambda, 0, compared_size, &s, &choice, err);
    part = (double)item->rows / (double)item->sample_rows;
  }
  item->bits = choice.bits * part + 8 * (double)aq_search_item_header_bytes(item->rows * item->cols);
  item->loss = choice.loss * part;
  aq_rd_choice_reset(&choice);
  return status;
}

aq_status aq_search_problem_estimate_bits(aq_search_problem *set, double lambda, double *bits, aq_error *err) {
  estimate e = {set, lambda};
  *bits = 0;
  AQ_TRY(aq_pool_run(set->pool, set->count, estimate_item, &e, err));
  for (size_t i = 0; i < set->count; i++) *bits += set->items[i].bits;
  return AQ_OK;
}

aq_status aq_search_item_fix_entry(const aq_search_item *item, const aq_tensor_info *t, aq_rd_choice *choice,
                                   const char *target, aq_plan_entry *entry, aq_error *err) {
  char *rule = aq_format("%s; %s", target, item->why);
  if (rule == NULL) return aq_fail_memory(err, 256);
  aq_free(entry->rule);
  aq_plan_entry_drop_scales(entry);
  const bool rows_of_axis_0 = t->rank >= 2 && (uint64_t)t->shape[0] == item->rows;
  const int32_t group = choice->group_size > 0 ? choice->group_size : rows_of_axis_0 ? 0 : (int32_t)item->cols;
  entry->rule = rule;
  entry->scheme = (aq_scheme){choice->type, AQ_RD, true};
  entry->quant_axis = 0;
  entry->group_size = group;
  entry->span_length = group > 0 ? (uint64_t)group : item->cols;
  entry->scales = choice->steps;
  entry->scale_count = choice->span_count;
  entry->bits = item->bits / (double)t->num_params;
  entry->loss = item->factors != NULL ? item->loss : 0; /* else its unit is arbitrary */
  choice->steps = NULL;
  return AQ_OK;
}

/* ---- the set ---- */

/* Rows of a tensor: slices of axis 0, but of stacks of matrices rows of the last axis. */
static void shape_of(const aq_tensor_info *t, size_t *rows, size_t *cols) {
  enum { ROW_MIN = 32 };
  const uint64_t last = t->rank > 0 ? (uint64_t)t->shape[t->rank - 1] : 1;
  *rows = t->rank < 2 ? 1 : (size_t)t->shape[0];
  if (t->rank > 2 && last >= ROW_MIN && last <= INT32_MAX) *rows = (size_t)(t->num_params / last);
  *cols = (size_t)(t->num_params / *rows);
}

static aq_status take_sample(const aq_source *source, aq_search_item *item, aq_error *err) {
  const size_t most = AQ_MAX(SAMPLE_WEIGHTS / item->cols, 1);
  item->sample_rows = AQ_MIN(item->rows, most);
  item->sample = aq_realloc_array(NULL, item->sample_rows * item->cols, sizeof(float));
  item->sample_sensitivity = aq_calloc(item->sample_rows, sizeof(float));
  if (item->sample == NULL || item->sample_sensitivity == NULL) {
    return aq_fail_memory(err, item->sample_rows * item->cols * sizeof(float));
  }
  for (size_t i = 0; i < item->sample_rows; i++) {
    const size_t row = (size_t)((double)i * (double)item->rows / (double)item->sample_rows);
    item->sample_sensitivity[i] = item->sensitivity[row];
    AQ_TRY(aq_source_read_f32(source, item->tensor, (uint64_t)row * item->cols, item->cols,
                              item->sample + i * item->cols, err));
  }
  return AQ_OK;
}

/* The matrix of the encoder that is this tensor, or is tied to it. */
static const aq_fisher_factors *find_weighed(const aq_source *source, size_t tensor, const aq_fisher_factors *factors,
                                             size_t count) {
  for (size_t i = 0; i < count; i++) {
    const int32_t owner = source->tensors[factors[i].tensor].alias_of;
    if (factors[i].tensor == tensor || owner == (int32_t)tensor) return &factors[i];
  }
  return NULL;
}

static double mean_square(const float *w, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)w[i] * (double)w[i];
  return n > 0 ? sum / (double)n : 0;
}

/* What the least sensitive matrix of the encoder loses by an error as large as the weights are. */
static double least_relative(const aq_fisher_factors *factors, size_t count) {
  double least = INFINITY;
  for (size_t i = 0; i < count; i++) {
    double sum = 0;
    for (size_t r = 0; r < factors[i].rows; r++) sum += log((double)factors[i].sensitivity[r]);
    const double scale = mean_square(factors[i].w, factors[i].rows * factors[i].cols);
    if (scale > 0) least = fmin(least, exp(sum / (double)factors[i].rows) * scale);
  }
  return least;
}

/* A tensor that the encoder does not use, as it does not use a pooler: no text says anything about it. */
static aq_status plan_unused(const aq_search_problem *set, double relative, aq_search_item *item, aq_error *err) {
  item->own_sensitivity = aq_calloc(item->rows, sizeof(float));
  if (item->own_sensitivity == NULL) return aq_fail_memory(err, item->rows * sizeof(float));
  item->sensitivity = item->own_sensitivity;
  item->narrow = 0.25F;
  item->wide = 4;
  item->why = "not used for embeddings: as the least sensitive matrix";
  for (size_t i = 0; i < item->rows; i++) item->own_sensitivity[i] = 1;
  AQ_TRY(take_sample(set->source, item, err));
  const double scale = fmax(mean_square(item->sample, item->sample_rows * item->cols), 1e-30);
  for (size_t i = 0; i < item->rows; i++) item->own_sensitivity[i] = (float)fmin(relative / scale, 1e30);
  for (size_t i = 0; i < item->sample_rows; i++) item->sample_sensitivity[i] = item->own_sensitivity[0];
  return AQ_OK;
}

static aq_status plan_weighed(const aq_search_problem *set, const aq_fisher_factors *factors, size_t factor_count,
                              double relative, aq_search_item *item, aq_error *err) {
  const aq_fisher_factors *w = find_weighed(set->source, item->tensor, factors, factor_count);
  if (w == NULL) return plan_unused(set, relative, item, err);
  item->factors = w;
  item->sensitivity = w->sensitivity;
  item->narrow = w->narrow;
  item->wide = w->wide;
  item->why = w->why;
  return AQ_OK;
}

/* ---- models that are not run ---- */

#define LOOK_ROWS_BYTES ((uint64_t)4 << 20)

typedef struct looking {
  const aq_search_problem *set;
  const aq_plan *plan;
  aq_tensor_scan *scans; /* of all tensors of the source */
} looking;

/* What is done with the rows of a tensor, from `first` on. */
typedef void (*take_rows_fn)(aq_tensor_scan *scan, uint64_t first, const float *values, uint64_t rows);

static void take_moments(aq_tensor_scan *scan, uint64_t first, const float *values, uint64_t rows) {
  (void)first;
  aq_tensor_scan_add_rows(scan, values, rows);
}

static aq_status read_rows(const aq_source *source, size_t tensor, aq_tensor_scan *scan, take_rows_fn take,
                           aq_error *err) {
  const uint64_t chunk = AQ_MAX(LOOK_ROWS_BYTES / sizeof(float) / scan->cols, 1);
  float *values = aq_realloc_array(NULL, (size_t)(chunk * scan->cols), sizeof *values);
  if (values == NULL) return aq_fail_memory(err, (size_t)(chunk * scan->cols) * sizeof *values);
  aq_status status = AQ_OK;
  for (uint64_t row = 0; status == AQ_OK && row < scan->rows; row += chunk) {
    const uint64_t n = AQ_MIN(chunk, scan->rows - row);
    status = aq_source_read_f32(source, tensor, row * scan->cols, n * scan->cols, values, err);
    if (status == AQ_OK) take(scan, row, values, n);
  }
  aq_free(values);
  return status;
}

/* A bias has the name of its weights but for the end. *found is -1 where there is none. */
static aq_status find_bias(const aq_source *source, const char *name, int64_t *found, aq_error *err) {
  static const char weight[] = "weight", bias[] = "bias";
  const size_t length = strlen(name);
  *found = -1;
  if (length < sizeof weight || strcmp(name + length - (sizeof weight - 1), weight) != 0) return AQ_OK;
  char *other = aq_format("%.*s%s", (int)(length - (sizeof weight - 1)), name, bias);
  if (other == NULL) return aq_fail_memory(err, length);
  *found = aq_source_find(source, other);
  aq_free(other);
  return AQ_OK;
}

static aq_status read_bias(const aq_source *source, aq_tensor_scan *scan, aq_error *err) {
  int64_t tensor;
  AQ_TRY(find_bias(source, scan->name, &tensor, err));
  if (tensor < 0 || source->tensors[tensor].num_params != scan->rows) return AQ_OK;
  float *bias = aq_realloc_array(NULL, (size_t)scan->rows, sizeof *bias);
  if (bias == NULL) return aq_fail_memory(err, (size_t)scan->rows * sizeof *bias);
  const aq_status status = aq_source_read_f32(source, (size_t)tensor, 0, scan->rows, bias, err);
  if (status == AQ_OK) aq_tensor_scan_add_bias(scan, bias);
  aq_free(bias);
  return status;
}

static aq_status look_at(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const looking *l = ctx;
  const aq_source *source = l->set->source;
  const aq_tensor_info *t = &source->tensors[i];
  aq_tensor_scan *scan = &l->scans[i];
  (void)worker;
  AQ_TRY(aq_tensor_scan_begin(scan, t, err));
  if (t->alias_of >= 0 || !aq_plan_entry_is_open(&l->plan->entries[i], AQ_RD)) return AQ_OK;
  aq_status status = read_rows(source, (size_t)i, scan, take_moments, err);
  if (status == AQ_OK && aq_tensor_scan_wants_shares(scan))
    status = read_rows(source, (size_t)i, scan, aq_tensor_scan_add_shares, err);
  if (status == AQ_OK && (scan->role == AQ_ROLE_QUERY || scan->role == AQ_ROLE_KEY)) {
    status = read_bias(source, scan, err);
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, t->name);
}

static aq_status plan_looked(const aq_search_problem *set, const aq_tensor_scan *scan, aq_search_item *item,
                             aq_error *err) {
  item->own_sensitivity = aq_calloc(item->rows, sizeof(float));
  if (item->own_sensitivity == NULL) return aq_fail_memory(err, item->rows * sizeof(float));
  aq_data_free_sensitivity(scan, &set->facts, item->own_sensitivity);
  item->sensitivity = item->own_sensitivity;
  item->narrow = 0.25F;
  item->wide = 4;
  item->why = aq_data_free_reason(scan);
  return take_sample(set->source, item, err);
}

/* ---- all ---- */

static aq_status add_items(aq_search_problem *set, const aq_plan *plan, const aq_fisher_factors *factors,
                           size_t factor_count, const aq_tensor_scan *scans, aq_error *err) {
  const double relative = factors != NULL ? least_relative(factors, factor_count) : 1;
  for (size_t i = 0; i < plan->count; i++) {
    const aq_tensor_info *t = &set->source->tensors[i];
    if (t->alias_of >= 0 || t->num_params == 0 || !aq_plan_entry_is_open(&plan->entries[i], AQ_RD)) continue;
    aq_search_item *item = &set->items[set->count++];
    *item = (aq_search_item){.tensor = i};
    shape_of(t, &item->rows, &item->cols);
    const aq_status status = factors != NULL ? plan_weighed(set, factors, factor_count, relative, item, err)
                                             : plan_looked(set, &scans[i], item, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, t->name);
  }
  return AQ_OK;
}

static aq_status look_and_add(aq_search_problem *set, const aq_plan *plan, aq_error *err) {
  AQ_TRY(aq_model_facts_read(set->source, &set->facts, err));
  aq_tensor_scan *scans = aq_calloc(AQ_MAX(plan->count, 1), sizeof *scans);
  if (scans == NULL) return aq_fail_memory(err, plan->count * sizeof *scans);
  looking l = {set, plan, scans};
  aq_status status = aq_pool_run(set->pool, plan->count, look_at, &l, err);
  if (status == AQ_OK) {
    aq_data_free_classify(scans, plan->count, &set->facts);
    status = add_items(set, plan, NULL, 0, scans, err);
  }
  for (size_t i = 0; i < plan->count; i++) aq_tensor_scan_reset(&scans[i]);
  aq_free(scans);
  return status;
}

aq_status aq_search_problem_create(const aq_source *source, const aq_plan *plan, const aq_fisher_factors *factors,
                                   size_t factor_count, const aq_table_options *table, aq_pool *pool,
                                   aq_search_problem *out, aq_error *err) {
  aq_pq_codec_choice choice;
  int level;
  *out = (aq_search_problem){.source = source, .pool = pool};
  AQ_TRY(aq_pq_codec_parse(table->codec != NULL ? table->codec : "auto", &choice, &level, err));
  out->codec = aq_codec_setting_of(choice, level);
  out->part_params = (table->part_bytes > 0 ? table->part_bytes : AQ_DEFAULT_PART_BYTES) / sizeof(float);
  out->items = aq_calloc(AQ_MAX(plan->count, 1), sizeof *out->items);
  out->compressors = aq_calloc(aq_pool_threads(pool), sizeof *out->compressors);
  if (out->items == NULL || out->compressors == NULL) return aq_fail_memory(err, plan->count * sizeof *out->items);
  return factors != NULL ? add_items(out, plan, factors, factor_count, NULL, err) : look_and_add(out, plan, err);
}

void aq_search_problem_reset(aq_search_problem *set) {
  for (size_t i = 0; set->items != NULL && i < set->count; i++) {
    aq_free(set->items[i].own_sensitivity);
    aq_free(set->items[i].sample);
    aq_free(set->items[i].sample_sensitivity);
  }
  for (uint32_t i = 0; set->compressors != NULL && i < aq_pool_threads(set->pool); i++) {
    aq_compressor_reset(&set->compressors[i]);
  }
  aq_free(set->items);
  aq_free(set->compressors);
  *set = (aq_search_problem){0};
}
