/* config_pooling.c - what a text's tokens become: one flag a mode, or (since sentence-transformers 5.2) modes by their
 * names. */
#include "model/config_pooling.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"

/* In the order in which sentence-transformers joins the vectors of flags. */
static const struct mode {
  const char *flag, *name;
  aq_pooling pooling;
} modes[] = {{"pooling_mode_cls_token", "cls", AQ_POOL_CLS},
             {"pooling_mode_max_tokens", "max", AQ_POOL_MAX},
             {"pooling_mode_mean_tokens", "mean", AQ_POOL_MEAN},
             {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", AQ_POOL_MEAN_SQRT},
             {"pooling_mode_weightedmean_tokens", "weightedmean", AQ_POOL_WEIGHTED_MEAN},
             {"pooling_mode_lasttoken", "lasttoken", AQ_POOL_LAST}};

static aq_status add_mode(aq_pooling mode, aq_model_config *out, aq_error *err) {
  AQ_FAIL_IF(out->pooling_count == AQ_POOLINGS_MAX, AQ_ERR_UNSUPPORTED,
             "'pooling_mode' is a list of more than %zu, which is as many as can be run", AQ_POOLINGS_MAX);
  out->pooling[out->pooling_count++] = mode;
  return AQ_OK;
}

static aq_status add_named(const json_t *value, aq_model_config *out, aq_error *err) {
  const char *name = json_string_value(value);
  AQ_FAIL_IF(name == NULL, AQ_ERR_FORMAT, "'pooling_mode' is not a text, nor a list of texts");
  for (size_t i = 0; i < AQ_COUNT_OF(modes); i++) {
    if (strcmp(modes[i].name, name) == 0) return add_mode(modes[i].pooling, out, err);
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED,
                 "'pooling_mode' is '%.64s'; what can be run is cls, max, mean, mean_sqrt_len_tokens, weightedmean and "
                 "lasttoken",
                 name);
}

/* One mode by itself, or a list of them. */
static aq_status add_all_named(const json_t *named, aq_model_config *out, aq_error *err) {
  if (!json_is_array(named)) return add_named(named, out, err);
  AQ_FAIL_IF(json_array_size(named) == 0, AQ_ERR_FORMAT, "'pooling_mode' is an empty list");
  for (size_t i = 0; i < json_array_size(named); i++) AQ_TRY(add_named(json_array_get(named, i), out, err));
  return AQ_OK;
}

/* Without any flag it is the mean. */
static aq_status add_flagged(const json_t *root, aq_model_config *out, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(modes); i++) {
    bool on;
    AQ_TRY(aq_json_bool(root, modes[i].flag, false, &on, err));
    if (on) AQ_TRY(add_mode(modes[i].pooling, out, err));
  }
  return out->pooling_count > 0 ? AQ_OK : add_mode(AQ_POOL_MEAN, out, err);
}

aq_status aq_pooling_parse(const json_t *root, const aq_module *module, aq_model_config *out, aq_error *err) {
  const json_t *named = json_object_get(root, "pooling_mode");
  const json_t *include = json_object_get(root, "include_prompt");
  (void)module;
  out->pooling_count = 0;
  AQ_TRY(named != NULL ? add_all_named(named, out, err) : add_flagged(root, out, err));
  AQ_FAIL_IF(include != NULL && !json_is_boolean(include) && !json_is_null(include), AQ_ERR_FORMAT,
             "'include_prompt' is neither true nor false");
  out->skips_prompt = include != NULL && !json_is_true(include); /* null is as good as false to the reference */
  out->width = out->hidden * out->pooling_count;
  return AQ_OK;
}
