/* disentangled.h - attention whose scores know the distance of query and key (He et al., 2021, DeBERTa). A table has a
 * row for each distance, or for a range of far ones; a layer makes a key k' and a query q' of each row, for each head:
 *
 *     score(i, j) = (q_i k_j + q_i k'_r + k_j q'_r) / sqrt(s),  r the row of i - j
 *
 * k' or q' may be missing; s is the width of a head times the number of products. The keys and queries of rows depend
 * on weights alone and are made when these are loaded (distance_weights.h). */
#ifndef AQ_MODEL_NN_DISENTANGLED_H
#define AQ_MODEL_NN_DISENTANGLED_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "kernels/kernels.h"
#include "model/config.h"

/* Queries whose scores are made at a time, and keys that they are multiplied with at a time. */
#define AQ_DISTANCE_BLOCK ((size_t)56)

/* Of one layer: panels of all rows for each head, or NULL. */
typedef struct aq_distance_layer {
  float *keys, *queries;
} aq_distance_layer;

typedef struct aq_disentangled {
  uint32_t rows;             /* of the table; 0: attention does not know distances */
  uint32_t heads, width;     /* width: of a head */
  uint16_t *row_of, *centre; /* row by query - key; centre: that of 0 */
  aq_distance_layer *layers;
  size_t layer_count;
} aq_disentangled;

/* The row of a distance, query - key; it never falls as the distance grows. With buckets, those of fewer than half the
 * buckets have a row each, and the others, up to `longest`, share rows by the logarithm of the distance; it is computed
 * in FP32, as transformers does. */
uint32_t aq_distance_row(const aq_distance_spec *spec, int64_t distance);

/* Memory for what a model has, zeroed, and the rows of all distances in its longest text. */
AQ_MUST_CHECK aq_status aq_disentangled_create(aq_disentangled *d, const aq_model_config *config, aq_error *err);
void aq_disentangled_reset(aq_disentangled *d);

/* Puts the keys, or queries, of `count` rows of the table from `first` on into `panels`, those of a layer. values: of
 * all heads side by side, `stride` apart. */
void aq_disentangled_put(const aq_disentangled *d, float *panels, size_t first, size_t count, const float *values,
                         size_t stride);

/* What one head of one layer adds to its scores. */
typedef struct aq_head_distances {
  const uint16_t *centre;
  const float *keys, *queries; /* panels; NULL: none */
  size_t width;
} aq_head_distances;
aq_head_distances aq_disentangled_of(const aq_disentangled *d, size_t layer, size_t head);

/* Adds them to the scores, not divided yet, of m <= AQ_DISTANCE_BLOCK queries from number `first` on with all n keys.
 * query: of the first of these; key: of the text's first token; both `stride` apart. scratch: AQ_DISTANCE_BLOCK x rows
 * of the table. */
void aq_disentangled_add(const aq_head_distances *head, const aq_kernels *kernels, const float *query, const float *key,
                         size_t stride, size_t first, size_t m, size_t n, float *scratch, float *scores);

#endif
