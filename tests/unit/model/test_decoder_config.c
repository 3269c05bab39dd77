/* test_decoder_config.c - configurations of decoders: what each family makes of them, and what is refused. */
#include "model/decoder_config.h"

#include <math.h>

#include "check.h"
#include "core/compiler.h"

/* A config.json; members that come later replace none, so each test brings its own. */
#define SIZES                                                                                      \
  "\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":4,\"intermediate_size\":96," \
  "\"vocab_size\":100,\"max_position_embeddings\":128"
#define CONFIG(type, members) "{\"model_type\":\"" type "\"," SIZES members "}"

typedef struct parsed {
  aq_model_config base;
  aq_decoder_config decoder;
  aq_notes notes;
} parsed;

static parsed parse(const char *text) {
  aq_error err;
  parsed p = {.notes = {.count = 0}};
  assert_ok(aq_decoder_config_parse(text, strlen(text), &p.notes, &p.base, &p.decoder, &err));
  return p;
}

static void drop(parsed *p) {
  aq_decoder_config_reset(&p->decoder);
  aq_notes_reset(&p->notes);
}

static void expect_refused(const char *text, aq_status status, const char *words) {
  aq_error err;
  parsed p = {.notes = {.count = 0}};
  const aq_status got = aq_decoder_config_parse(text, strlen(text), &p.notes, &p.base, &p.decoder, &err);
  drop(&p);
  if (got != status || strstr(err.message, words) == NULL || strcmp(err.file, "config.json") != 0) {
    fail_msg("%s\nstatus %d: %s; expected %d: %s", text, (int)got, got == AQ_OK ? "" : err.message, (int)status, words);
  }
}

static void what_a_configuration_leaves_out_is_the_familys(void **state) {
  static const struct {
    const char *text;
    uint32_t kv_heads, width;
    float epsilon;
    bool tied;
    uint32_t biases;
  } cases[] = {{CONFIG("llama", ""), 4, 16, 1e-6f, false, 0},
               {CONFIG("llama", ",\"attention_bias\":true"), 4, 16, 1e-6f, false, 4},
               {CONFIG("llama", ",\"mlp_bias\":true"), 4, 16, 1e-6f, false, 3},
               {CONFIG("qwen2", ",\"num_key_value_heads\":2"), 2, 16, 1e-6f, false, 3},
               {CONFIG("qwen3", ",\"num_key_value_heads\":2,\"rms_norm_eps\":0.5"), 2, 128, 0.5f, false, 0},
               {CONFIG("gemma3_text", ""), 4, 256, 1e-6f, true, 0},
               {CONFIG("mistral", ",\"num_key_value_heads\":null,\"head_dim\":8"), 4, 8, 1e-6f, false, 0},
               {CONFIG("smollm3", ",\"attention_bias\":true,\"mlp_bias\":true"), 4, 16, 1e-6f, true, 7},
               {CONFIG("phi3", ",\"attention_bias\":true"), 4, 16, 1e-5f, false, 0}};
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    parsed p = parse(cases[i].text);
    const aq_layer_spec *layer = &p.decoder.layers[3];
    uint32_t biases = 0;
    for (uint32_t bit = 0; bit < 32; bit++) biases += p.decoder.biased >> bit & 1;
    assert_int_equal(layer->heads, 4);
    assert_int_equal(layer->kv_heads, cases[i].kv_heads);
    assert_int_equal(layer->width, cases[i].width);
    assert_true(p.base.epsilon == cases[i].epsilon);
    assert_int_equal(p.decoder.tied, cases[i].tied);
    assert_int_equal(biases, cases[i].biases);
    assert_int_equal(p.notes.count, 0);
    drop(&p);
  }
}

/* A letter a layer: w has a window, n has none, and capitals have no positions. */
static void layers_have_windows_and_positions(void **state) {
  static const struct {
    const char *text, *layers;
  } cases[] = {
      {CONFIG("llama", ""), "nnnn"},
      {CONFIG("mistral", ",\"num_key_value_heads\":1"), "wwww"},
      {CONFIG("mistral", ",\"num_key_value_heads\":1,\"sliding_window\":null"), "nnnn"},
      {CONFIG("phi3", ""), "nnnn"},
      {CONFIG("phi3", ",\"sliding_window\":4096"), "wwww"},
      {CONFIG("qwen2", ",\"num_key_value_heads\":1"), "nnnn"},
      {CONFIG("qwen2", ",\"num_key_value_heads\":1,\"max_window_layers\":1"), "nnnn"},
      {CONFIG("qwen2", ",\"num_key_value_heads\":1,\"max_window_layers\":1,\"use_sliding_window\":true"), "nwww"},
      {CONFIG("qwen3",
              ",\"num_key_value_heads\":1,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\","
              "\"sliding_attention\",\"full_attention\",\"sliding_attention\"]"),
       "nwnw"},
      {CONFIG("gemma3_text", ",\"sliding_window_pattern\":3"), "wwnw"},
      {CONFIG("smollm3", ""), "nnnN"},
      {CONFIG("smollm3", ",\"no_rope_layers\":[0,1,1,0]"), "NnnN"},
      {CONFIG("smollm3", ",\"no_rope_layer_interval\":2,\"use_sliding_window\":true,\"sliding_window\":4096"), "nWnW"}};
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    parsed p = parse(cases[i].text);
    for (size_t l = 0; l < 4; l++) {
      const aq_layer_spec *layer = &p.decoder.layers[l];
      const char wanted = cases[i].layers[l];
      assert_int_equal(layer->window, wanted == 'w' || wanted == 'W' ? 4096 : AQ_NO_WINDOW);
      assert_int_equal(layer->rope == AQ_NO_ROPE, wanted == 'N' || wanted == 'W');
    }
    drop(&p);
  }
}

static void gemma_scales_and_places_by_type_of_layer(void **state) {
  parsed p = parse(CONFIG("gemma3_text",
                          ",\"head_dim\":4,\"query_pre_attn_scalar\":16,\"final_logit_softcapping\":30,"
                          "\"rope_theta\":10000,\"rope_local_base_freq\":100,"
                          "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8}"));
  (void)state;
  assert_true(p.decoder.embedding_scale == 8 && p.decoder.logit_cap == 30 && p.decoder.gains_add_one);
  assert_true(p.decoder.layers[0].scale == 0.25f);
  assert_int_equal(p.decoder.layers[0].rope, 1); /* of windows: the sixth layer would be the first without */
  assert_true(p.decoder.ropes[0].frequencies[0] == 0.125f && p.decoder.ropes[0].frequencies[1] == 0.01f / 8);
  assert_true(p.decoder.ropes[1].frequencies[0] == 1 && p.decoder.ropes[1].frequencies[1] == 0.1f);
  drop(&p);
}

/* Worked out with the formulas of transformers for theta 10000 and heads of 16 values, of which pair 4 of 8 turns. */
static void frequencies_follow_the_type(void **state) {
#define ROPE(members) CONFIG("llama", ",\"rope_parameters\":{" members "}")
  static const struct {
    const char *text;
    double frequency, scale;
  } cases[] = {
      {ROPE("\"rope_type\":\"default\""), 0.01, 1},
      {ROPE("\"rope_theta\":256"), 0.0625, 1},
      {ROPE("\"type\":\"linear\",\"factor\":4"), 0.0025, 1},
      {ROPE("\"rope_type\":\"dynamic\",\"factor\":4"), 0.01, 1},
      /* It turns once in 628 tokens: below low_freq_factor times in 128. */
      {ROPE("\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4"), 0.00125, 1},
      /* 1024 tokens: 1.6297 turns, a mean of both of share 0.20992. */
      {ROPE("\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
            "\"original_max_position_embeddings\":1024"),
       0.01 * (0.20991556 + (1 - 0.20991556) / 8), 1},
      /* Pairs that turn 32 times and once in 1024 tokens: 1.41 and 4.42, so the ramp goes from 1 to 5. */
      {ROPE("\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":1024"),
       0.01 * (0.25 + 0.75 * 0.25), 1.1386294361},
      {ROPE("\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":1024,\"attention_factor\":0.5"),
       0.01 * (0.25 + 0.75 * 0.25), 0.5},
      {ROPE("\"rope_type\":\"longrope\",\"short_factor\":[1,1,1,1,2,1,1,1],\"long_factor\":[1,1,1,1,5,1,1,1],"
            "\"original_max_position_embeddings\":32"),
       0.005, 1.1832159566},
  };
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    parsed p = parse(cases[i].text);
    const aq_rope *rope = &p.decoder.ropes[0];
    if (fabs((double)rope->frequencies[4] / cases[i].frequency - 1) > 1e-6 ||
        fabs((double)rope->scale / cases[i].scale - 1) > 1e-6) {
      fail_msg("%s: %.9g scaled by %.9g", cases[i].text, (double)rope->frequencies[4], (double)rope->scale);
    }
    drop(&p);
  }
  parsed p = parse(cases[AQ_COUNT_OF(cases) - 1].text);
  assert_int_equal(p.decoder.ropes[0].short_limit, 32);
  assert_true(fabs((double)p.decoder.ropes[0].frequencies[8 + 4] / 0.002 - 1) < 1e-6);
  drop(&p);
}

static void phi3_turns_a_part_of_a_head(void **state) {
  (void)state;
  parsed p = parse(CONFIG("phi3", ",\"partial_rotary_factor\":0.75"));
  assert_int_equal(p.decoder.ropes[0].half, 6);
  drop(&p);
  p = parse(CONFIG("phi3",
                   ",\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1,1,1,1,1,1,1,1],"
                   "\"long_factor\":[1,1,1,1,1,1,1,1]},\"original_max_position_embeddings\":64"));
  assert_int_equal(p.decoder.ropes[0].short_limit, 64);
  drop(&p);
}

static void what_is_not_run_is_refused_by_name(void **state) {
  static const struct {
    const char *text;
    aq_status status;
    const char *words;
  } cases[] = {
      {"[1]", AQ_ERR_FORMAT, ""},
      {"{}", AQ_ERR_UNSUPPORTED, "'model_type' is missing; decoders that can be run are llama, qwen2, qwen3"},
      {CONFIG("bert", ""), AQ_ERR_UNSUPPORTED, "'model_type' is 'bert'; decoders that can be run are llama"},
      {"{\"model_type\":\"llama\"}", AQ_ERR_FORMAT, "'hidden_size' is missing"},
      {CONFIG("llama", ",\"num_key_value_heads\":3"), AQ_ERR_FORMAT, "no multiple of 'num_key_value_heads' (3)"},
      {CONFIG("llama", ",\"head_dim\":2000"), AQ_ERR_FORMAT, "'head_dim' is 2000"},
      {CONFIG("llama", ",\"head_dim\":7"), AQ_ERR_UNSUPPORTED, "7 of a head's 7 values"},
      {CONFIG("llama", ",\"rms_norm_eps\":-1"), AQ_ERR_FORMAT, "'rms_norm_eps' is -1"},
      {CONFIG("llama", ",\"hidden_act\":\"relu2\""), AQ_ERR_UNSUPPORTED, "'hidden_act' is 'relu2'"},
      {CONFIG("llama", ",\"sliding_window\":5"), AQ_ERR_UNSUPPORTED, "'sliding_window' is set"},
      {CONFIG("llama", ",\"layer_types\":[\"full_attention\"]"), AQ_ERR_UNSUPPORTED, "'layer_types' is set"},
      {CONFIG("llama", ",\"partial_rotary_factor\":0.5"), AQ_ERR_UNSUPPORTED, "'partial_rotary_factor' is 0.5"},
      {CONFIG("llama", ",\"rope_interleaved\":true"), AQ_ERR_UNSUPPORTED, "'rope_interleaved' is true"},
      {CONFIG("llama", ",\"is_causal\":false"), AQ_ERR_UNSUPPORTED, "'is_causal' is false; what can be run is true"},
      {CONFIG("llama", ",\"quantization_config\":{\"bits\":4}"), AQ_ERR_UNSUPPORTED, "'quantization_config'"},
      {CONFIG("qwen3", ",\"num_key_value_heads\":1,\"layer_types\":[\"full_attention\"]"), AQ_ERR_FORMAT,
       "'layer_types' is no list of 4"},
      {CONFIG("gemma3_text", ",\"attn_logit_softcapping\":50.0"), AQ_ERR_UNSUPPORTED, "'attn_logit_softcapping'"},
      {CONFIG("gemma3_text", ",\"use_bidirectional_attention\":true"), AQ_ERR_UNSUPPORTED, "'use_bidirectional_att"},
      {CONFIG("gemma3_text", ",\"rope_parameters\":{\"rope_theta\":5}"), AQ_ERR_UNSUPPORTED, "has 'rope_theta'"},
      {CONFIG("gemma3_text", ",\"sliding_window\":null"), AQ_ERR_FORMAT, "'sliding_window' is null"},
      {CONFIG("smollm3", ",\"no_rope_layers\":[1]"), AQ_ERR_FORMAT, "'no_rope_layers' is no list"},
      {CONFIG("smollm3", ",\"no_rope_layers\":[1,2,1,1]"), AQ_ERR_FORMAT, "'no_rope_layers' is no list"},
      {CONFIG("phi3", ",\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2}"), AQ_ERR_UNSUPPORTED,
       "'rope_type' is 'linear'; what can be run is default, longrope"},
      {ROPE("\"rope_type\":\"proportional\""), AQ_ERR_UNSUPPORTED, "'rope_type' is 'proportional'"},
      {ROPE("\"rope_type\":\"linear\""), AQ_ERR_FORMAT, "'factor' is missing"},
      {ROPE("\"rope_type\":\"linear\",\"factor\":0"), AQ_ERR_FORMAT, "'factor' is 0"},
      {ROPE("\"rope_type\":\"linear\",\"factor\":\"NaN\""), AQ_ERR_FORMAT, "'factor' is not a number"},
      {ROPE("\"rope_type\":\"longrope\",\"short_factor\":[1],\"long_factor\":[1]"), AQ_ERR_FORMAT, "no list of 8"},
      {ROPE("\"mrope_section\":[1,2]"), AQ_ERR_UNSUPPORTED, "'mrope_section'"},
      {ROPE("\"full_attention\":{}"), AQ_ERR_UNSUPPORTED, "'rope_parameters' has 'full_attention'"},
  };
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) expect_refused(cases[i].text, cases[i].status, cases[i].words);
}

static void unknown_keys_are_noted(void **state) {
  (void)state;
  parsed p = parse(CONFIG("llama", ",\"clip_qkv\":4,\"rope_parameters\":{\"rope_type\":\"default\",\"warp\":1}"));
  assert_int_equal(p.notes.count, 2);
  assert_non_null(strstr(p.notes.items[0], "'clip_qkv'"));
  assert_non_null(strstr(p.notes.items[1], "'warp'"));
  drop(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_configuration_leaves_out_is_the_familys),
      cmocka_unit_test(layers_have_windows_and_positions),
      cmocka_unit_test(gemma_scales_and_places_by_type_of_layer),
      cmocka_unit_test(frequencies_follow_the_type),
      cmocka_unit_test(phi3_turns_a_part_of_a_head),
      cmocka_unit_test(what_is_not_run_is_refused_by_name),
      cmocka_unit_test(unknown_keys_are_noted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
