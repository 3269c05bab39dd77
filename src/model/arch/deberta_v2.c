/* deberta_v2.c - DeBERTa v2 and v3 (He et al., 2021): BERT with disentangled attention (nn/disentangled.h), which has
 * positions in its scores, and with or without a table of positions. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/heads.h"
#include "model/config.h"
#include "model/config_numbers.h"
#include "model/layer_steps.h"

#define SELF "encoder.layer.%u.attention.self."

static const aq_weight_spec weights[] = {
    {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_POSITION, AQ_WEIGHT_TABLE, "embeddings.position_embeddings", AQ_DIM_POSITIONS, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_DISTANCE, AQ_WEIGHT_TABLE, "encoder.rel_embeddings", AQ_DIM_DISTANCES, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_DISTANCE_NORM, AQ_WEIGHT_NORM, "encoder.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
    {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, SELF "query_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, SELF "key_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, SELF "value_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},
    {AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "encoder.layer.%u.attention.output.dense", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN,
     1},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "encoder.layer.%u.intermediate.dense", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "encoder.layer.%u.output.dense", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    {AQ_ROLE_DISTANCE_KEY, AQ_WEIGHT_LINEAR, SELF "pos_key_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 4},
    {AQ_ROLE_DISTANCE_QUERY, AQ_WEIGHT_LINEAR, SELF "pos_query_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 5},
    {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.attention.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE,
     0},
    {AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "encoder.layer.%u.output.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0},
};

/* ---- what must be as it is in most models ---- */

static aq_status require_count(const json_t *root, const char *key, uint32_t run, aq_error *err) {
  uint32_t given;
  AQ_TRY(aq_config_count_or(root, key, 0, 1 << 20, run, &given, err));
  AQ_FAIL_IF(given != run, AQ_ERR_UNSUPPORTED, "'%s' is %u; what can be run is %u", key, given, run);
  return AQ_OK;
}

/* A convolution beside the first layer, tables of another width, heads of another width. */
static aq_status check_variants(const json_t *root, const aq_model_config *c, aq_error *err) {
  AQ_TRY(require_count(root, "conv_kernel_size", 0, err));
  AQ_TRY(require_count(root, "embedding_size", c->hidden, err));
  return require_count(root, "attention_head_size", c->hidden / c->heads, err);
}

/* ---- distances ---- */

/* The text says whether there are keys ("c2p": from content to position), queries ("p2c"), or both. */
static aq_status add_kinds(const char *text, aq_distance_spec *d, aq_error *err) {
  static const struct {
    const char *text;
    bool has_keys, has_queries;
  } kinds[] = {{"none", false, false},
               {"c2p", true, false},
               {"p2c", false, true},
               {"p2c|c2p", true, true},
               {"c2p|p2c", true, true}};
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    if (text == NULL || strcmp(text, kinds[i].text) != 0) continue;
    d->has_keys = d->has_keys || kinds[i].has_keys;
    d->has_queries = d->has_queries || kinds[i].has_queries;
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "'pos_att_type' is '%.40s'; what can be run is c2p, p2c and both, c2p|p2c",
                 text != NULL ? text : "no text");
}

static aq_status read_kinds(const json_t *root, aq_distance_spec *d, aq_error *err) {
  const json_t *kinds = json_object_get(root, "pos_att_type");
  if (kinds == NULL || json_is_null(kinds)) return AQ_OK;
  if (!json_is_array(kinds)) return add_kinds(json_string_value(kinds), d, err);
  for (size_t i = 0; i < json_array_size(kinds); i++) {
    AQ_TRY(add_kinds(json_string_value(json_array_get(kinds, i)), d, err));
  }
  return AQ_OK;
}

static aq_status read_norm(const json_t *root, aq_distance_spec *d, aq_error *err) {
  const char *norm;
  AQ_TRY(aq_json_text(root, "norm_rel_ebd", "none", &norm, err));
  d->has_norm = strcmp(norm, "layer_norm") == 0;
  AQ_FAIL_IF(!d->has_norm && strcmp(norm, "none") != 0, AQ_ERR_UNSUPPORTED,
             "'norm_rel_ebd' is '%.40s'; what can be run is layer_norm and none", norm);
  return AQ_OK;
}

/* A count, or `otherwise` where it is missing or not positive. */
static aq_status read_extent(const json_t *root, const char *key, int64_t otherwise, int64_t most, uint32_t *out,
                             aq_error *err) {
  int64_t given;
  AQ_TRY(aq_json_integer(root, key, otherwise, &given, err));
  if (given < 1) given = otherwise;
  AQ_FAIL_IF(given > most, AQ_ERR_FORMAT, "'%s' is %lld; up to %lld is possible", key, (long long)given,
             (long long)most);
  *out = (uint32_t)given;
  return AQ_OK;
}

/* Distances up to half of the buckets have one each; what follows must be longer. */
static aq_status read_rows(const json_t *root, const aq_model_config *c, aq_distance_spec *d, aq_error *err) {
  AQ_TRY(read_extent(root, "position_buckets", 0, AQ_DISTANCES_MOST, &d->buckets, err));
  AQ_TRY(read_extent(root, "max_relative_positions", c->positions, 1 << 20, &d->longest, err));
  const bool fits = d->buckets == 0 ? d->longest <= AQ_DISTANCES_MOST
                                    : d->buckets > 1 && d->longest > 1 && d->longest - 1 > d->buckets / 2;
  AQ_FAIL_IF(!fits, AQ_ERR_UNSUPPORTED,
             "'position_buckets' is %u and 'max_relative_positions' %u; what can be run is 2 buckets or more, and "
             "positions for more than half of them; or no buckets, and up to %d positions",
             d->buckets, d->longest, AQ_DISTANCES_MOST);
  d->rows = 2 * (d->buckets > 0 ? d->buckets : d->longest);
  return AQ_OK;
}

/* The scores are divided by the root of the width for each kind of them, whether there are distances or not. */
static aq_status read_distances(const json_t *root, aq_model_config *out, aq_error *err) {
  aq_distance_spec d = {.rows = 0};
  bool is_relative;
  AQ_TRY(read_kinds(root, &d, err));
  AQ_TRY(read_norm(root, &d, err));
  AQ_TRY(aq_json_bool(root, "share_att_key", false, &d.shares_linears, err));
  AQ_TRY(aq_json_bool(root, "relative_attention", false, &is_relative, err));
  out->score_divisor *= 1 + (uint32_t)d.has_keys + (uint32_t)d.has_queries;
  if (!is_relative || (!d.has_keys && !d.has_queries)) return AQ_OK;
  AQ_TRY(read_rows(root, out, &d, err));
  out->distances = d;
  return AQ_OK;
}

static aq_status configure_deberta(const json_t *root, aq_model_config *out, aq_error *err) {
  bool is_placed;
  AQ_TRY(check_variants(root, out, err));
  AQ_TRY(aq_config_count_or(root, "type_vocab_size", 0, 1024, 0, &out->types, err));
  AQ_TRY(aq_json_bool(root, "position_biased_input", true, &is_placed, err));
  out->lacks_positions = !is_placed;
  return read_distances(root, out, err);
}

const aq_arch aq_arch_deberta_v2 = {.model_type = "deberta-v2",
                                    .padding = -1,
                                    AQ_ARCH_USUAL_KEYS,
                                    .head = &aq_head_deberta,
                                    .weights = weights,
                                    .weight_count = AQ_COUNT_OF(weights),
                                    .steps = &aq_post_norm_steps,
                                    .default_epsilon = 1e-7,
                                    .may_lack_types = true,
                                    .configure = configure_deberta};
