/* config_keys.h - every key of the files that say how a model is run, and what is done about it. The tables are
 * config_keys.inc for encoders and decoder_keys.inc; docs/EMBEDDING.md and docs/DECODERS.md print them. */
#ifndef AQ_MODEL_CONFIG_KEYS_H
#define AQ_MODEL_CONFIG_KEYS_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/notes.h"

typedef enum aq_key_file {
  AQ_KEYS_CONFIG = 0, /* config.json */
  AQ_KEYS_MODULES,    /* a module in modules.json */
  AQ_KEYS_POOLING,    /* config.json of a module: Pooling, Dense, LayerNorm, Normalize, Dropout */
  AQ_KEYS_DENSE,
  AQ_KEYS_LAYER_NORM,
  AQ_KEYS_NORMALIZE,
  AQ_KEYS_DROPOUT,
  AQ_KEYS_MODEL,         /* config_sentence_transformers.json */
  AQ_KEYS_CROSS_ENCODER, /* the same of a cross-encoder */
  AQ_KEYS_MODEL2VEC,     /* config.json of static embeddings that model2vec wrote */
  AQ_KEYS_DECODER,       /* config.json of a decoder */
  AQ_KEYS_ROPE,          /* rope_parameters or rope_scaling there */
} aq_key_file;

/* What is done about a key that the table does not have. */
typedef enum aq_unknown_keys {
  AQ_UNKNOWN_NOTED = 0, /* the reference does not read it either: a note names it */
  AQ_UNKNOWN_REFUSED    /* the reference fails */
} aq_unknown_keys;

/* AQ_ERR_UNSUPPORTED names the first key of the object that the table refuses, its value, and the one with which the
 * model could be run. Keys that are not known are handled as `unknown` says. `file` is for the notes. */
AQ_MUST_CHECK aq_status aq_config_keys_check(const json_t *object, aq_key_file keys, const char *file,
                                             aq_unknown_keys unknown, aq_notes *notes, aq_error *err);

#endif
