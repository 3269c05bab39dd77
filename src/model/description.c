/* description.c - a model as data: the list of its weights, from the table of its family and the configuration. */
#include "model/description.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "model/config_notes.h"
#include "model/config_static.h"
#include "model/tensor_find.h"
#include "tokenizer/sentence_config.h"
#include "tokenizer/tokenizer.h"

/* ---- the list ---- */

typedef struct listing {
  aq_model *model;
  aq_tensor_finder finder;
  uint32_t inputs; /* activations so far */
} listing;

static bool is_of_layer(const aq_weight_spec *spec) { return strstr(spec->name, "%u") != NULL; }

static uint32_t size_of(const aq_model *m, uint32_t layer, aq_dim dim) {
  const aq_model_config *c = &m->config;
  const bool decoder = m->decoder.layers != NULL && layer != AQ_NO_LAYER;
  const aq_module_spec *module = aq_model_module(m, layer);
  const aq_layer_spec spec = decoder ? m->decoder.layers[layer] : (aq_layer_spec){0};
  const uint32_t queries = spec.heads * spec.width, keys = spec.kv_heads * spec.width;
  const bool encoder = c->arch->decoder == NULL;
  const uint32_t sizes[] = {[AQ_DIM_NONE] = 1,
                            [AQ_DIM_HIDDEN] = c->hidden,
                            [AQ_DIM_INNER] = c->inner,
                            [AQ_DIM_EMBEDDING] = c->embedding,
                            [AQ_DIM_VOCABULARY] = c->vocabulary,
                            [AQ_DIM_POSITIONS] = c->positions,
                            [AQ_DIM_TYPES] = c->types,
                            [AQ_DIM_BUCKETS] = c->relative_buckets,
                            [AQ_DIM_HEADS] = c->heads,
                            [AQ_DIM_DISTANCES] = c->distances.rows,
                            [AQ_DIM_HEAD_WIDTH] = spec.width,
                            [AQ_DIM_QUERIES] = encoder ? c->attention : queries,
                            [AQ_DIM_KEYS] = keys,
                            [AQ_DIM_QKV] = encoder ? 3 * c->attention : queries + 2 * keys,
                            [AQ_DIM_GATE_UP] = 2 * (encoder ? c->inner : spec.inner),
                            [AQ_DIM_MODULE_IN] = module != NULL ? module->in : 0,
                            [AQ_DIM_MODULE_OUT] = module != NULL ? module->out : 0};
  return sizes[dim];
}

/* Whether a linear has a bias, or a norm a shift. */
static bool has_bias(const aq_model *m, uint32_t layer, aq_role role) {
  const aq_module_spec *module = aq_model_module(m, layer);
  if (module != NULL) return module->has_bias;
  if (m->config.arch->decoder == NULL) return (m->config.unbiased >> role & 1) == 0;
  return (m->decoder.biased >> role & 1) != 0;
}

static bool lacks_distance_weight(const aq_distance_spec *d, aq_role role) {
  if (d->rows == 0) return true;
  if (role == AQ_ROLE_DISTANCE_NORM) return !d->has_norm;
  if (role == AQ_ROLE_DISTANCE_KEY) return d->shares_linears || !d->has_keys;
  return role == AQ_ROLE_DISTANCE_QUERY && (d->shares_linears || !d->has_queries);
}

/* A head that is the table of tokens is no weight of its own; nor is what an encoder of this configuration lacks. */
static bool is_left_out(const listing *l, const aq_weight_spec *spec, uint32_t layer) {
  const aq_model_config *c = &l->model->config;
  if (spec->role == AQ_ROLE_EMBEDDING_PROJECTION) return !c->projects;
  if (spec->role == AQ_ROLE_TOKEN_TYPE) return c->types == 0;
  if (spec->role == AQ_ROLE_POSITION) return c->lacks_positions;
  if (aq_role_is_of_distances(spec->role)) return lacks_distance_weight(&c->distances, spec->role);
  if (spec->role == AQ_ROLE_ATTENTION_NORM && layer == 0 && c->arch->bare_first_layer) return true;
  return spec->role == AQ_ROLE_OUTPUT && l->model->decoder.tied && !aq_tensor_exists(&l->finder, spec->name, ".weight");
}

static aq_status add_weight(listing *l, const aq_weight_spec *spec, uint32_t layer, aq_weight_kind kind,
                            const char *ending, aq_weight **out, aq_error *err) {
  aq_model *m = l->model;
  const uint32_t number = layer == AQ_NO_LAYER ? 0 : layer, rows = size_of(m, layer, spec->rows),
                 cols = kind == AQ_WEIGHT_VECTOR ? 1 : size_of(m, layer, spec->cols);
  *out = &m->weights[m->weight_count++];
  **out = (aq_weight){.kind = kind,
                      .role = spec->role,
                      .layer = layer,
                      .rows = rows,
                      .cols = cols,
                      .used_rows = spec->role == AQ_ROLE_TOKEN_TYPE && !m->config.has_scores ? 1 : rows,
                      .bias = AQ_NO_WEIGHT};
  return aq_tensor_find(&l->finder, spec->name, number, ending, rows, kind == AQ_WEIGHT_VECTOR ? 0 : cols,
                        &(*out)->tensor, err);
}

static void set_role(aq_model *m, uint32_t layer, aq_role role, uint32_t weight) {
  m->by_role[(size_t)(layer + 1) * AQ_ROLE_COUNT + role] = weight; /* AQ_NO_LAYER + 1 is 0 */
}

/* Linears that read one activation: their matrices, then their biases, which all have or none. */
static aq_status add_linears(listing *l, const aq_weight_spec *specs, uint32_t count, uint32_t layer, aq_error *err) {
  const uint32_t first = l->model->weight_count, input = l->inputs++;
  aq_weight *w;
  for (uint32_t i = 0; i < count; i++) {
    AQ_TRY(add_weight(l, &specs[i], layer, AQ_WEIGHT_LINEAR, ".weight", &w, err));
    w->input = input;
    w->inputs = count;
    set_role(l->model, layer, specs[i].role, first + i);
  }
  if (!has_bias(l->model, layer, specs[0].role)) return AQ_OK;
  for (uint32_t i = 0; i < count; i++) l->model->weights[first + i].bias = first + count + i;
  for (uint32_t i = 0; i < count; i++) AQ_TRY(add_weight(l, &specs[i], layer, AQ_WEIGHT_VECTOR, ".bias", &w, err));
  return AQ_OK;
}

static const char *table_ending(const aq_arch *arch) {
  return arch->table_ending != NULL ? arch->table_ending : ".weight";
}

static aq_status add_one(listing *l, const aq_weight_spec *spec, uint32_t layer, aq_error *err) {
  const bool is_norm = spec->kind == AQ_WEIGHT_NORM;
  aq_weight *w;
  set_role(l->model, layer, spec->role, l->model->weight_count);
  const char *ending = spec->kind == AQ_WEIGHT_TABLE ? table_ending(l->model->config.arch) : ".weight";
  AQ_TRY(add_weight(l, spec, layer, is_norm ? AQ_WEIGHT_VECTOR : spec->kind, ending, &w, err));
  if (!is_norm || !has_bias(l->model, layer, spec->role)) return AQ_OK;
  w->bias = l->model->weight_count;
  return add_weight(l, spec, layer, AQ_WEIGHT_VECTOR, ".bias", &w, err);
}

/* All weights outside of layers, or all of one layer. */
static aq_status add_all(listing *l, uint32_t layer, aq_error *err) {
  const aq_arch *arch = l->model->config.arch;
  for (size_t i = 0; i < arch->weight_count;) {
    const aq_weight_spec *spec = &arch->weights[i];
    size_t count = 1;
    while (spec->kind == AQ_WEIGHT_LINEAR && i + count < arch->weight_count && spec[count].kind == AQ_WEIGHT_LINEAR &&
           spec[count].input == spec->input) {
      count++;
    }
    i += count;
    if (is_of_layer(spec) != (layer != AQ_NO_LAYER) || is_left_out(l, spec, layer)) continue;
    AQ_TRY(spec->kind == AQ_WEIGHT_LINEAR ? add_linears(l, spec, (uint32_t)count, layer, err)
                                          : add_one(l, spec, layer, err));
  }
  return AQ_OK;
}

/* What stands before the names of a module's tensors, where `encoder` stands before the encoder's. */
static void set_prefix(listing *l, const char *encoder, const aq_module_spec *module) {
  const size_t room = sizeof l->finder.prefix;
  (void)snprintf(l->finder.prefix, room, "%s", module->prefix_kind == AQ_PREFIX_OWN ? module->prefix : encoder);
  if (module->prefix_kind != AQ_PREFIX_MODEL || encoder[0] == '\0') return;
  l->finder.prefix[strlen(encoder) - 1] = '\0'; /* the dot at the end */
  char *dot = strrchr(l->finder.prefix, '.');
  *(dot != NULL ? dot + 1 : l->finder.prefix) = '\0';
}

static aq_status fail_without_module(const aq_module_spec *module, aq_status status, aq_error *err) {
  if (status != AQ_ERR_NOT_FOUND) return status;
  return aq_error_hint(err, status,
                       module->prefix_kind == AQ_PREFIX_OWN
                           ? "The weights of a module are read from model.safetensors in its folder"
                           : "Scores are made by a head: the model's class is one of those that end in "
                             "ForSequenceClassification");
}

static aq_status add_module(listing *l, uint32_t i, aq_error *err) {
  const aq_module_spec *module = &l->model->config.modules[i];
  const bool is_dense = module->kind == AQ_MODULE_DENSE;
  const aq_weight_spec spec = {.role = is_dense ? AQ_ROLE_DENSE : AQ_ROLE_DENSE_NORM,
                               .kind = is_dense ? AQ_WEIGHT_LINEAR : AQ_WEIGHT_NORM,
                               .name = module->tensor,
                               .rows = AQ_DIM_MODULE_OUT,
                               .cols = is_dense ? AQ_DIM_MODULE_IN : AQ_DIM_NONE};
  const uint32_t layer = l->model->config.layers + i;
  const aq_status status = is_dense ? add_linears(l, &spec, 1, layer, err) : add_one(l, &spec, layer, err);
  return status == AQ_OK ? AQ_OK : fail_without_module(module, status, err);
}

static aq_status add_modules(listing *l, aq_error *err) {
  const aq_model_config *c = &l->model->config;
  char encoder[sizeof l->finder.prefix];
  (void)snprintf(encoder, sizeof encoder, "%s", l->finder.prefix);
  for (uint32_t i = 0; i < c->module_count; i++) {
    if (c->modules[i].kind == AQ_MODULE_NORMALIZE) continue;
    set_prefix(l, encoder, &c->modules[i]);
    AQ_TRY(add_module(l, i, err));
  }
  return AQ_OK;
}

/* Files that the model's own code saved have other names. */
static void choose_names(listing *l) {
  const aq_arch *own = l->model->config.arch->renamed;
  for (size_t i = 0; own != NULL && i < own->weight_count; i++) {
    const aq_weight_spec *spec = &own->weights[i];
    const bool is_there = spec->role == AQ_ROLE_DOWN && aq_tensor_exists(&l->finder, spec->name, ".weight");
    if (is_there) l->model->config.arch = own;
  }
}

static aq_status check_foreign(const listing *l, aq_error *err) {
  const aq_arch *arch = l->model->config.arch;
  AQ_FAIL_IF(arch->foreign != NULL && aq_tensor_exists(&l->finder, arch->foreign, ".weight"), AQ_ERR_UNSUPPORTED,
             "there are weights named '%s.weight', with which the model computes something that cannot be run",
             arch->foreign);
  return AQ_OK;
}

static aq_status list_weights(aq_model *m, aq_error *err) {
  const aq_arch *arch = m->config.arch;
  const size_t modules = m->config.module_count;
  const size_t most = 2 * (arch->weight_count * ((size_t)m->config.layers + 1) + modules);
  const size_t roles = ((size_t)m->config.layers + 1 + modules) * AQ_ROLE_COUNT;
  listing l = {.model = m};
  m->weights = aq_calloc(most, sizeof *m->weights);
  m->by_role = aq_realloc_array(NULL, roles, sizeof *m->by_role);
  if (m->weights == NULL || m->by_role == NULL) return aq_fail_memory(err, most * sizeof *m->weights);
  for (size_t i = 0; i < roles; i++) m->by_role[i] = AQ_NO_WEIGHT;
  char *tokens = aq_format("%s%s", arch->weights[0].name, table_ending(arch));
  if (tokens == NULL) return aq_fail_memory(err, strlen(arch->weights[0].name));
  const aq_status status = aq_tensor_finder_init(&l.finder, m->source, tokens, err);
  aq_free(tokens);
  AQ_TRY(status);
  choose_names(&l);
  AQ_TRY(check_foreign(&l, err));
  AQ_TRY(add_all(&l, AQ_NO_LAYER, err));
  for (uint32_t i = 0; i < m->config.layers; i++) AQ_TRY(add_all(&l, i, err));
  return add_modules(&l, err);
}

const aq_module_spec *aq_model_module(const aq_model *model, uint32_t layer) {
  const aq_model_config *c = &model->config;
  return layer != AQ_NO_LAYER && layer >= c->layers ? &c->modules[layer - c->layers] : NULL;
}

uint32_t aq_model_find(const aq_model *model, uint32_t layer, aq_role role) {
  return model->by_role[(size_t)(layer + 1) * AQ_ROLE_COUNT + role];
}

aq_weight_group aq_model_group_of(const aq_model *model, uint32_t weight) {
  const aq_weight *w = &model->weights[weight];
  const uint32_t named = aq_model_find(model, w->layer, w->role); /* not by a bias: by what it is the bias of */
  uint32_t lead = named;
  if (model->weights[named].kind != AQ_WEIGHT_LINEAR) return (aq_weight_group){weight, 1};
  while (!aq_weight_leads_input(model, lead)) lead--;
  return (aq_weight_group){weight == named ? lead : model->weights[lead].bias, model->weights[lead].inputs};
}

static size_t joined_rows(const aq_model *model, uint32_t first) {
  size_t rows = 0;
  for (uint32_t i = 0; i < model->weights[first].inputs; i++) rows += model->weights[first + i].rows;
  return rows;
}

size_t aq_model_joined_rows(const aq_model *model, uint32_t layer, aq_role first) {
  return joined_rows(model, aq_model_find(model, layer, first));
}

size_t aq_model_widest(const aq_model *model) {
  size_t widest = 0;
  for (uint32_t i = 0; i < model->weight_count; i++) {
    const aq_weight *w = &model->weights[i];
    if (w->kind != AQ_WEIGHT_LINEAR) continue;
    widest = AQ_MAX(widest, (size_t)w->cols);
    if (aq_weight_leads_input(model, i)) widest = AQ_MAX(widest, joined_rows(model, i));
  }
  return widest;
}

const aq_weight *aq_model_find_tensor(const aq_model *model, size_t tensor) {
  for (uint32_t i = 0; i < model->weight_count; i++) {
    if (model->weights[i].tensor == tensor) return &model->weights[i];
  }
  return NULL;
}

/* ---- opening ---- */

/* The limit of a text that the tokenizer's files give, where they give a smaller one than the model's positions. */
static aq_status limit_texts(aq_model *m, const char *folder, aq_error *err) {
  uint32_t limit;
  AQ_TRY(aq_text_limit_read(m->source, folder, m->config.has_scores, &limit, &m->notes, err));
  if (limit > 0) m->config.max_tokens = AQ_MIN(m->config.position_limit, limit);
  return AQ_OK;
}

static aq_status configure(aq_model *m, const char *folder, aq_error *err) {
  aq_config_texts texts;
  AQ_TRY(aq_config_texts_read(m->source, folder, &texts, err));
  texts.notes = &m->notes;
  const aq_status status = aq_model_config_parse(&texts, &m->config, err);
  aq_config_texts_reset(&texts);
  AQ_TRY(status);
  if (m->config.arch->is_static) return AQ_OK;
  AQ_TRY(limit_texts(m, folder, err));
  return aq_head_note(m->source, &m->notes, err);
}

static aq_status configure_scores(aq_model *m, const char *folder, aq_error *err) {
  aq_config_texts texts;
  AQ_TRY(aq_config_texts_read(m->source, folder, &texts, err));
  texts.notes = &m->notes;
  const aq_status status = aq_score_config_parse(&texts, &m->config, err);
  aq_config_texts_reset(&texts);
  AQ_TRY(status);
  return limit_texts(m, folder, err);
}

static aq_status configure_decoder(aq_model *m, const char *folder, aq_error *err) {
  aq_config_texts texts;
  AQ_TRY(aq_config_texts_read(m->source, folder, &texts, err));
  const aq_status status =
      aq_decoder_config_parse(texts.config, texts.config_size, &m->notes, &m->config, &m->decoder, err);
  aq_config_texts_reset(&texts);
  return status;
}

static aq_status open_model(const aq_source *source, const char *folder,
                            aq_status (*read)(aq_model *, const char *, aq_error *), aq_model *model, aq_error *err) {
  aq_source_hold(source);
  *model = (aq_model){.source = source};
  if (folder != NULL) {
    model->folder = aq_strdup(folder);
    if (model->folder == NULL) return aq_fail_memory(err, strlen(folder));
  }
  AQ_TRY(read(model, folder, err));
  return list_weights(model, err);
}

aq_status aq_model_open(const aq_source *source, const char *folder, aq_model *model, aq_error *err) {
  return open_model(source, folder, configure, model, err);
}

aq_status aq_model_open_scorer(const aq_source *source, const char *folder, aq_model *model, aq_error *err) {
  return open_model(source, folder, configure_scores, model, err);
}

aq_status aq_model_open_decoder(const aq_source *source, const char *folder, aq_model *model, aq_error *err) {
  return open_model(source, folder, configure_decoder, model, err);
}

void aq_model_reset(aq_model *model) {
  aq_tokenizer_close(model->tokenizer);
  aq_decoder_config_reset(&model->decoder);
  aq_notes_reset(&model->notes);
  aq_free(model->weights);
  aq_free(model->by_role);
  aq_free(model->folder);
  if (model->source != NULL) aq_source_drop(model->source);
  *model = (aq_model){0};
}

/* Static embeddings have the tokenizer of the library `tokenizers`, which is their tokenizer.json alone. */
static aq_status keep_json(aq_tokenizer_files *files, aq_error *err) {
  aq_tokenizer_files rest = *files;
  *files = (aq_tokenizer_files){.alone = true};
  files->texts[AQ_TEXT_JSON] = rest.texts[AQ_TEXT_JSON];
  rest.texts[AQ_TEXT_JSON] = (aq_named_text){NULL, 0, NULL};
  aq_tokenizer_files_reset(&rest);
  AQ_FAIL_IF(files->texts[AQ_TEXT_JSON].text == NULL, AQ_ERR_NOT_FOUND,
             "the model has no tokenizer.json, without which static embeddings cannot be run");
  return AQ_OK;
}

aq_status aq_model_need_tokenizer(aq_model *model, aq_error *err) {
  if (model->tokenizer != NULL) return AQ_OK;
  aq_tokenizer_files files;
  const bool is_static = model->config.arch->is_static;
  aq_status status = aq_tokenizer_files_take(model->source, model->folder, &files, err);
  if (status == AQ_OK && is_static) status = keep_json(&files, err);
  if (status == AQ_OK) status = aq_tokenizer_make(&files, &model->tokenizer, err);
  aq_tokenizer_files_reset(&files);
  AQ_TRY(status);
  const bool is_alone = is_static || model->config.arch->decoder != NULL; /* texts go one by one there */
  if (!model->tokenizer->pads_left || is_alone) return AQ_OK;
  aq_tokenizer_close(model->tokenizer);
  model->tokenizer = NULL;
  return aq_fail(err, AQ_ERR_UNSUPPORTED,
                 "the tokenizer pads at the left ('padding'), by which a vector depends on the texts beside it");
}
