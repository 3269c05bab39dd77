/* models.c - the table of the types of models. */
#include "tokenizer/models.h"

#include "core/compiler.h"
#include "core/error.h"

#define ADDRESS(type) &(type).base,
static const aq_stage_type *const types[] = {AQ_TOKEN_MODEL_TYPES(ADDRESS)};
const aq_stage aq_token_model_stage = {"model", types, AQ_COUNT_OF(types)};

aq_status aq_token_model_hint(aq_error *err, aq_status status) {
  char names[256];
  return aq_error_hint(err, status, "Only %s tokenizers are supported",
                       aq_stage_names(&aq_token_model_stage, names, sizeof names));
}

static aq_status find_type(const json_t *object, const aq_token_model_type **out, aq_error *err) {
  const aq_stage_type *found;
  for (size_t i = 0; json_object_get(object, "type") == NULL && i < AQ_COUNT_OF(types); i++) {
    *out = (const aq_token_model_type *)types[i];
    if ((*out)->is_implied == NULL || !(*out)->is_implied(object)) continue;
    return aq_tokenizer_keys_check_part(types[i]->keys, object, err);
  }
  const aq_status status = aq_stage_find(&aq_token_model_stage, object, &found, err);
  if (status != AQ_OK) return aq_token_model_hint(err, status);
  *out = (const aq_token_model_type *)found;
  return AQ_OK;
}

aq_status aq_token_model_read_vocab(aq_token_model *model, const json_t *object, aq_error *err) {
  AQ_FAIL_IF(!json_is_object(object), AQ_ERR_FORMAT, "there is no object 'model'");
  AQ_TRY(find_type(object, &model->type, err));
  AQ_FAIL_IF(model->vocab.count > 0 && (model->vocab.scores.size > 0) != model->type->has_scores, AQ_ERR_FORMAT,
             "model.vocab of a '%s' is not %s", model->type->base.name,
             model->type->has_scores ? "a list of pieces and scores" : "an object of tokens and ids");
  if (model->vocab.count > 0) return AQ_OK;
  return model->type->read_vocab(&model->vocab, json_object_get(object, "vocab"), err);
}

aq_status aq_token_model_read(aq_token_model *model, const json_t *object, aq_error *err) {
  return model->type->configure(object, &model->vocab, &model->state, err);
}

void aq_token_model_reset(aq_token_model *model) {
  if (model->type != NULL && model->type->free_state != NULL) model->type->free_state(model->state);
  aq_vocab_reset(&model->vocab);
  *model = (aq_token_model){.type = NULL};
}
