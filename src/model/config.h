/* config.h - what the configuration of a sentence encoder says: config.json (the encoder), modules.json, the
 * configurations of the modules, and config_sentence_transformers.json (what sentence-transformers makes of it). Every
 * number is within bounds afterwards, and every key that could change an embedding was honoured or refused
 * (config_keys.h). How a text becomes tokens, and how many, is in sentence_config.h. */
#ifndef AQ_MODEL_CONFIG_H
#define AQ_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/notes.h"
#include "io/module_list.h"
#include "model/arch/arch.h"
#include "model/nn/activation.h"

/* What a text's tokens become: of n tokens, numbered from 1. */
typedef enum aq_pooling {
  AQ_POOL_MEAN = 0,
  AQ_POOL_CLS,           /* the first token */
  AQ_POOL_MAX,           /* value by value */
  AQ_POOL_MEAN_SQRT,     /* the sum / sqrt(n) */
  AQ_POOL_WEIGHTED_MEAN, /* each token weighs its number */
  AQ_POOL_LAST           /* the last token */
} aq_pooling;
#define AQ_POOLINGS_MAX ((size_t)8) /* that are put one after another */

/* A module behind the pooling. */
typedef enum aq_module_kind { AQ_MODULE_DENSE = 0, AQ_MODULE_LAYER_NORM, AQ_MODULE_NORMALIZE } aq_module_kind;

/* What stands before the names of a module's tensors. */
typedef enum aq_module_prefix {
  AQ_PREFIX_OWN = 0, /* the folder of the module: "2_Dense/" */
  AQ_PREFIX_ENCODER, /* what stands before the encoder's: "bert." */
  AQ_PREFIX_MODEL    /* that without its last part */
} aq_module_prefix;

/* A layer of a head (heads.h) is such a module, too. */
typedef struct aq_module_spec {
  aq_module_kind kind;
  uint32_t in, out;                /* values */
  bool has_bias;                   /* of a dense layer; of a norm: a shift */
  const aq_activation *activation; /* of a dense layer; NULL: the identity */
  float epsilon;                   /* of a norm */
  const char *tensor;              /* the name of its tensors without ".weight": "linear"; static */
  aq_module_prefix prefix_kind;
  char prefix[128]; /* of AQ_PREFIX_OWN */
} aq_module_spec;

/* Disentangled attention (nn/disentangled.h): a table of rows for distances between tokens, of which a layer makes keys
 * and queries. */
#define AQ_DISTANCES_MOST 4096 /* in one direction, or buckets of them */
typedef struct aq_distance_spec {
  uint32_t rows;              /* of the table; 0: there is none */
  uint32_t buckets;           /* from how many on distances share rows; 0: each has its own */
  uint32_t longest;           /* the distance that the last bucket begins with, and 1 */
  bool has_keys, has_queries; /* which are made; one at least */
  bool shares_linears;        /* by the linears that make those of tokens, else by their own */
  bool has_norm;              /* the rows go through a norm before */
} aq_distance_spec;

#define AQ_ENCODER_LAYERS_MAX 1024
#define AQ_HEADS_MOST 1024
#define AQ_STATIC_UNLIMITED ((uint32_t)INT32_MAX) /* tokens of a text of static embeddings: there is no limit */

typedef struct aq_model_config {
  const aq_arch *arch;
  const aq_activation *activation;
  uint32_t hidden, heads, layers, inner;
  uint32_t attention; /* values of all heads, which heads divides; hidden in most */
  uint32_t embedding; /* width of the tables */
  bool projects;      /* a linear makes the hidden states of what the tables give */
  uint32_t passes;    /* how often the layers are run, one behind the other */
  bool gated;         /* the feed-forward block has two halves, of which one multiplies the other */
  uint32_t unbiased;  /* bit r: linears of role r have no bias, norms no shift */
  double theta[2];    /* of rotary positions, in layers that see the whole text, and local ones; 0: none */
  uint32_t window;    /* of local layers: how far a token sees to both sides */
  bool is_local[AQ_ENCODER_LAYERS_MAX];  /* by layer */
  uint32_t vocabulary, positions, types; /* rows of the tables; types 0: no table */
  uint32_t first_position;               /* row of the first token's position */
  int32_t padding;                       /* token without a position of its own, see position.h; -1: there is none */
  uint32_t relative_buckets;             /* rows of the table of biases by distance; 0: no table */
  bool lacks_positions;                  /* there is no table of positions, though the family has one */
  aq_distance_spec distances;            /* of tokens, that attention knows */
  bool has_alibi;                        /* scores get linear biases (nn/alibi.h) */
  uint32_t score_divisor;                /* scores of attention are divided by the root of it */
  float epsilon;                         /* of the norms */
  bool has_rms_norms;                    /* norms are by the root mean square (nn/rms_norm.h), but those of modules */
  uint32_t position_limit;               /* tokens of the longest text that has positions */
  uint32_t max_tokens;                   /* of a text, special tokens included: at most the above */
  aq_pooling pooling[AQ_POOLINGS_MAX];   /* their vectors follow each other */
  uint32_t pooling_count;
  bool normalize;                         /* what was pooled gets length 1 */
  aq_module_spec modules[AQ_MODULES_MAX]; /* what follows, in order */
  uint32_t module_count;
  uint32_t width;        /* values that the last of these gives */
  uint32_t dimension;    /* of an embedding: the first of them */
  bool normalize_output; /* which get length 1 at last */
  bool skips_prompt;     /* tokens of a prompt are no part of the pooling */
  bool has_modules;      /* there is a modules.json, and what sentence-transformers saved beside it counts */
  bool drops_unknown;    /* of static embeddings: unknown tokens, and what model2vec cuts off, are no part of a text */
  bool has_scores;       /* what is pooled goes through the head, whose outputs are the "embedding" */
  const aq_activation *score_activation; /* that sentence-transformers applies to scores; NULL: the identity */
} aq_model_config;

/* Texts of the files, NULL for one that is not there; only config.json must be, and of static embeddings not that. */
typedef struct aq_config_texts {
  char *config, *modules, *model; /* model: config_sentence_transformers.json */
  size_t config_size, modules_size, model_size;
  char *module[AQ_MODULES_MAX]; /* config.json of each module of modules.json but the first */
  size_t module_size[AQ_MODULES_MAX];
  const aq_arch *table; /* of static embeddings (config_static.h): the family, and the size of its table */
  uint32_t table_rows, table_width;
  aq_notes *notes; /* where remarks go, or NULL; it belongs to the caller */
} aq_config_texts;
void aq_config_texts_reset(aq_config_texts *texts);

/* Reads the files of a source (see aq_model_file_read). AQ_ERR_UNSUPPORTED when there is a PEFT adapter among them: the
 * weights are not those that make the embeddings. */
AQ_MUST_CHECK aq_status aq_config_texts_read(const aq_source *source, const char *folder, aq_config_texts *texts,
                                             aq_error *err);

/* AQ_ERR_UNSUPPORTED names what is not handled and what is; AQ_ERR_FORMAT what is missing, of the wrong kind or out of
 * bounds. Errors name the file. Without a modules.json the pooling is the mean, not normalized, and what
 * sentence-transformers has saved beside it is not read, as it does not read it either. */
AQ_MUST_CHECK aq_status aq_model_config_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err);

/* The same of an encoder with a head, as sentence-transformers' CrossEncoder runs it: the head's layers are the
 * modules, and the labels the dimension (docs/SCORING.md). */
AQ_MUST_CHECK aq_status aq_score_config_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err);

#endif
