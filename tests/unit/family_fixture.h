/* family_fixture.h - the configurations of tiny encoders of all families that are calibrated, one of them opened for
 * passes, and texts for it. */
#ifndef AQ_TESTS_FAMILY_FIXTURE_H
#define AQ_TESTS_FAMILY_FIXTURE_H

#include "core/pool.h"
#include "model/run/tape.h"
#include "tiny_family.h"

#define FAM_USUAL                                                                                                    \
  "\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,\"intermediate_size\":22,\"vocab_size\":31," \
  "\"max_position_embeddings\":74"
#define FAM_T5                                                                                                       \
  "\"d_model\":12,\"num_heads\":3,\"num_layers\":2,\"d_kv\":6,\"d_ff\":22,\"vocab_size\":31,\"is_encoder_decoder\":" \
  "true"
/* Layer 0 sees the whole text and has no norm, layer 1 near tokens, layer 2 the whole text. */
#define FAM_MODERN                                                                                       \
  "{\"model_type\":\"modernbert\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":3," \
  "\"intermediate_size\":22,\"vocab_size\":31,\"max_position_embeddings\":74,\"local_attention\":7,"     \
  "\"global_attn_every_n_layers\":2,\"global_rope_theta\":900.0,\"local_rope_theta\":50.0"

static const char *const fam_configs[] = {
    "{\"model_type\":\"bert\"," FAM_USUAL "}",
    "{\"model_type\":\"mpnet\"," FAM_USUAL "}",
    FAM_MODERN "}",
    FAM_MODERN ",\"norm_bias\":true,\"attention_bias\":true,\"mlp_bias\":true}",
    "{\"model_type\":\"nomic_bert\"," FAM_USUAL "}",
    "{\"model_type\":\"gte\",\"type_vocab_size\":0," FAM_USUAL "}",
    "{\"model_type\":\"gte\",\"pack_qkv\":true," FAM_USUAL "}", /* its own code's names */
    "{\"model_type\":\"nomic_bert\",\"n_embd\":12,\"n_head\":3,\"n_layer\":2,\"n_inner\":22,\"n_positions\":74,"
    "\"vocab_size\":31,\"activation_function\":\"swiglu\",\"rotary_emb_fraction\":1.0,\"rotary_emb_base\":300,"
    "\"qkv_proj_bias\":false,\"mlp_fc1_bias\":false,\"mlp_fc2_bias\":false}",
    "{\"model_type\":\"bert\",\"position_embedding_type\":\"alibi\",\"feed_forward_type\":\"geglu\"," FAM_USUAL "}",
    "{\"model_type\":\"jina_embeddings_v3\"," FAM_USUAL "}",
    "{\"model_type\":\"t5\",\"feed_forward_proj\":\"gelu\"," FAM_T5 "}",
    "{\"model_type\":\"mt5\",\"feed_forward_proj\":\"gated-gelu\"," FAM_T5 "}",
    "{\"model_type\":\"electra\",\"embedding_size\":7," FAM_USUAL "}",
    "{\"model_type\":\"albert\",\"embedding_size\":7,\"hidden_size\":12,\"num_attention_heads\":3,"
    "\"num_hidden_layers\":3,\"intermediate_size\":22,\"vocab_size\":31,\"max_position_embeddings\":74}",
    /* Attention that does not know distances, and divides its scores as if it did. */
    "{\"model_type\":\"deberta-v2\",\"pos_att_type\":\"c2p\",\"position_biased_input\":false," FAM_USUAL "}",
};
enum { FAM_CONFIGS = AQ_COUNT_OF(fam_configs) };

/* Texts from one token to more than a block of queries of attention; together more than a block of rows. */
enum { FAM_TEXTS = 4, FAM_ALL = 1 + 9 + 70 + 30 };
static const uint32_t fam_lengths[FAM_TEXTS] = {1, 9, 70, 30};

typedef struct fam_fixture {
  tiny_encoder tensors;
  char folder[512];
  int32_t ids[FAM_TEXTS][FAM_TOKENS];
  const int32_t *texts[FAM_TEXTS];
  aq_source *source;
  aq_model model;
  aq_pool *pool, *alone; /* of three threads, of one */
  aq_params params;
} fam_fixture;

static inline void fam_set_up(fam_fixture *f, const char *config) {
  aq_error err;
  char path[600];
  *f = (fam_fixture){.source = NULL};
  fam_make(&f->tensors, config);
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f->folder);
  write_text(f->folder, "config.json", config);
  tiny_write(&f->tensors, path, NULL);
  for (int32_t i = 0; i < FAM_TEXTS; i++) {
    for (int32_t k = 0; k < FAM_TOKENS; k++) f->ids[i][k] = 2 + (i * 13 + k * 7 + k * k / 3) % (FAM_WORDS - 2);
    f->texts[i] = f->ids[i];
  }
  assert_ok(aq_source_open(f->folder, NULL, &f->source, &err));
  assert_ok(aq_model_open(f->source, NULL, &f->model, &err));
  assert_ok(aq_pool_create(3, &f->pool, &err));
  assert_ok(aq_pool_create(1, &f->alone, &err));
  assert_ok(aq_params_load(&f->model, f->pool, &f->params, &err));
}

static inline void fam_tear_down(fam_fixture *f) {
  aq_params_reset(&f->params);
  aq_pool_free(f->pool);
  aq_pool_free(f->alone);
  aq_model_reset(&f->model);
  aq_source_close(f->source);
  drop_folder(f->folder);
  tiny_free(&f->tensors);
}

#endif
