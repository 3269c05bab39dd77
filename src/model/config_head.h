/* config_head.h - what the files say about the head of an encoder and about what sentence-transformers' CrossEncoder
 * makes of its outputs. Errors name the key; the caller names the file, but for the modules. */
#ifndef AQ_MODEL_CONFIG_HEAD_H
#define AQ_MODEL_CONFIG_HEAD_H

#include <jansson.h>

#include "model/config.h"

/* Labels of a head at most. */
#define AQ_LABELS_MAX 65536

/* Of config.json: the layers of the head as modules, the labels as the dimension, and the activation of scores: what
 * "sentence_transformers" names there, else sbert_ce_default_activation_function, else Sigmoid for one label and
 * Identity for more. AQ_ERR_UNSUPPORTED names a family without a head. */
AQ_MUST_CHECK aq_status aq_head_parse(const json_t *root, aq_notes *notes, aq_model_config *out, aq_error *err);

/* The labels of a config.json: "num_labels", which is as many as "id2label" has; 2 without both. */
AQ_MUST_CHECK aq_status aq_label_count_read(const json_t *root, uint32_t *out, aq_error *err);

/* Of config_sentence_transformers.json, beside a modules.json (NULL: it is not there): the kind of model, and the
 * activation, which counts before that of config.json. */
AQ_MUST_CHECK aq_status aq_score_settings_parse(const json_t *root, aq_model_config *out, aq_error *err);

/* modules.json: a Transformer, alone. */
AQ_MUST_CHECK aq_status aq_score_modules_check(const aq_config_texts *texts, aq_error *err);

#endif
