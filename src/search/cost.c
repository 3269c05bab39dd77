/* cost.c - bits of tensors: pages as the writer will make them, and what aq_rd_choose makes of a lambda. */
#include "search/cost.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/write/page_write.h"
#include "quant/rd.h"
#include "quant/scheme.h"
#include "search/format_choice.h"
#include "tensor/dtype.h"

#define CHOICE_WEIGHTS ((size_t)1 << 18) /* of a tensor whose values are all at hand, that layouts are compared by */

/* ---- compressed sizes ---- */

typedef struct sizer {
  const aq_search_problem *problem;
  uint32_t worker;
} sizer;

/* Of a sample, without what a page has beside. Without memory to compress, bytes count as they are. */
static size_t size_in(const sizer *s, int codec, int level, const uint8_t *bytes, size_t size) {
  if (codec == AQ_PQ_UNCOMPRESSED) return size;
  aq_buffer out = {NULL, 0, 0};
  const aq_status status =
      aq_compress(&s->problem->compressors[s->worker], codec, level, AQ_PAGE_INSIDE, bytes, size, &out, NULL);
  const size_t packed = status == AQ_OK ? out.size : size;
  aq_buffer_reset(&out);
  return !s->problem->codec.decide || aq_saves_percent(size, packed, AQ_WORTH_PERCENT) ? packed : size;
}

/* Layouts are compared by quick zstd instead of brotli, which is ten times slower and prefers the same ones. */
static size_t compared_size(void *ctx, const uint8_t *bytes, size_t size) {
  const sizer *s = ctx;
  const aq_codec_setting *file = &s->problem->codec;
  const bool quick = file->codec == AQ_PQ_BROTLI || file->level == AQ_ZSTD_OWN_SETTINGS;
  return quick ? size_in(s, AQ_PQ_ZSTD, AQ_ZSTD_QUICK_SETTINGS, bytes, size)
               : size_in(s, file->codec, file->level, bytes, size);
}

static aq_status page_bytes(const sizer *s, int codec, const uint8_t *value, size_t size, uint64_t *bytes,
                            aq_error *err) {
  const bool all = s->worker == AQ_ALL_WORKERS;
  aq_compressor *compressors = s->problem->compressors + (all ? 0 : s->worker);
  return aq_blob_page_bytes(all ? s->problem->pool : NULL, compressors, codec, s->problem->codec.level, value, size,
                            bytes, err);
}

/* Of the page that the writer will make of a value. Where compression saves little, the writer may leave it, as it goes
 * by all tensors of a row group together: what is more counts. */
static aq_status add_page(const sizer *s, int codec, const uint8_t *value, size_t size, uint64_t *bytes,
                          aq_error *err) {
  uint64_t page, plain;
  AQ_TRY(page_bytes(s, codec, value, size, &page, err));
  if (s->problem->codec.decide && !aq_saves_percent(size, page, 2 * AQ_WORTH_PERCENT)) {
    AQ_TRY(page_bytes(s, AQ_PQ_UNCOMPRESSED, value, size, &plain, err));
    page = AQ_MAX(page, plain);
  }
  *bytes += page;
  return AQ_OK;
}

static aq_status add_codes(const sizer *s, const aq_encoded *e, size_t first, size_t count, uint64_t *bytes,
                           aq_error *err) {
  const int codec = s->problem->codec.codec;
  if (e->type == AQ_INT8) return add_page(s, codec, (const uint8_t *)(e->codes + first), count, bytes, err);
  const size_t size = (count * aq_quant_type_bits(e->type) + 7) / 8;
  uint8_t *packed = aq_malloc(AQ_MAX(size, 1));
  if (packed == NULL) return aq_fail_memory(err, size);
  aq_encoded_pack(e, first, count, packed);
  const aq_status status = add_page(s, codec, packed, size, bytes, err);
  aq_free(packed);
  return status;
}

/* Scales repeat, so that the writer takes zstd for them where it has the choice. */
static aq_status add_scales(const sizer *s, const float *scales, size_t count, uint64_t *bytes, aq_error *err) {
  const int codec = s->problem->codec.codec == AQ_PQ_BROTLI ? AQ_PQ_ZSTD : s->problem->codec.codec;
  const size_t size = count * sizeof *scales;
  uint8_t *zeros = aq_calloc(AQ_MAX(size, 1), 1);
  if (zeros == NULL) return aq_fail_memory(err, size);
  aq_status status = add_page(s, codec, (const uint8_t *)(const void *)scales, size, bytes, err);
  if (status == AQ_OK) status = add_page(s, codec, zeros, size, bytes, err);
  aq_free(zeros);
  return status;
}

/* A tensor in parts is so many pages more. */
aq_status aq_search_item_count_bits(const aq_search_problem *problem, aq_search_item *item, const aq_encoded *encoded,
                                    uint32_t worker, aq_error *err) {
  const sizer s = {problem, worker};
  if (problem->layout != NULL) {
    item->bits = aq_format_bits(problem, item, encoded->type, encoded->span_length);
    return AQ_OK;
  }
  const size_t spans = item->cols / (size_t)encoded->span_length;                   /* of a row */
  const size_t part = (size_t)AQ_MAX(problem->part_params / item->cols, 8) / 8 * 8; /* rows, in whole bytes */
  uint64_t bytes = 0;
  for (size_t row = 0; row < item->rows; row += part) {
    const size_t rows = AQ_MIN(part, item->rows - row);
    AQ_TRY(add_codes(&s, encoded, row * item->cols, rows * item->cols, &bytes, err));
    AQ_TRY(add_scales(&s, encoded->scales + row * spans, rows * spans, &bytes, err));
  }
  item->bits = 8 * (double)bytes;
  return AQ_OK;
}

/* ---- choosing ---- */

static aq_rd_matrix matrix_of(const aq_search_item *item, const float *w) {
  return (aq_rd_matrix){.w = w,
                        .rows = item->rows,
                        .cols = item->cols,
                        .sensitivity = item->sensitivity,
                        .narrow = item->narrow,
                        .wide = item->wide};
}

/* From all weights, or from a sample of rows. */
static aq_status choose_codes(const aq_search_problem *problem, aq_search_item *item, const aq_rd_matrix *m,
                              size_t sample, uint32_t worker, aq_rd_choice *out, aq_error *err) {
  sizer s = {problem, worker};
  double *losses = m->w == item->sample ? item->sample_losses : item->losses;
  if (problem->layout != NULL) return aq_format_choose(problem, item, m, losses, out, err);
  return aq_rd_choose(m, problem->lambda, sample, compared_size, &s, out, err);
}

aq_status aq_search_item_choose(const aq_search_problem *problem, aq_search_item *item, const float *w, uint32_t worker,
                                aq_encoded *out, aq_error *err) {
  const aq_rd_matrix m = matrix_of(item, w);
  aq_rd_choice choice;
  AQ_TRY(choose_codes(problem, item, &m, CHOICE_WEIGHTS, worker, &choice, err));
  *out = (aq_encoded){.count = (uint64_t)item->rows * item->cols,
                      .type = choice.type,
                      .group_size = choice.group_size > 0 ? choice.group_size : item->row_group,
                      .span_length = choice.group_size > 0 ? (uint64_t)choice.group_size : item->cols,
                      .span_count = choice.span_count,
                      .scales = choice.steps};
  item->bits = choice.bits;
  item->loss = choice.loss;
  return AQ_OK;
}

static aq_status count_nearest(const aq_search_problem *problem, aq_search_item *item, const float *w,
                               aq_encoded *encoded, uint32_t worker, aq_error *err) {
  encoded->codes = aq_malloc((size_t)encoded->count);
  if (encoded->codes == NULL) return aq_fail_memory(err, (size_t)encoded->count);
  aq_encoded_round(encoded, w, encoded->codes);
  const aq_status status = aq_search_item_count_bits(problem, item, encoded, worker, err);
  aq_free(encoded->codes);
  encoded->codes = NULL;
  return status;
}

aq_status aq_search_item_round_to_nearest(const aq_search_problem *problem, aq_search_item *item, uint32_t worker,
                                          aq_encoded *out, aq_error *err) {
  float *w;
  aq_status status = aq_search_item_values(problem, item, &w, err);
  if (status == AQ_OK) status = aq_search_item_choose(problem, item, w, worker, out, err);
  if (status == AQ_OK && out->type != AQ_KEPT) status = count_nearest(problem, item, w, out, worker, err);
  aq_free(w);
  return status;
}

/* ---- estimates ---- */

static aq_status estimate_sample(const aq_search_problem *problem, aq_search_item *item, uint32_t worker,
                                 aq_error *err) {
  aq_rd_matrix m = matrix_of(item, item->sample);
  m.rows = item->sample_rows;
  m.sensitivity = item->sample_sensitivity;
  aq_rd_choice choice;
  AQ_TRY(choose_codes(problem, item, &m, 0, worker, &choice, err));
  const double part = (double)item->rows / (double)item->sample_rows;
  item->bits = choice.bits * part;
  item->loss = choice.loss * part;
  aq_rd_choice_reset(&choice);
  return AQ_OK;
}

static aq_status estimate_whole(const aq_search_problem *problem, aq_search_item *item, uint32_t worker,
                                aq_error *err) {
  float *w;
  aq_encoded chosen = {.count = 0};
  aq_status status = aq_search_item_values(problem, item, &w, err);
  if (status == AQ_OK) status = aq_search_item_choose(problem, item, w, worker, &chosen, err);
  aq_free(w);
  aq_encoded_reset(&chosen);
  return status;
}

static aq_status estimate_item(void *ctx, uint64_t i, uint32_t worker, aq_error *err) {
  const aq_search_problem *problem = ctx;
  aq_search_item *item = &problem->items[i];
  if (item->sample != NULL) {
    AQ_TRY(estimate_sample(problem, item, worker, err));
  } else {
    AQ_TRY(estimate_whole(problem, item, worker, err));
  }
  if (problem->layout == NULL) item->bits += 8 * (double)aq_search_header_bytes(item->rows * item->cols);
  return AQ_OK;
}

aq_status aq_search_problem_estimate(aq_search_problem *problem, double lambda, aq_error *err) {
  problem->lambda = lambda;
  return aq_pool_run(problem->pool, problem->count, estimate_item, problem, err);
}
