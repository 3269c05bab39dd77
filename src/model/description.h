/* description.h - a model as data: its configuration and the list of its weights, each with what it is for. It holds no
 * values. Loading, running, statistics, planning, tuning and "is this tensor used" all go by this list.
 *
 * A weight is a table, the matrix of a linear layer, or a vector (the bias of a linear; gain and, in encoders, shift of
 * a norm). The list has the weights outside of layers first, then layer after layer, then those of the modules behind
 * the pooling. Linears of a layer that read the same activation follow each other, first all their matrices and then
 * all their biases: side by side in memory they are one linear. */
#ifndef AQ_MODEL_DESCRIPTION_H
#define AQ_MODEL_DESCRIPTION_H

#include "arrowquant.h"
#include "core/notes.h"
#include "model/config.h"
#include "model/decoder_config.h"
#include "tensor/role.h"

#define AQ_NO_TENSOR SIZE_MAX
#define AQ_NO_WEIGHT UINT32_MAX
#define AQ_NO_LAYER UINT32_MAX

typedef struct aq_weight {
  size_t tensor; /* index in the source */
  aq_weight_kind kind;
  aq_role role;           /* a bias has that of its linear, a shift that of its norm */
  uint32_t layer;         /* AQ_NO_LAYER: outside; layers + i: of module i of the configuration */
  uint32_t rows, cols;    /* cols 1: a vector */
  uint32_t used_rows;     /* those that are ever read: of token types, where no pairs are read, the first */
  uint32_t bias;          /* the weight that is this linear's bias or this gain's shift; AQ_NO_WEIGHT: there is none */
  uint32_t input, inputs; /* of a linear: number of the activation it reads, and how many linears read it */
} aq_weight;

typedef struct aq_model {
  const aq_source *source; /* a hold */
  char *folder;            /* that the caller named, or NULL */
  aq_model_config config;
  aq_decoder_config decoder; /* empty of an encoder */
  aq_notes notes;            /* what whoever uses the outputs should know */
  aq_weight *weights;
  uint32_t weight_count;
  uint32_t *by_role; /* (1 + layers + modules) x AQ_ROLE_COUNT indices: outside of layers, each layer, each module */
  aq_tokenizer *tokenizer; /* NULL until it is needed */
} aq_model;

/* Reads the configuration and finds every weight in the source, comparing its shape: AQ_ERR_NOT_FOUND and AQ_ERR_FORMAT
 * name a tensor that is missing or has another shape than the configuration says. folder: see aq_encoder_options. Zero-
 * initialise; reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_model_open(const aq_source *source, const char *folder, aq_model *model, aq_error *err);
/* The same for an encoder with a head (docs/SCORING.md). */
AQ_MUST_CHECK aq_status aq_model_open_scorer(const aq_source *source, const char *folder, aq_model *model,
                                             aq_error *err);
/* The same for a decoder (docs/DECODERS.md). */
AQ_MUST_CHECK aq_status aq_model_open_decoder(const aq_source *source, const char *folder, aq_model *model,
                                              aq_error *err);
void aq_model_reset(aq_model *model);

/* Index of the table, matrix or gain with a role; AQ_NO_WEIGHT when the model has none. */
uint32_t aq_model_find(const aq_model *model, uint32_t layer, aq_role role);

/* The module that a weight with this layer belongs to; NULL for layers, and outside of them. */
const aq_module_spec *aq_model_module(const aq_model *model, uint32_t layer);

/* Weights that are run as one, from the `first` of the list on. */
typedef struct aq_weight_group {
  uint32_t first, count;
} aq_weight_group;

/* Those beside which a weight of the list must stand in memory: matrices, or biases, of the linears that read the same
 * activation. Any other weight is a group by itself. */
aq_weight_group aq_model_group_of(const aq_model *model, uint32_t weight);

/* Outputs of all linears that read the same activation as the one with a role, which is the first of them. */
size_t aq_model_joined_rows(const aq_model *model, uint32_t layer, aq_role first);

/* The largest of those and of all inputs: values of a token's widest row. */
size_t aq_model_widest(const aq_model *model);

/* The weight that is this tensor of the source; NULL when the model does not use it, as it does not use a pooler's. */
const aq_weight *aq_model_find_tensor(const aq_model *model, size_t tensor);

/* Values of a weight that are ever read. */
static inline size_t aq_weight_floats(const aq_weight *weight) { return (size_t)weight->used_rows * weight->cols; }

/* A matrix of a linear layer that comes first among those that read its activation. */
static inline bool aq_weight_leads_input(const aq_model *model, uint32_t i) {
  const aq_weight *w = &model->weights[i];
  return w->kind == AQ_WEIGHT_LINEAR && (i == 0 || w[-1].kind != AQ_WEIGHT_LINEAR || w[-1].input != w->input);
}

/* Makes model->tokenizer if it is not there yet. */
AQ_MUST_CHECK aq_status aq_model_need_tokenizer(aq_model *model, aq_error *err);

#endif
