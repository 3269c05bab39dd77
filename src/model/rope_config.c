/* rope_config.c - frequencies of rotary positions. Where transformers computes in FP32 so does this, with powers in
 * double that are rounded once: a frequency that is off by its last bit turns position 8,000 by 0.0005. */
#include "model/rope_config.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/config_keys.h"
#include "model/config_numbers.h"

#define LARGEST 1e9 /* of any number here */
#define PI 3.14159265358979323846

typedef struct rope_job {
  const json_t *parameters;
  const aq_rope_defaults *defaults;
  double theta;
  uint32_t dim;      /* values of a head that are turned */
  uint32_t original; /* original_max_position_embeddings */
  aq_rope *out;
} rope_job;

static float plain_frequency(const rope_job *j, size_t i) {
  const float exponent = (float)(2 * i) / (float)j->dim;
  return 1 / (float)pow(j->theta, (double)exponent);
}

/* A number above 0 that must be there. */
static aq_status need_number(const rope_job *j, const char *key, double *out, aq_error *err) {
  AQ_TRY(aq_config_number_or(j->parameters, key, 1e-6, LARGEST, 0, out, err));
  AQ_FAIL_IF(*out == 0, AQ_ERR_FORMAT, "'%s' is missing", key);
  return AQ_OK;
}

static aq_status default_frequencies(const rope_job *j, aq_error *err) {
  (void)err;
  for (size_t i = 0; i < j->out->half; i++) j->out->frequencies[i] = plain_frequency(j, i);
  return AQ_OK;
}

/* Without an effect up to max_position_embeddings, and no text is longer. */
static aq_status dynamic_frequencies(const rope_job *j, aq_error *err) {
  double factor;
  AQ_TRY(need_number(j, "factor", &factor, err));
  return default_frequencies(j, err);
}

static aq_status linear_frequencies(const rope_job *j, aq_error *err) {
  double factor;
  AQ_TRY(need_number(j, "factor", &factor, err));
  for (size_t i = 0; i < j->out->half; i++) j->out->frequencies[i] = plain_frequency(j, i) / (float)factor;
  return AQ_OK;
}

static aq_status llama3_frequencies(const rope_job *j, aq_error *err) {
  double factor, low, high;
  AQ_TRY(need_number(j, "factor", &factor, err));
  AQ_TRY(need_number(j, "low_freq_factor", &low, err));
  AQ_TRY(need_number(j, "high_freq_factor", &high, err));
  AQ_FAIL_IF(!(high > low), AQ_ERR_FORMAT, "'high_freq_factor' is not above 'low_freq_factor'");
  const float longest = (float)(j->original / low), shortest = (float)(j->original / high);
  for (size_t i = 0; i < j->out->half; i++) {
    const float plain = plain_frequency(j, i), length = (float)(2 * PI) / plain;
    float *f = &j->out->frequencies[i];
    *f = length > longest ? plain / (float)factor : plain;
    if (length < shortest || length > longest) continue;
    const float smooth = ((float)j->original / length - (float)low) / (float)(high - low);
    *f = (1 - smooth) * plain / (float)factor + smooth * plain;
  }
  return AQ_OK;
}

static double yarn_scale(double factor, double weight) { return factor <= 1 ? 1 : 0.1 * weight * log(factor) + 1; }

/* The pair that turns so often within the original context. */
static double yarn_pair(const rope_job *j, double turns) {
  return j->dim * log(j->original / (turns * 2 * PI)) / (2 * log(j->theta));
}

static aq_status yarn_range(const rope_job *j, double *low, double *high, aq_error *err) {
  double fast, slow;
  bool whole;
  AQ_TRY(aq_config_number_or(j->parameters, "beta_fast", 0, LARGEST, 0, &fast, err));
  AQ_TRY(aq_config_number_or(j->parameters, "beta_slow", 0, LARGEST, 0, &slow, err));
  AQ_TRY(aq_json_bool(j->parameters, "truncate", true, &whole, err));
  *low = yarn_pair(j, fast != 0 ? fast : 32);
  *high = yarn_pair(j, slow != 0 ? slow : 1);
  if (whole) {
    *low = floor(*low);
    *high = ceil(*high);
  }
  *low = AQ_MAX(*low, 0);
  *high = AQ_MIN(*high, (double)j->dim - 1);
  if (*low == *high) *high += 0.001;
  return AQ_OK;
}

static aq_status yarn_frequencies(const rope_job *j, aq_error *err) {
  double factor, scale, scale_all, weight, low, high;
  AQ_TRY(aq_config_number_or(j->parameters, "factor", 1e-6, LARGEST, (double)j->defaults->positions / j->original,
                             &factor, err));
  AQ_TRY(aq_config_number_or(j->parameters, "mscale", 0, LARGEST, 0, &weight, err));
  AQ_TRY(aq_config_number_or(j->parameters, "mscale_all_dim", 0, LARGEST, 0, &scale_all, err));
  const double usual = weight != 0 && scale_all != 0 ? yarn_scale(factor, weight) / yarn_scale(factor, scale_all)
                                                     : yarn_scale(factor, 1);
  AQ_TRY(aq_config_number_or(j->parameters, "attention_factor", 0, LARGEST, usual, &scale, err));
  AQ_TRY(yarn_range(j, &low, &high, err));
  for (size_t i = 0; i < j->out->half; i++) {
    const float plain = (float)pow(j->theta, (double)((float)(2 * i) / (float)j->dim));
    float ramp = ((float)i - (float)low) / (float)(high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    j->out->frequencies[i] = 1 / ((float)factor * plain) * ramp + 1 / plain * (1 - ramp);
  }
  j->out->scale = (float)scale;
  return AQ_OK;
}

static aq_status longrope_set(const rope_job *j, const char *key, float *out, aq_error *err) {
  const json_t *list = json_object_get(j->parameters, key);
  AQ_FAIL_IF(json_array_size(list) != j->out->half, AQ_ERR_FORMAT, "'%s' is no list of %u numbers", key, j->out->half);
  for (size_t i = 0; i < j->out->half; i++) {
    const double factor = json_number_value(json_array_get(list, i));
    AQ_FAIL_IF(!(factor >= 1e-6 && factor <= LARGEST), AQ_ERR_FORMAT, "'%s' has %g; %g to %g is possible", key, factor,
               1e-6, LARGEST);
    out[i] = 1 / ((float)factor * (float)pow(j->theta, (double)((float)(2 * i) / (float)j->dim)));
  }
  return AQ_OK;
}

static aq_status longrope_frequencies(const rope_job *j, aq_error *err) {
  double factor, scale;
  AQ_TRY(aq_config_number_or(j->parameters, "factor", 1e-6, LARGEST, (double)j->defaults->positions / j->original,
                             &factor, err));
  const double usual = factor <= 1 ? 1 : sqrt(1 + log(factor) / log(j->original));
  AQ_TRY(aq_config_number_or(j->parameters, "attention_factor", 0, LARGEST, usual, &scale, err));
  AQ_TRY(longrope_set(j, "short_factor", j->out->frequencies, err));
  AQ_TRY(longrope_set(j, "long_factor", j->out->frequencies + j->out->half, err));
  j->out->scale = (float)scale;
  j->out->short_limit = j->original;
  return AQ_OK;
}

static const struct rope_type {
  const char *name;
  aq_status (*compute)(const rope_job *job, aq_error *err);
} rope_types[] = {{"default", default_frequencies}, {"linear", linear_frequencies}, {"dynamic", dynamic_frequencies},
                  {"llama3", llama3_frequencies},   {"yarn", yarn_frequencies},     {"longrope", longrope_frequencies}};

static aq_status find_type(const rope_job *j, const struct rope_type **out, aq_error *err) {
  const char *type, *older;
  AQ_TRY(aq_json_text(j->parameters, "type", "default", &older, err));
  AQ_TRY(aq_json_text(j->parameters, "rope_type", older, &type, err));
  const bool phi3 = j->defaults->only_longrope;
  if (phi3 && (strcmp(type, "su") == 0 || strcmp(type, "yarn") == 0)) type = "longrope";
  for (size_t i = 0; i < AQ_COUNT_OF(rope_types); i++) {
    const bool allowed = !phi3 || strcmp(type, "default") == 0 || strcmp(type, "longrope") == 0;
    *out = &rope_types[i];
    if (allowed && strcmp(rope_types[i].name, type) == 0) return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "'rope_type' is '%.64s'; what can be run is %s", type,
                 phi3 ? "default, longrope" : "default, linear, dynamic, llama3, yarn, longrope");
}

static aq_status read_dim(rope_job *j, aq_error *err) {
  const aq_rope_defaults *d = j->defaults;
  double turned;
  AQ_TRY(aq_config_number_or(j->parameters, "partial_rotary_factor", 1e-6, 1, d->turned, &turned, err));
  AQ_FAIL_IF(turned != 1 && !d->turned_is_free, AQ_ERR_UNSUPPORTED,
             "'partial_rotary_factor' is %g; what can be run is 1", turned);
  j->dim = (uint32_t)((double)d->width * turned);
  AQ_FAIL_IF(j->dim < 2 || j->dim % 2 != 0, AQ_ERR_UNSUPPORTED, "%u of a head's %u values would be turned by positions",
             j->dim, d->width);
  return AQ_OK;
}

static aq_status check_frequencies(const aq_rope *rope, aq_error *err) {
  for (size_t i = 0; i < (size_t)2 * rope->half; i++) {
    AQ_FAIL_IF(!isfinite(rope->frequencies[i]), AQ_ERR_FORMAT, "the frequencies of its positions are not finite");
  }
  return AQ_OK;
}

aq_status aq_rope_configure(const json_t *parameters, const aq_rope_defaults *defaults, aq_notes *notes, aq_rope *out,
                            aq_error *err) {
  rope_job j = {.parameters = parameters, .defaults = defaults, .out = out};
  const struct rope_type *type;
  AQ_FAIL_IF(parameters != NULL && !json_is_object(parameters), AQ_ERR_FORMAT, "'rope_parameters' is no object");
  if (parameters != NULL) {
    AQ_TRY(aq_config_keys_check(parameters, AQ_KEYS_ROPE, "config.json", AQ_UNKNOWN_NOTED, notes, err));
  }
  AQ_TRY(find_type(&j, &type, err));
  AQ_TRY(aq_config_number_or(parameters, "rope_theta", 1.0001, LARGEST * 1e6, defaults->theta, &j.theta, err));
  AQ_TRY(aq_config_count_or(parameters, "original_max_position_embeddings", 2, 1 << 30, defaults->positions,
                            &j.original, err));
  if (defaults->original > 0) j.original = defaults->original;
  AQ_TRY(read_dim(&j, err));
  AQ_TRY(aq_rope_create(out, j.dim / 2, err));
  AQ_TRY(type->compute(&j, err));
  return check_frequencies(out, err);
}

aq_status aq_rope_configure_encoder(const aq_model_config *c, aq_rope out[2], aq_error *err) {
  for (size_t i = 0; i < 2; i++) {
    out[i] = (aq_rope){0};
    if (!(c->theta[i] > 0)) continue;
    const aq_rope_defaults defaults = {
        .theta = c->theta[i], .turned = 1, .width = c->attention / c->heads, .positions = c->positions};
    AQ_TRY(aq_rope_configure(NULL, &defaults, NULL, &out[i], err));
  }
  return AQ_OK;
}
