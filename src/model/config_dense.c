/* config_dense.c - a dense layer and a norm behind the pooling. Without the key, the activation of a dense layer is
 * Tanh; sentence-transformers also takes Tanh, with a warning, for a class that is not torch's, which is refused here.
 */
#include "model/config_dense.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/config_numbers.h"

#define WIDEST (1 << 17)   /* values of an embedding */
#define NORM_EPSILON 1e-5f /* torch's default, which sentence-transformers has always */

/* Classes of torch.nn, and the activation that computes the same without arguments. */
static const struct {
  const char *class_name, *activation; /* NULL: the identity */
} classes[] = {{"Identity", NULL}, {"Tanh", "tanh"}, {"ReLU", "relu"},      {"GELU", "gelu"},
               {"SiLU", "silu"},   {"Mish", "mish"}, {"Sigmoid", "sigmoid"}};

aq_status aq_torch_activation_find(const char *key, const char *name, const aq_activation **out, aq_error *err) {
  const char *class_name = strrchr(name, '.');
  *out = NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(classes) && class_name != NULL && strncmp(name, "torch.nn.", 9) == 0; i++) {
    if (strcmp(class_name + 1, classes[i].class_name) != 0) continue;
    if (classes[i].activation != NULL) *out = aq_activation_find(classes[i].activation);
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED,
                 "'%s' is '%.100s'; what can be run is Identity, Tanh, ReLU, GELU, SiLU, Mish and "
                 "Sigmoid of torch.nn",
                 key, name);
}

/* The next module, which has tensors. */
static aq_status begin_module(const aq_module *module, aq_module_kind kind, aq_model_config *out, aq_module_spec **spec,
                              aq_error *err) {
  *spec = &out->modules[out->module_count]; /* as many as the list may have */
  **spec = (aq_module_spec){
      .kind = kind, .has_bias = true, .epsilon = NORM_EPSILON, .tensor = kind == AQ_MODULE_DENSE ? "linear" : "norm"};
  const int length = snprintf((*spec)->prefix, sizeof(*spec)->prefix, "%s/", module->path);
  AQ_FAIL_IF(length < 0 || (size_t)length >= sizeof(*spec)->prefix, AQ_ERR_UNSUPPORTED,
             "the path of a module, '%.60s...', has more than %zu bytes", module->path, sizeof(*spec)->prefix - 2);
  AQ_FAIL_IF(module->path[0] == '\0', AQ_ERR_UNSUPPORTED, "a module with weights has no folder of its own ('path')");
  return AQ_OK;
}

static aq_status end_module(const aq_module_spec *spec, const char *key, aq_model_config *out, aq_error *err) {
  AQ_FAIL_IF(spec->in != out->width, AQ_ERR_FORMAT, "'%s' is %u, but the module before gives %u values", key, spec->in,
             out->width);
  out->width = spec->out;
  out->module_count++;
  return AQ_OK;
}

aq_status aq_dense_parse(const json_t *root, const aq_module *module, aq_model_config *out, aq_error *err) {
  aq_module_spec *spec;
  const char *activation;
  AQ_TRY(begin_module(module, AQ_MODULE_DENSE, out, &spec, err));
  AQ_TRY(aq_config_count(root, "in_features", 1, WIDEST, &spec->in, err));
  AQ_TRY(aq_config_count(root, "out_features", 1, WIDEST, &spec->out, err));
  AQ_TRY(aq_json_bool(root, "bias", true, &spec->has_bias, err));
  AQ_FAIL_IF(json_is_null(json_object_get(root, "activation_function")), AQ_ERR_FORMAT,
             "'activation_function' is null, not the name of a class");
  AQ_TRY(aq_json_text(root, "activation_function", "torch.nn.Tanh", &activation, err));
  AQ_TRY(aq_torch_activation_find("activation_function", activation, &spec->activation, err));
  return end_module(spec, "in_features", out, err);
}

aq_status aq_layer_norm_parse(const json_t *root, const aq_module *module, aq_model_config *out, aq_error *err) {
  aq_module_spec *spec;
  AQ_TRY(begin_module(module, AQ_MODULE_LAYER_NORM, out, &spec, err));
  AQ_TRY(aq_config_count(root, "dimension", 1, WIDEST, &spec->in, err));
  spec->out = spec->in;
  return end_module(spec, "dimension", out, err);
}
