/* test_quantized_layer.c - which tensors belong to layers that other tools quantized, by the names these tools give. */
#include <string.h>

#include "check.h"
#include "quant/quantized_layer.h"

typedef struct named {
  const char *name;
  aq_dtype dtype;
  bool member;
  bool scalar; /* a matrix otherwise */
} named;

#define MOST 8

typedef struct example {
  const char *scheme; /* NULL: an ordinary model */
  named tensors[MOST];
} example;

/* Names and dtypes as the tools write them. */
static const example examples[] = {
    {"GPTQ",
     {{"m.q.qweight", AQ_I32, true, false},
      {"m.q.qzeros", AQ_I32, true, false},
      {"m.q.scales", AQ_F16, true, false},
      {"m.q.g_idx", AQ_I32, true, false},
      {"m.q.bias", AQ_F16, true, false},
      {"m.norm.weight", AQ_F16, false, false},
      {"lm_head.weight", AQ_F16, false, false}}},
    {"GPTQ or AWQ",
     {{"m.q.qweight", AQ_I32, true, false}, {"m.q.qzeros", AQ_I32, true, false}, {"m.q.scales", AQ_F16, true, false}}},
    {"compressed-tensors",
     {{"m.q.weight_packed", AQ_I32, true, false},
      {"m.q.weight_scale", AQ_BF16, true, false},
      {"m.q.weight_shape", AQ_I64, true, false},
      {"m.k.weight", AQ_BF16, false, false}}},
    {"compressed-tensors or FP8",
     {{"m.q.weight", AQ_F8_E4M3, true, false},
      {"m.q.weight_scale", AQ_F32, true, false},
      {"m.q.input_scale", AQ_F32, true, false}}},
    {"FP8 by blocks", {{"m.q.weight", AQ_F8_E4M3, true, false}, {"m.q.weight_scale_inv", AQ_F32, true, false}}},
    {"bitsandbytes, int8",
     {{"m.q.weight", AQ_I8, true, false}, {"m.q.SCB", AQ_F32, true, false}, {"m.q.weight_format", AQ_U8, true, false}}},
    {"bitsandbytes, 4 bit",
     {{"m.q.weight", AQ_U8, true, false},
      {"m.q.weight.absmax", AQ_U8, true, false},
      {"m.q.weight.quant_map", AQ_F32, true, false},
      {"m.q.weight.nested_absmax", AQ_F32, true, false},
      {"m.q.weight.quant_state.bitsandbytes__nf4", AQ_U8, true, false},
      {"m.qq.weight", AQ_F32, false, false}}},
    {"MLX",
     {{"m.q.weight", AQ_U32, true, false},
      {"m.q.scales", AQ_F16, true, false},
      {"m.q.biases", AQ_F16, true, false},
      {"m.norm.weight", AQ_F16, false, false}}},
    {"quanto",
     {{"m.q.weight._data", AQ_I8, true, false},
      {"m.q.weight._scale", AQ_F32, true, false},
      {"m.q.bias", AQ_F32, false, false}}},
    {"torchao", {{"m.q._weight_qdata", AQ_I8, true, false}, {"m.q._weight_scale", AQ_F32, true, false}}},
    {"MXFP4",
     {{"m.experts.gate_up_proj_blocks", AQ_U8, true, false},
      {"m.experts.gate_up_proj_scales", AQ_U8, true, false},
      {"m.experts.gate_up_proj_bias", AQ_BF16, true, false},
      {"m.router.weight", AQ_BF16, false, false}}},
    {"HQQ", {{"m.q.W_q", AQ_U8, true, false}, {"m.q.scale", AQ_F16, true, false}, {"m.q.zero", AQ_F16, true, false}}},
    {"AQLM",
     {{"m.q.codes", AQ_I8, true, false}, {"m.q.codebooks", AQ_F16, true, false}, {"m.q.scales", AQ_F16, true, false}}},
    {"compressed-tensors or FP8", {{"l.weight", AQ_F8_E4M3, true, false}, {"l.weight_scale", AQ_F32, true, true}}},
    {"quanto", {{"l.weight._data", AQ_F8_E4M3, true, false}, {"l.weight._scale", AQ_F32, true, true}}},
    {"NVFP4",
     {{"m.q.weight", AQ_U8, true, false},
      {"m.q.weight_scale", AQ_F8_E4M3, true, false},
      {"m.q.weight_scale_2", AQ_F32, true, false}}},
    {"compressed-tensors or FP8", {{"l.weight", AQ_F4, true, false}, {"l.weight_scale", AQ_F8_E8M0, true, false}}},
    /* without a module */
    {"MLX",
     {{"weight", AQ_U32, true, false},
      {"scales", AQ_F16, true, false},
      {"biases", AQ_F16, true, false},
      {"m.weight", AQ_F16, false, false}}},
    /* ordinary integers, and scales of ordinary models */
    {NULL,
     {{"embeddings.position_ids", AQ_I64, false, false},
      {"embeddings.word_embeddings.weight", AQ_F32, false, false},
      {"logit_scale", AQ_F32, false, false}}},
    {NULL,
     {{"h.0.attn.bias", AQ_U8, false, false},
      {"h.0.attn.masked_bias", AQ_F32, false, false},
      {"h.0.attn.c_attn.weight", AQ_F32, false, false}}},
    {NULL,
     {{"layers.0.attn.relative_position_bias_table", AQ_F32, false, false},
      {"layers.0.attn.relative_position_index", AQ_I64, false, false},
      {"layers.0.attn.logit_scale", AQ_F32, false, false}}},
    {NULL, {{"m.q.weight", AQ_F8_E4M3, false, false}, {"m.q.bias", AQ_F16, false, false}}}, /* cast, not scaled */
    {NULL,
     {{"logit_scale", AQ_F32, false, true},
      {"steps", AQ_I32, false, false},
      {"table", AQ_U8, false, false},
      {"proj.weight", AQ_F32, false, false}}},
    {NULL, {{"bn.running_mean", AQ_F32, false, false}, {"bn.num_batches_tracked", AQ_I64, false, false}}},
    {NULL, {{"ln.scale", AQ_F32, false, false}, {"ln.bias", AQ_F32, false, false}}},
};

static size_t fill_tensors(const example *e, aq_tensor_info *tensors) {
  size_t count = 0;
  for (; count < MOST && e->tensors[count].name != NULL; count++) {
    tensors[count] = (aq_tensor_info){.name = e->tensors[count].name,
                                      .dtype = e->tensors[count].dtype,
                                      .rank = e->tensors[count].scalar ? 0 : 2,
                                      .shape = {8, 8},
                                      .num_params = e->tensors[count].scalar ? 1 : 64,
                                      .alias_of = -1};
  }
  return count;
}

static void layers_of_every_scheme_are_found_with_all_their_tensors(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof examples / sizeof *examples; k++) {
    const example *e = &examples[k];
    aq_tensor_info tensors[MOST];
    const size_t count = fill_tensors(e, tensors);
    aq_quantized_layers found;
    assert_int_equal(aq_quantized_layers_find(tensors, count, &found, NULL), AQ_OK);
    assert_int_equal(found.count > 0, e->scheme != NULL);
    if (e->scheme != NULL) assert_non_null(found.scheme);
    if (e->scheme != NULL) assert_string_equal(found.scheme, e->scheme);
    for (size_t i = 0; i < count; i++) {
      const bool member = found.members != NULL && found.members[i];
      if (member != e->tensors[i].member) fail_msg("example %zu: '%s'", k, e->tensors[i].name);
    }
    aq_quantized_layers_reset(&found);
  }
}

/* Codes of this library's own tables are no codes of another tool. */
static void quantized_rows_of_a_table_are_not_members(void **state) {
  (void)state;
  const aq_tensor_info tensors[2] = {
      {.name = "l.weight", .dtype = AQ_F32, .quant_type = AQ_INT8, .rank = 2, .shape = {8, 8}, .num_params = 64},
      {.name = "l.weight_scale", .dtype = AQ_F32, .rank = 2, .shape = {8, 8}, .num_params = 64}};
  aq_quantized_layers found;
  assert_int_equal(aq_quantized_layers_find(tensors, 2, &found, NULL), AQ_OK);
  assert_int_equal(found.count, 0);
  assert_null(found.members);
  assert_int_equal(aq_quantized_layers_find(NULL, 0, &found, NULL), AQ_OK);
  assert_int_equal(found.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layers_of_every_scheme_are_found_with_all_their_tensors),
      cmocka_unit_test(quantized_rows_of_a_table_are_not_members),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
