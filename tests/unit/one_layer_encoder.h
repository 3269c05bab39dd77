/* one_layer_encoder.h - a BERT of one layer and letters for words: large enough that its matrices are quantized by
 * default, the token types and a pooler among them; small enough to be run a thousand times. */
#ifndef AQ_TESTS_ONE_LAYER_ENCODER_H
#define AQ_TESTS_ONE_LAYER_ENCODER_H

#include "core/compiler.h"
#include "tiny_encoder.h"

#define ONE_LAYER_WIDTH 32
#define ONE_LAYER_INNER 48
#define ONE_LAYER_MATRICES 10 /* of 1024 values or more: three tables, six linears, the pooler */

static const char one_layer_vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n##a\n##b\n##c\n##d\n##e\n##f\n##g\n"
    "##h\n##i\n##j\n##k\n##l\n##m\n##n\n##o\n";

static inline tiny_encoder one_layer_make(int64_t positions) {
  const struct {
    const char *name;
    int64_t rows, columns;
  } tensors[] = {{"embeddings.word_embeddings.weight", 33, ONE_LAYER_WIDTH},
                 {"embeddings.position_embeddings.weight", positions, ONE_LAYER_WIDTH},
                 {"embeddings.token_type_embeddings.weight", 32, ONE_LAYER_WIDTH},
                 {"embeddings.LayerNorm", ONE_LAYER_WIDTH, 0},
                 {"encoder.layer.0.attention.self.query", ONE_LAYER_WIDTH, ONE_LAYER_WIDTH},
                 {"encoder.layer.0.attention.self.key", ONE_LAYER_WIDTH, ONE_LAYER_WIDTH},
                 {"encoder.layer.0.attention.self.value", ONE_LAYER_WIDTH, ONE_LAYER_WIDTH},
                 {"encoder.layer.0.attention.output.dense", ONE_LAYER_WIDTH, ONE_LAYER_WIDTH},
                 {"encoder.layer.0.attention.output.LayerNorm", ONE_LAYER_WIDTH, 0},
                 {"encoder.layer.0.intermediate.dense", ONE_LAYER_INNER, ONE_LAYER_WIDTH},
                 {"encoder.layer.0.output.dense", ONE_LAYER_WIDTH, ONE_LAYER_INNER},
                 {"encoder.layer.0.output.LayerNorm", ONE_LAYER_WIDTH, 0},
                 {"pooler.dense", ONE_LAYER_WIDTH, ONE_LAYER_WIDTH}};
  tiny_encoder encoder = {.seed = 11};
  for (size_t i = 0; i < AQ_COUNT_OF(tensors); i++) {
    if (strstr(tensors[i].name, "_embeddings") != NULL) {
      tiny_add(&encoder, tensors[i].name, tensors[i].rows, tensors[i].columns);
    } else {
      tiny_add_pair(&encoder, "", tensors[i].name, tensors[i].rows, tensors[i].columns);
    }
  }
  return encoder;
}

/* The text of its config.json, until the next call. */
static inline const char *one_layer_config(int64_t positions) {
  static char config[300];
  (void)snprintf(config, sizeof config,
                 "{\"model_type\":\"bert\",\"hidden_size\":32,\"num_attention_heads\":4,\"num_hidden_layers\":1,"
                 "\"intermediate_size\":48,\"vocab_size\":33,\"max_position_embeddings\":%d,\"type_vocab_size\":32}",
                 (int)positions);
  return config;
}

/* config.json and vocab.txt in the folder, the weights in the file `model`. */
static inline void one_layer_write(const char *folder, const char *model, int64_t positions) {
  tiny_encoder encoder = one_layer_make(positions);
  write_text(folder, "config.json", one_layer_config(positions));
  write_text(folder, "vocab.txt", one_layer_vocabulary);
  tiny_write(&encoder, model, NULL);
  tiny_free(&encoder);
}

#endif
