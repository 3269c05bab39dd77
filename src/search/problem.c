/* problem.c - the tensors that a search plans. Where reading all values each time takes too long, evenly spaced rows
 * stand for them: a row is what shares a step, so that a sample of rows has the entropy of the whole. */
#include "search/problem.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "transform/row_job.h"

#define SAMPLE_WEIGHTS ((size_t)1 << 18)

/* ---- one tensor ---- */

/* Rows of a tensor: slices of axis 0, but of stacks of matrices rows of the last axis. */
static aq_search_item item_of(const aq_tensor_info *t, size_t tensor) {
  enum { ROW_MIN = 32 };
  const uint64_t last = t->rank > 0 ? (uint64_t)t->shape[t->rank - 1] : 1;
  aq_search_item item = {.tensor = tensor, .rows = t->rank < 2 ? 1 : (size_t)t->shape[0]};
  if (t->rank > 2 && last >= ROW_MIN && last <= INT32_MAX) item.rows = (size_t)(t->num_params / last);
  item.cols = (size_t)(t->num_params / item.rows);
  const bool rows_of_axis_0 = t->rank >= 2 && (uint64_t)t->shape[0] == item.rows;
  item.row_group = rows_of_axis_0 ? 0 : (int32_t)item.cols;
  item.losses[0] = item.sample_losses[0] = -1;
  return item;
}

aq_status aq_search_item_allocate_sensitivity(aq_search_item *item, const char *why, aq_error *err) {
  item->own_sensitivity = aq_calloc(item->rows, sizeof *item->own_sensitivity);
  if (item->own_sensitivity == NULL) return aq_fail_memory(err, item->rows * sizeof *item->own_sensitivity);
  item->sensitivity = item->own_sensitivity;
  item->narrow = 0.25F;
  item->wide = 4;
  item->why = why;
  return AQ_OK;
}

aq_status aq_search_item_read_sample(const aq_source *source, aq_search_item *item, aq_error *err) {
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

aq_status aq_search_item_values(const aq_search_problem *problem, const aq_search_item *item, float **w,
                                aq_error *err) {
  const size_t values = item->rows * item->cols;
  *w = aq_realloc_array(NULL, values, sizeof **w);
  if (*w == NULL) return aq_fail_memory(err, values * sizeof **w);
  return aq_source_read_f32(problem->source, item->tensor, 0, values, *w, err);
}

static aq_status fix_codes(const aq_encoded *found, aq_plan_entry *entry, aq_error *err) {
  AQ_TRY(aq_encoded_describe(found, entry, err));
  entry->scheme.method = AQ_RD;
  entry->scheme.symmetric = true;
  return AQ_OK;
}

static void fix_values(const aq_tensor_info *t, aq_plan_entry *entry) {
  entry->dtype = aq_export_value_dtype(t->dtype);
  entry->action = entry->dtype == t->dtype ? AQ_KEEP : AQ_CONVERT;
  entry->scheme = (aq_scheme){.type = AQ_KEPT};
  entry->quant_axis = -1;
  entry->group_size = 0;
  entry->span_length = t->num_params;
}

aq_status aq_search_item_fix_entry(const aq_search_problem *problem, const aq_search_item *item,
                                   const aq_encoded *found, const char *target, aq_plan_entry *entry, aq_error *err) {
  char *rule = aq_format("%s; %s", target, item->why);
  if (rule == NULL) return aq_fail_memory(err, 256);
  const aq_status status = found->type != AQ_KEPT ? fix_codes(found, entry, err) : AQ_OK;
  if (status != AQ_OK) {
    aq_free(rule);
    return status;
  }
  if (found->type == AQ_KEPT) fix_values(&problem->source->tensors[item->tensor], entry);
  aq_free(entry->rule);
  entry->rule = rule;
  entry->bits = item->bits / (double)found->count;
  entry->loss = item->loss_is_similarity ? item->loss : 0;
  return AQ_OK;
}

/* ---- all of them ---- */

aq_status aq_search_problem_create(const aq_source *source, const aq_plan *plan, const aq_quantize_options *options,
                                   aq_pool *pool, aq_search_problem *out, aq_error *err) {
  const aq_table_options *table = &options->table;
  const aq_file_format *format = NULL;
  aq_pq_codec_choice choice;
  int level;
  *out = (aq_search_problem){.source = source, .pool = pool};
  AQ_TRY(aq_pq_codec_parse(table->codec != NULL ? table->codec : "auto", &choice, &level, err));
  out->codec = aq_codec_setting_of(choice, level);
  if (options->for_format != NULL) AQ_TRY(aq_formats_find_export(options->for_format, &format, err));
  if (format != NULL) out->layout = format->layout;
  out->part_params = (table->part_bytes > 0 ? table->part_bytes : AQ_DEFAULT_PART_BYTES) / sizeof(float);
  out->items = aq_calloc(AQ_MAX(plan->count, 1), sizeof *out->items);
  out->workers = aq_pool_threads(pool);
  out->compressors = aq_calloc(out->workers, sizeof *out->compressors);
  if (out->items == NULL || out->compressors == NULL) return aq_fail_memory(err, plan->count * sizeof *out->items);
  for (size_t i = 0; i < plan->count; i++) {
    const aq_tensor_info *t = &source->tensors[i];
    if (t->alias_of >= 0 || t->num_params == 0 || !aq_plan_entry_is_open(&plan->entries[i], AQ_RD)) continue;
    out->items[out->count++] = item_of(t, i);
  }
  return AQ_OK;
}

void aq_search_problem_reset(aq_search_problem *problem) {
  for (size_t i = 0; problem->items != NULL && i < problem->count; i++) {
    aq_free(problem->items[i].own_sensitivity);
    aq_free(problem->items[i].sample);
    aq_free(problem->items[i].sample_sensitivity);
  }
  for (uint32_t i = 0; problem->compressors != NULL && i < problem->workers; i++) {
    aq_compressor_reset(&problem->compressors[i]);
  }
  aq_free(problem->items);
  aq_free(problem->compressors);
  *problem = (aq_search_problem){0};
}

double aq_search_problem_bits(const aq_search_problem *problem) {
  double bits = 0;
  for (size_t i = 0; i < problem->count; i++) bits += problem->items[i].bits;
  return bits;
}
