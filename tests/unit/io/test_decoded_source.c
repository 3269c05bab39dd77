/* test_decoded_source.c - layers that other tools quantized as tensors of values; what is not decoded, and what is
 * refused. The values of each format are compared in tests/interop/test_quantized_checkpoints.py. */
#include "check.h"
#include "faulty_allocator.h"
#include "temp_folder.h"

#include "core/compiler.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "io/source.h"

static aq_error err;

typedef struct part {
  const char *name, *dtype, *shape; /* as the header has them */
  const void *bytes;
  size_t size;
} part;

static const uint32_t nibbles[8] = {0x76543210U, 0x76543210U, 0x76543210U, 0x76543210U,
                                    0x76543210U, 0x76543210U, 0x76543210U, 0xfedcba98U};
static const uint32_t sixes[8] = {0x66666666U, 0x66666666U, 0x66666666U, 0x66666666U};
static const uint16_t ones[64] = {0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x4000};
static const int32_t groups[8] = {0, 0, 0, 0, 0, 0, 0, 0};
static const float norm[2] = {1.5F, -2};

static const part gptq[] = {{"norm", "F32", "[2]", norm, 8},
                            {"a.qweight", "I32", "[1,8]", nibbles, 32},
                            {"a.qzeros", "I32", "[1,1]", sixes, 4},
                            {"a.scales", "F16", "[1,8]", ones, 16},
                            {"a.g_idx", "I32", "[8]", groups, 32}};

#define GPTQ(more) "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":-1" more "}}"

/* A folder with these tensors, and config.json unless that is NULL. */
static const char *write_model(const char *config, const part *parts, size_t count) {
  char header[4096] = "{";
  static uint8_t data[1 << 16];
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t length = strlen(header);
    (void)snprintf(header + length, sizeof header - length,
                   "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", i > 0 ? "," : "",
                   parts[i].name, parts[i].dtype, parts[i].shape, at, at + parts[i].size);
    memcpy(data + at, parts[i].bytes, parts[i].size);
    at += parts[i].size;
  }
  strcat(header, "}");
  if (!aq_path_exists(temp_path("m"))) temp_mkdir("m");
  if (config != NULL) (void)temp_write_text("m/config.json", config);
  (void)temp_write_safetensors("m/model.safetensors", header, data, at);
  return temp_path("m");
}

static aq_source *open_model(const char *config, const part *parts, size_t count) {
  aq_source *source = NULL;
  assert_ok(aq_source_open(write_model(config, parts, count), NULL, &source, &err));
  return source;
}

static void expect_values(const aq_source *source, const char *name, const float *wanted, size_t count) {
  float values[64];
  const int64_t i = aq_source_find(source, name);
  assert_true(i >= 0);
  assert_int_equal(aq_source_tensor(source, (size_t)i)->num_params, count);
  assert_ok(aq_source_read_f32(source, (size_t)i, 0, count, values, &err));
  assert_memory_equal(values, wanted, count * sizeof *values);
}

static void layer_is_one_tensor_of_values(void **state) {
  (void)state;
  float wanted[64];
  for (size_t i = 0; i < 64; i++) wanted[i] = (float)(int)(i % 8) - 7;
  for (size_t i = 56; i < 64; i++) wanted[i] = ((float)(int)(i % 8) + 1) * 2;
  aq_source *s = open_model(GPTQ(",\"rotation\":null,\"v2\":false"), gptq, AQ_COUNT_OF(gptq));
  assert_int_equal(aq_source_tensor_count(s), 2);
  assert_string_equal(aq_source_format(s), "safetensors");
  const aq_tensor_info *a = aq_source_tensor(s, 1);
  assert_string_equal(a->name, "a.weight");
  assert_int_equal(a->dtype, AQ_F32);
  assert_int_equal(a->rank, 2);
  assert_int_equal(a->shape[0], 8);
  assert_int_equal(a->shape[1], 8);
  assert_int_equal(a->data_bytes, 256);
  assert_int_equal(a->stored_bytes, 84);
  expect_values(s, "a.weight", wanted, 64);
  expect_values(s, "norm", norm, 2);
  assert_int_equal(aq_source_note_count(s), 1);
  assert_string_equal(
      aq_source_note(s, 0),
      "another tool has quantized 1 of the layers already (GPTQ; 'a.weight'): they are decoded to FP32");
  aq_source_close(s);
}

static void any_range_of_bytes_is_that_of_the_whole(void **state) {
  (void)state;
  uint8_t whole[256], bytes[256];
  aq_source *s = open_model(GPTQ(""), gptq, AQ_COUNT_OF(gptq));
  assert_ok(aq_source_read_bytes(s, 1, 0, sizeof whole, whole, &err));
  for (size_t begin = 0; begin < sizeof whole; begin++) {
    for (size_t size = 1; begin + size <= sizeof whole; size += 7) {
      assert_ok(aq_source_read_bytes(s, 1, begin, size, bytes, &err));
      assert_memory_equal(bytes, whole + begin, size);
    }
  }
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 1, &tensor, &err));
  assert_false(tensor.is_view);
  assert_memory_equal(tensor.data, whole, sizeof whole);
  aq_tensor_release(&tensor);
  assert_ok(aq_source_load(s, 0, &tensor, &err));
  assert_true(tensor.is_view);
  aq_tensor_release(&tensor);
  aq_source_close(s);
}

static void configuration_reads_as_that_of_a_model_of_values(void **state) {
  (void)state;
  char *text;
  size_t size;
  uint64_t bytes;
  aq_source *s = open_model(
      "{\n  \"x\": NaN,\n  \"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4, "
      "\"group_size\": -1}\n}\n",
      gptq, AQ_COUNT_OF(gptq));
  assert_ok(aq_model_file_read(s, NULL, "config.json", &text, &size, &err));
  assert_string_equal(text, "{\n  \"x\": NaN\n}\n");
  assert_ok(aq_model_file_measure_place(s, "config.json", &bytes, &err));
  assert_int_equal(bytes, strlen(text));
  aq_free(text);
  aq_source_close(s);
  /* Codes of another layer are left: what it says of them stays. */
  part parts[AQ_COUNT_OF(gptq) + 2];
  memcpy(parts, gptq, sizeof gptq);
  parts[5] = (part){"b.W_q", "U8", "[4,4]", nibbles, 16};
  parts[6] = (part){"b.scale", "F32", "[4]", nibbles, 16};
  s = open_model(GPTQ(""), parts, AQ_COUNT_OF(parts));
  assert_int_equal(aq_source_tensor_count(s), 4);
  assert_int_equal(aq_source_note_count(s), 2);
  assert_ok(aq_model_file_read(s, NULL, "config.json", &text, &size, &err));
  assert_non_null(strstr(text, "quantization_config"));
  aq_free(text);
  aq_source_close(s);
}

static void older_gptq_has_a_file_of_its_own(void **state) {
  (void)state;
  (void)write_model("{}", gptq, AQ_COUNT_OF(gptq));
  (void)temp_write_text("m/quantize_config.json", "{\"bits\":4,\"group_size\":128,\"desc_act\":false}");
  aq_source *s = NULL;
  assert_ok(aq_source_open(temp_path("m"), NULL, &s, &err));
  assert_int_equal(aq_source_find(s, "a.weight"), 1);
  aq_source_close(s);
  assert_int_equal(remove(temp_path("m/quantize_config.json")), 0);
}

/* ---- not decoded ---- */

static void what_is_not_known_stays_as_it_is_stored(void **state) {
  (void)state;
  static const struct {
    const char *config, *says;
  } cases[] = {
      {GPTQ(",\"checkpoint_format\":\"marlin\""), "checkpoint_format 'marlin' is not decoded"},
      {GPTQ(",\"checkpoint_format\":\"gptq\",\"format\":\"gptq_v2\""),
       "its checkpoint_format is 'gptq' and its format"},
      {GPTQ(",\"rotation\":\"hadamard\""), "has 'rotation', which is not known"},
      {GPTQ(",\"dynamic\":{\"+:a\":{\"bits\":8}},\"pack_dtype\":\"int64\""), "codes in int64"},
      {GPTQ(",\"is_marlin_format\":true"), "Marlin"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":0,\"group_size\":8}}", "codes of 0 bits"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":33,\"group_size\":8}}", "codes of 33 bits"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":-4,\"group_size\":8}}", "codes of -4 bits"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":0}}", "groups of 0 values"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}", "has no 'group_size'"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"group_size\":8}}", "has no 'bits'"},
      {"{\"quantization_config\":{\"quant_method\":\"awq\",\"bits\":4,\"group_size\":8,\"version\":\"gemv\"}}",
       "its layout 'gemv'"},
      {"{\"quantization_config\":{\"quant_method\":\"awq\",\"bits\":8,\"group_size\":8}}", "codes of 8 bits"},
      {"{\"quantization_config\":{\"quant_method\":\"awq\",\"bits\":4,\"group_size\":8,\"zero_point\":false}}",
       "without zero points"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_source *s = open_model(cases[i].config, gptq, AQ_COUNT_OF(gptq));
    assert_int_equal(aq_source_tensor_count(s), AQ_COUNT_OF(gptq));
    assert_int_equal(aq_source_note_count(s), 2);
    if (strstr(aq_source_note(s, 0), cases[i].says) == NULL) fail_msg("%s: %s", cases[i].says, aq_source_note(s, 0));
    aq_source_close(s);
  }
}

/* Without a method that is known, layers stay codes, and one line says why. */
static void reason_is_told_where_no_method_is_known(void **state) {
  (void)state;
  static const struct {
    const char *config, *says;
  } cases[] = {
      {NULL, "the quantized layers are not decoded: there is no config.json to say how they are quantized"},
      {"{}", "the quantized layers are not decoded: config.json has no quantization_config"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\"",
       "the quantized layers are not decoded: config.json: the JSON"},
      {"{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4,\"bits\":4,\"group_size\":-1}}",
       "the quantized layers are not decoded: config.json: the JSON text is wrong: duplicate object key"},
      {"[1]", "the quantized layers are not decoded: config.json: the JSON text is not an object"},
      {"{\"quantization_config\":null}", "decoded: 'quantization_config' of config.json is no object"},
      {"{\"quantization_config\":[1]}", "decoded: 'quantization_config' of config.json is no object"},
      {"{\"quantization_config\":\"gptq\"}", "decoded: 'quantization_config' of config.json is no object"},
      {"{\"quantization\":4}", "decoded: 'quantization' of config.json is no object"},
      {"{\"quantization_config\":{}}", "decoded: 'quantization_config' of config.json has no quant_method"},
      {"{\"quantization_config\":{\"quant_method\":4}}", "'quantization_config' of config.json has no quant_method"},
      {"{\"quantization_config\":{\"quant_method\":\"exl3\",\"bits\":4}}",
       "the quantized layers (exl3) are not decoded: the method is not known"},
      {"{\"quantization_config\":{\"quant_method\":\"mxfp4\"}}",
       "the quantized layers (mxfp4) are not decoded: no tensors are named as those of that method"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    if (cases[i].config == NULL) (void)remove(temp_path("m/config.json"));
    aq_source *s = open_model(cases[i].config, gptq, AQ_COUNT_OF(gptq));
    assert_int_equal(aq_source_tensor_count(s), AQ_COUNT_OF(gptq));
    assert_int_equal(aq_source_note_count(s), 2);
    if (strstr(aq_source_note(s, 0), cases[i].says) == NULL) fail_msg("%s: %s", cases[i].says, aq_source_note(s, 0));
    assert_null(strchr(aq_source_note(s, 0), '\n'));
    aq_source_close(s);
    s = open_model(cases[i].config, gptq, 1); /* nothing to be told of a model of values */
    for (size_t k = 0; k < aq_source_note_count(s); k++) assert_null(strstr(aq_source_note(s, k), "not decoded"));
    aq_source_close(s);
  }
}

static void damage_of_the_older_file_of_gptq_is_told(void **state) {
  (void)state;
  (void)remove(temp_path("m/config.json"));
  (void)temp_write_text("m/quantize_config.json", "{\"bits\":4,");
  aq_source *s = open_model(NULL, gptq, AQ_COUNT_OF(gptq));
  assert_non_null(strstr(aq_source_note(s, 0), "are not decoded: quantize_config.json: the JSON text is wrong"));
  aq_source_close(s);
  assert_int_equal(remove(temp_path("m/quantize_config.json")), 0);
}

/* ---- refused ---- */

static void opening_fails(const char *config, const part *parts, size_t count, const char *tensor, const char *words) {
  aq_source *source = NULL;
  assert_int_equal(aq_source_open(write_model(config, parts, count), NULL, &source, &err), AQ_ERR_FORMAT);
  assert_null(source);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  assert_string_equal(err.tensor, tensor);
  assert_non_null(strstr(err.hint, "remove the words about quantization from config.json"));
}

static void shapes_that_contradict_each_other_are_refused(void **state) {
  (void)state;
  static const struct {
    size_t part;
    part is;
    const char *tensor, *says;
  } cases[] = {
      {1, {"a.qweight", "I32", "[8]", nibbles, 32}, "a.qweight", "no shape of codes"},
      {1, {"a.qweight", "I32", "[2,4]", nibbles, 32}, "a.scales", "it would have [1, 4]"},
      {1, {"a.qweight", "F32", "[1,8]", nibbles, 32}, "a.qweight", "is of dtype F32"},
      {2, {"a.qzeros", "I32", "[2,1]", sixes, 8}, "a.qzeros", "has the shape [2, 1]"},
      {2, {"a.qzeros", "I32", "[1,2]", sixes, 8}, "a.qzeros", "it would have [1, 1]"},
      {2, {"a.other", "I32", "[1,1]", sixes, 4}, "", "tensor 'a.qzeros' is missing"},
      {3, {"a.scales", "F16", "[2,8]", ones, 32}, "a.scales", "it would have [1, 8]"},
      {3, {"a.scales", "I16", "[1,8]", ones, 16}, "a.scales", "is of dtype I16"},
      {4, {"a.g_idx", "I32", "[7]", groups, 28}, "a.g_idx", "it would have [8]"},
      {4, {"a.g_idx", "F32", "[8]", groups, 32}, "a.g_idx", "is of dtype F32"},
      {4, {"a.weight", "F32", "[2]", norm, 8}, "a.weight", "two tensors have this name"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    part parts[AQ_COUNT_OF(gptq)];
    memcpy(parts, gptq, sizeof gptq);
    parts[cases[i].part] = cases[i].is;
    opening_fails(GPTQ(""), parts, AQ_COUNT_OF(parts), cases[i].tensor, cases[i].says);
  }
  opening_fails("{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":3,\"group_size\":-1}}", gptq,
                AQ_COUNT_OF(gptq), "a.qweight", "which codes of 3 bits do not fill");
  opening_fails("{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":\"4\",\"group_size\":-1}}", gptq,
                AQ_COUNT_OF(gptq), "", "'bits' is not a whole number");
}

/* ---- the other schemes: a layer, and what is wrong with it ---- */

#define METHOD(method, more) "{\"quantization_config\":{\"quant_method\":\"" method "\"" more "}}"
#define MLX "{\"quantization\":{\"bits\":4,\"group_size\":8}}"
#define GROUPS(weights) METHOD("compressed-tensors", ",\"config_groups\":{\"g\":{\"weights\":{" weights "}}}")

static const int64_t eight_by_eight[2] = {8, 8}, eight_by_nine[2] = {8, 9}, negative[2] = {-8, 8};
static const int64_t huge[2] = {8, INT64_MAX};
static const uint8_t bytes[256] = {0};
static const char nf4_state[] = "{\"quant_type\":\"nf4\",\"blocksize\":8,\"shape\":[4,4]}";
static const char no_blocks[] = "{\"quant_type\":\"nf4\",\"blocksize\":0,\"shape\":[4,4]}";
static const char long_state[] = "{\"quant_type\":\"nf4\",\"blocksize\":8,\"shape\":[4,9223372036854775807]}";
static const char endless[] = "{\"quant_type\":\"nf4\",\"blocksize\":8,\"shape\":[4,4]";
#define STATE "l.weight.quant_state.bitsandbytes__nf4"

static const struct {
  const char *config;
  part parts[5];
  aq_status status; /* AQ_OK: stored as it is, with a note */
  const char *tensor, *says;
} layers[] = {
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,2]", ones, 32},
      {"l.weight_shape", "I64", "[2]", eight_by_eight, 16}},
     AQ_ERR_FORMAT,
     "l.weight_scale",
     "no group of config_groups gives"},
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", eight_by_nine, 16}},
     AQ_ERR_FORMAT,
     "l.weight_packed",
     "has 1 words for a row of 9 codes"},
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", huge, 16}},
     AQ_ERR_FORMAT,
     "l.weight_packed",
     "which fits no group"},
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", negative, 16}},
     AQ_ERR_FORMAT,
     "l.weight_shape",
     "a negative size"},
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[4,2]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", eight_by_eight, 16}},
     AQ_ERR_FORMAT,
     "l.weight_packed",
     "has 2 words"},
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", eight_by_eight, 16},
      {"l.weight_global_scale", "F32", "[1]", norm, 4}},
     AQ_OK,
     NULL,
     "a scale of their scales are not decoded ('l.weight_global_scale')"},
    {GROUPS("\"num_bits\":4,\"symmetric\":false"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", eight_by_eight, 16}},
     AQ_ERR_FORMAT,
     "",
     "'l.weight_zero_point' is missing"},
    {GROUPS("\"num_bits\":4"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
      {"l.weight_scale", "F16", "[8,1]", ones, 16},
      {"l.weight_shape", "I64", "[2]", eight_by_eight, 16},
      {"l.weight_zero_point", "I32", "[2,1]", sixes, 8}},
     AQ_ERR_FORMAT,
     "l.weight_zero_point",
     "it would have [1, 1]"},
    {GROUPS("\"num_bits\":9"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32}, {"l.weight_scale", "F16", "[8,1]", ones, 16}},
     AQ_OK,
     NULL,
     "codes of 9 bits are not decoded"},
    {GROUPS("\"num_bits\":4,\"strategy\":\"tensor_group\""),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32}, {"l.weight_scale", "F16", "[8,1]", ones, 16}},
     AQ_OK,
     NULL,
     "its strategy 'tensor_group'"},
    {GROUPS("\"num_bits\":4,\"lattice\":1"),
     {{"l.weight_packed", "I32", "[8,1]", nibbles, 32}, {"l.weight_scale", "F16", "[8,1]", ones, 16}},
     AQ_OK,
     NULL,
     "its weights have 'lattice'"},
    {METHOD("compressed-tensors", ",\"format\":\"nvfp4-pack-quantized\""),
     {{"l.weight_packed", "U8", "[8,4]", bytes, 32}, {"l.weight_scale", "F8_E4M3", "[8,1]", bytes, 8}},
     AQ_OK,
     NULL,
     "its format 'nvfp4-pack-quantized'"},
    {METHOD("compressed-tensors", ""),
     {{"l.weight", "I8", "[8,4]", bytes, 32}, {"l.weight_scale", "F32", "[8,1]", bytes, 32}},
     AQ_OK,
     NULL,
     "say nothing of weights"},
    {GROUPS("\"num_bits\":8"),
     {{"l.weight", "I8", "[8,4]", bytes, 32}, {"l.weight_scale", "F32", "[4,1]", bytes, 16}},
     AQ_ERR_FORMAT,
     "l.weight_scale",
     "no group of config_groups gives"},
    {GROUPS("\"num_bits\":8"),
     {{"l.weight", "I8", "[8,4]", bytes, 32},
      {"l.weight_scale", "F32", "[8,1]", bytes, 32},
      {"l.weight_zero_point", "I8", "[4,2]", bytes, 8}},
     AQ_ERR_FORMAT,
     "l.weight_zero_point",
     "it would have [8, 1]"},
    {METHOD("fp8", ",\"weight_block_size\":[4,4]"),
     {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64}, {"l.weight_scale_inv", "F32", "[2,3]", bytes, 24}},
     AQ_ERR_FORMAT,
     "l.weight_scale_inv",
     "it would have [2, 2]"},
    {METHOD("fp8", ",\"weight_block_size\":[0,4]"),
     {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64}, {"l.weight_scale_inv", "F32", "[2,2]", bytes, 16}},
     AQ_OK,
     NULL,
     "no pair of numbers"},
    {METHOD("fp8", ""),
     {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64}, {"l.weight_scale_inv", "F32", "[2,2]", bytes, 16}},
     AQ_ERR_FORMAT,
     "l.weight_scale_inv",
     "has no weight_block_size"},
    {METHOD("modelopt", ",\"quant_algo\":\"NVFP4\""),
     {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64}, {"l.weight_scale", "F32", "[]", bytes, 4}},
     AQ_OK,
     NULL,
     "its quant_algo 'NVFP4'"},
    {METHOD("fbgemm_fp8", ""),
     {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64}, {"l.weight_scale", "F32", "[4,1]", bytes, 16}},
     AQ_ERR_FORMAT,
     "l.weight_scale",
     "neither one number nor one for each row"},
    {"{\"quantization\":{\"bits\":4,\"group_size\":3}}",
     {{"l.weight", "U32", "[8,1]", nibbles, 32},
      {"l.scales", "F16", "[8,1]", ones, 16},
      {"l.biases", "F16", "[8,1]", ones, 16}},
     AQ_ERR_FORMAT,
     "l.weight",
     "groups of 3 codes of 4 bits do not fill"},
    {"{\"quantization\":{\"bits\":4,\"group_size\":8}}",
     {{"l.weight", "U32", "[8,1]", nibbles, 32},
      {"l.scales", "F16", "[8,1]", ones, 16},
      {"l.biases", "F16", "[4,2]", ones, 16}},
     AQ_ERR_FORMAT,
     "l.biases",
     "it would have [8, 1]"},
    {"{\"quantization\":{\"bits\":7,\"group_size\":8}}",
     {{"l.weight", "U32", "[8,1]", nibbles, 32}, {"l.scales", "F16", "[8,1]", ones, 16}},
     AQ_OK,
     NULL,
     "codes of 7 bits"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "I8", "[8,4]", bytes, 32}, {"l.SCB", "F32", "[4]", bytes, 16}},
     AQ_ERR_FORMAT,
     "l.SCB",
     "it would have [8]"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "I8", "[8,4]", bytes, 32},
      {"l.SCB", "F32", "[8]", bytes, 32},
      {"l.weight_format", "U8", "[]", "\x01", 1}},
     AQ_OK,
     NULL,
     "in layout 1 of bitsandbytes"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "U8", "[8,1]", bytes, 8},
      {"l.weight.absmax", "F32", "[3]", bytes, 12},
      {"l.weight.quant_map", "F32", "[16]", bytes, 64},
      {STATE, "U8", "[48]", nf4_state, 48}},
     AQ_ERR_FORMAT,
     "l.weight.absmax",
     "it would have [2]"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "U8", "[9,1]", bytes, 9},
      {"l.weight.absmax", "F32", "[2]", bytes, 8},
      {"l.weight.quant_map", "F32", "[16]", bytes, 64},
      {STATE, "U8", "[48]", nf4_state, 48}},
     AQ_ERR_FORMAT,
     "l.weight",
     "has 9 bytes, and quant_state 16 values"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "U8", "[8,1]", bytes, 8},
      {"l.weight.absmax", "F32", "[2]", bytes, 8},
      {"l.weight.quant_map", "F32", "[16]", bytes, 64},
      {STATE, "U8", "[48]", no_blocks, 48}},
     AQ_ERR_FORMAT,
     "",
     "has 0 for 'blocksize'"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "U8", "[8,1]", bytes, 8},
      {"l.weight.absmax", "F32", "[2]", bytes, 8},
      {STATE, "U8", "[66]", long_state, 66}},
     AQ_ERR_FORMAT,
     "",
     "quant_state has no shape"},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "U8", "[8,1]", bytes, 8},
      {"l.weight.absmax", "F32", "[2]", bytes, 8},
      {STATE, "U8", "[47]", endless, 47}},
     AQ_ERR_FORMAT,
     STATE,
     ""},
    {METHOD("bitsandbytes", ""),
     {{"l.weight", "U8", "[8,1]", bytes, 8}, {"l.weight.absmax", "F32", "[2]", bytes, 8}},
     AQ_ERR_FORMAT,
     "",
     "quant_state.bitsandbytes__fp4' is missing"},
    {METHOD("mxfp4", ""),
     {{"e_blocks", "U8", "[1,2,1,8]", bytes, 16}, {"e_scales", "U8", "[1,2,1]", bytes, 2}},
     AQ_ERR_FORMAT,
     "e_blocks",
     "no shape [experts, out, in / 32, 16]"},
    {METHOD("mxfp4", ""),
     {{"e_blocks", "U8", "[1,2,1,16]", bytes, 32}, {"e_scales", "U8", "[1,1,2]", bytes, 2}},
     AQ_ERR_FORMAT,
     "e_scales",
     "it would have [1, 2, 1]"},
};

static void layers_of_other_schemes_are_checked_as_well(void **unused) {
  (void)unused;
  for (size_t i = 0; i < AQ_COUNT_OF(layers); i++) {
    size_t count = 0;
    while (count < AQ_COUNT_OF(layers[i].parts) && layers[i].parts[count].name != NULL) count++;
    if (layers[i].status != AQ_OK) {
      opening_fails(layers[i].config, layers[i].parts, count, layers[i].tensor, layers[i].says);
      continue;
    }
    aq_source *s = open_model(layers[i].config, layers[i].parts, count);
    assert_int_equal(aq_source_tensor_count(s), count);
    if (strstr(aq_source_note(s, 0), layers[i].says) == NULL) fail_msg("%s: %s", layers[i].says, aq_source_note(s, 0));
    aq_source_close(s);
  }
}

/* Scales of activations go with the layer, those of a cache where there is one; other tensors stay. */
static void scales_of_activations_are_left_out(void **unused) {
  (void)unused;
  static const struct {
    const char *config;
    part parts[8];
    size_t left;
  } cases[] = {
      {GROUPS("\"num_bits\":4"),
       {{"l.weight_packed", "I32", "[8,1]", nibbles, 32},
        {"l.weight_scale", "F16", "[8,1]", ones, 16},
        {"l.weight_shape", "I64", "[2]", eight_by_eight, 16},
        {"l.input_scale", "F32", "[1]", norm, 4},
        {"l.k_scale", "F32", "[1]", norm, 4},
        {"l.v_scale", "F32", "[1]", norm, 4},
        {"attn.k_scale", "F32", "[1]", norm, 4},
        {"l.bias", "F32", "[1]", norm, 4}},
       3},
      {METHOD("compressed-tensors",
              ",\"kv_cache_scheme\":{\"num_bits\":8},\"config_groups\":{\"g\":{\"weights\":{"
              "\"type\":\"float\"}}}"),
       {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64},
        {"l.weight_scale", "F32", "[1]", norm, 4},
        {"l.input_scale", "F32", "[1]", norm, 4},
        {"l.input_zero_point", "F32", "[1]", norm, 4},
        {"attn.k_scale", "F32", "[1]", norm, 4},
        {"attn.v_scale", "F32", "[1]", norm, 4},
        {"l.bias", "F32", "[1]", norm, 4}},
       2},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    size_t count = 0;
    while (count < AQ_COUNT_OF(cases[i].parts) && cases[i].parts[count].name != NULL) count++;
    aq_source *s = open_model(cases[i].config, cases[i].parts, count);
    assert_int_equal(aq_source_tensor_count(s), cases[i].left);
    assert_true(aq_source_find(s, "l.weight") >= 0);
    assert_true(aq_source_find(s, "l.bias") >= 0);
    assert_int_equal(aq_source_find(s, "attn.k_scale") >= 0, i == 0);
    aq_source_close(s);
  }
}

/* A layer that lost a part must not pass as what is left of it. */
static void part_that_is_missing_is_named(void **unused) {
  (void)unused;
  static const struct {
    const char *config;
    part parts[4];
    const char *missing;
  } cases[] = {
      {GPTQ(""), {{"a.qzeros", "I32", "[1,1]", sixes, 4}, {"a.scales", "F16", "[1,8]", ones, 16}}, "a.qweight"},
      {GPTQ(""), {{"a.g_idx", "I32", "[8]", groups, 32}}, "a.qweight"},
      {GPTQ(""), {{"a.qweight", "I32", "[1,8]", nibbles, 32}, {"a.qzeros", "I32", "[1,1]", sixes, 4}}, "a.scales"},
      {GPTQ(""), {{"qweight", "I32", "[1,8]", nibbles, 32}}, "scales"},
      {METHOD("gptq", ",\"bits\":4,\"group_size\":8,\"desc_act\":true"),
       {{"a.qweight", "I32", "[1,8]", nibbles, 32},
        {"a.qzeros", "I32", "[1,1]", sixes, 4},
        {"a.scales", "F16", "[1,8]", ones, 16}},
       "a.g_idx"},
      {METHOD("awq", ",\"bits\":4,\"group_size\":8"), {{"a.qweight", "I32", "[8,1]", nibbles, 32}}, "a.scales"},
      {METHOD("awq", ",\"bits\":4,\"group_size\":8"), {{"a.scales", "F16", "[1,8]", ones, 16}}, "a.qweight"},
      {MLX, {{"l.weight", "U32", "[8,1]", nibbles, 32}, {"l.biases", "F16", "[8,1]", ones, 16}}, "l.scales"},
      {MLX, {{"l.scales", "F16", "[8,1]", ones, 16}, {"l.biases", "F16", "[8,1]", ones, 16}}, "l.weight"},
      {GROUPS("\"num_bits\":4"),
       {{"l.weight_packed", "I32", "[8,1]", nibbles, 32}, {"l.weight_shape", "I64", "[2]", eight_by_eight, 16}},
       "l.weight_scale"},
      {GROUPS("\"num_bits\":4"),
       {{"l.weight_scale", "F16", "[8,1]", ones, 16}, {"l.weight_shape", "I64", "[2]", eight_by_eight, 16}},
       "l.weight_packed"},
      {GROUPS("\"num_bits\":8"), {{"l.weight", "I8", "[8,4]", bytes, 32}}, "l.weight_scale"},
      {GROUPS("\"num_bits\":8"), /* as the other layers have it */
       {{"k.weight", "I8", "[8,4]", bytes, 32},
        {"k.weight_scale", "F32", "[8,1]", bytes, 32},
        {"l.weight_scale", "F32", "[8,1]", bytes, 32}},
       "l.weight"},
      {GROUPS("\"num_bits\":8,\"type\":\"float\""), {{"l.weight", "F8_E4M3", "[8,4]", bytes, 32}}, "l.weight_scale"},
      {METHOD("fp8", ",\"weight_block_size\":[4,4]"),
       {{"l.weight", "F8_E4M3", "[8,8]", bytes, 64}},
       "l.weight_scale_inv"},
      {METHOD("fp8", ""), {{"l.weight_scale_inv", "F32", "[1]", bytes, 4}}, "l.weight"},
      {METHOD("bitsandbytes", ""), {{"l.weight", "I8", "[8,4]", bytes, 32}}, "l.SCB"},
      {METHOD("bitsandbytes", ""), {{"l.SCB", "F32", "[8]", bytes, 32}}, "l.weight"},
      {METHOD("bitsandbytes", ""),
       {{"l.weight", "U8", "[8,1]", bytes, 8}, {"l.weight.quant_map", "F32", "[16]", bytes, 64}},
       "l.weight.absmax"},
      {METHOD("mxfp4", ""), {{"e_blocks", "U8", "[1,2,1,16]", bytes, 32}}, "e_scales"},
      {METHOD("mxfp4", ""), {{"e_scales", "U8", "[1,2,1]", bytes, 2}}, "e_blocks"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    char says[80];
    size_t count = 0;
    while (count < AQ_COUNT_OF(cases[i].parts) && cases[i].parts[count].name != NULL) count++;
    (void)snprintf(says, sizeof says, "tensor '%s' is missing", cases[i].missing);
    opening_fails(cases[i].config, cases[i].parts, count, "", says);
  }
}

/* Codes of 3 bits in words of a row that both packings fill: the version tells which. */
static void version_tells_the_packing_where_the_shape_does_not(void **unused) {
  (void)unused;
  static const uint32_t words[2] = {0x88fac688U, 0x6U};
  static const int64_t shape[2] = {1, 12};
  static const part parts[] = {{"l.weight_packed", "I32", "[1,2]", words, 8},
                               {"l.weight_scale", "F16", "[1]", ones, 2},
                               {"l.weight_shape", "I64", "[2]", shape, 16}};
  static const struct {
    const char *config;
    float eleventh;
  } cases[] = {
      {METHOD("compressed-tensors", ",\"version\":\"0.18.0\",\"config_groups\":{\"g\":{\"weights\":{\"num_bits\":3}}}"),
       2 - 4},
      {METHOD("compressed-tensors", ",\"version\":\"0.17.1\",\"config_groups\":{\"g\":{\"weights\":{\"num_bits\":3}}}"),
       6 - 4}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    float values[12];
    aq_source *s = open_model(cases[i].config, parts, AQ_COUNT_OF(parts));
    assert_ok(aq_source_read_f32(s, 0, 0, 12, values, &err));
    assert_memory_equal(&values[10], &cases[i].eleventh, sizeof values[10]);
    aq_source_close(s);
  }
  aq_source *s = open_model(GROUPS("\"num_bits\":3"), parts, AQ_COUNT_OF(parts));
  assert_non_null(strstr(aq_source_note(s, 0), "can be packed in two ways, and no version tells which"));
  aq_source_close(s);
}

/* Reading the decoded tensor fails. */
static void reading_fails(const char *config, const part *parts, size_t count, const char *tensor, const char *words) {
  float values[64];
  aq_source *s = open_model(config, parts, count);
  const int64_t i = aq_source_find(s, "a.weight");
  assert_true(i >= 0);
  assert_int_equal(aq_source_read_f32(s, (size_t)i, 0, 64, values, &err), AQ_ERR_FORMAT);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  assert_string_equal(err.tensor, tensor);
  aq_source_close(s);
}

static void groups_that_are_not_there_are_refused_when_they_are_read(void **state) {
  (void)state;
  static const int32_t bad[][8] = {
      {0, 0, 0, 0, 0, 0, 0, 1}, {-1, 0, 0, 0, 0, 0, 0, 0}, {0, 0, INT32_MAX, 0, 0, 0, 0, 0}};
  part parts[AQ_COUNT_OF(gptq)];
  memcpy(parts, gptq, sizeof gptq);
  for (size_t i = 0; i < AQ_COUNT_OF(bad); i++) {
    parts[4].bytes = bad[i];
    reading_fails(GPTQ(""), parts, AQ_COUNT_OF(parts), "a.weight", "'a.g_idx' puts column");
  }
}

/* Symmetric codes have one zero point: a file of version 2 that says it is one of version 1 does not. */
static void zero_points_of_the_other_version_are_refused(void **state) {
  (void)state;
  static const uint32_t eights = 0x88888888U, sevens = 0x77777777U;
  part parts[AQ_COUNT_OF(gptq)];
  memcpy(parts, gptq, sizeof gptq);
  parts[2].bytes = &eights;
  reading_fails(GPTQ(",\"sym\":true"), parts, AQ_COUNT_OF(parts), "a.qzeros", "has the zero point 9");
  aq_source *s = open_model(GPTQ(",\"sym\":true,\"checkpoint_format\":\"gptq_v2\""), parts, AQ_COUNT_OF(parts));
  float values[64];
  assert_ok(aq_source_read_f32(s, 1, 0, 64, values, &err));
  assert_true(values[0] <= -8 && values[0] >= -8);
  aq_source_close(s);
  parts[2].bytes = &sevens;
  reading_fails(GPTQ(",\"sym\":true,\"checkpoint_format\":\"gptq_v2\""), parts, AQ_COUNT_OF(parts), "a.qzeros",
                "has the zero point 7");
}

/* ---- codes ---- */

static aq_source *open_codes(const char *config, const part *parts, size_t count) {
  aq_source *source = NULL;
  aq_source_options options;
  aq_source_options_init(&options);
  options.keep_codes = true;
  assert_ok(aq_source_open(write_model(config, parts, count), &options, &source, &err));
  return source;
}

/* Of each row eight codes, 0 to 7 or 8 to 15, with a zero point of 7 (stored as 6); moved by 8. */
static void layer_is_a_row_of_codes(void **unused) {
  (void)unused;
  aq_source *s = open_codes(GPTQ(""), gptq, AQ_COUNT_OF(gptq));
  const aq_tensor_info *a = aq_source_tensor(s, 1);
  assert_string_equal(a->name, "a.weight");
  assert_int_equal(a->quant_type, AQ_INT4);
  assert_int_equal(a->quant_axis, 0);
  assert_int_equal(a->group_size, 0);
  assert_int_equal(a->num_scales, 8);
  assert_int_equal(a->data_bytes, 32);
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 1, &tensor, &err));
  for (size_t i = 0; i < 7; i++) assert_memory_equal((const uint8_t *)tensor.data + 4 * i, "\x10\x32\x54\x76", 4);
  assert_memory_equal((const uint8_t *)tensor.data + 28, "\x98\xba\xdc\xfe", 4);
  const float *scales = tensor.scales, *zeros = tensor.zero_points;
  for (size_t i = 0; i < 8; i++) {
    const float scale = i < 7 ? 1 : 2;
    assert_memory_equal(&scales[i], &scale, sizeof scale);
    assert_true(zeros[i] >= -1 && zeros[i] <= -1);
  }
  aq_tensor_release(&tensor);
  expect_values(s, "norm", norm, 2);
  assert_string_equal(aq_source_note(s, 0), "another tool has quantized 1 of the layers already (GPTQ; 'a.weight')");
  assert_string_equal(aq_source_note(s, 1), "the codes of 1 tensor are taken over as they are stored, without loss");
  char *text;
  size_t size;
  assert_ok(aq_model_file_read(s, NULL, "config.json", &text, &size, &err));
  assert_string_equal(text, "{}");
  aq_free(text);
  aq_source_close(s);
}

/* Columns in another order than their groups have no row; what is wrong with a list is told as without the option. */
static void lists_of_groups_are_held_to_their_order(void **unused) {
  (void)unused;
  static const int32_t order[8] = {1, 0, 0, 0, 1, 1, 1, 0}, beyond[8] = {0, 0, 0, 0, 0, 0, 0, 7};
  static const int32_t plain[8] = {0, 0, 0, 0, 1, 1, 1, 1};
  static const uint32_t zeros[2] = {0x66666666U, 0x66666666U};
  static uint16_t scales[16];
  for (size_t i = 0; i < 16; i++) scales[i] = 0x3c00;
  part parts[AQ_COUNT_OF(gptq)];
  memcpy(parts, gptq, sizeof gptq);
  parts[2] = (part){"a.qzeros", "I32", "[2,1]", zeros, 8};
  parts[3] = (part){"a.scales", "F16", "[2,8]", scales, 32};
  static const char config[] = "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":4}}";
  parts[4].bytes = plain;
  aq_source *s = open_codes(config, parts, AQ_COUNT_OF(parts));
  assert_int_equal(aq_source_tensor(s, 1)->quant_type, AQ_INT4);
  assert_int_equal(aq_source_tensor(s, 1)->group_size, 4);
  aq_source_close(s);
  parts[4].bytes = order;
  s = open_codes(config, parts, AQ_COUNT_OF(parts));
  assert_int_equal(aq_source_tensor(s, 1)->quant_type, AQ_KEPT);
  aq_source_close(s);
  parts[4].bytes = beyond;
  s = open_codes(config, parts, AQ_COUNT_OF(parts));
  float values[64];
  assert_int_equal(aq_source_tensor(s, 1)->quant_type, AQ_KEPT);
  assert_int_equal(aq_source_read_f32(s, 1, 0, 64, values, &err), AQ_ERR_FORMAT);
  aq_source_close(s);
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **unused) {
  (void)unused;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  const char *path = write_model(GPTQ(""), gptq, AQ_COUNT_OF(gptq));
  aq_status status = AQ_ERR_MEMORY;
  long n = 1;
  for (; status != AQ_OK; n++) {
    aq_source *source = NULL;
    aq_tensor tensor;
    assert_true(n < 1000);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    aq_set_allocator(&faulty);
    status = aq_source_open(path, NULL, &source, &err);
    if (status == AQ_OK) assert_int_equal(aq_source_tensor_count(source), 2);
    if (status == AQ_OK) status = aq_source_load(source, 1, &tensor, &err);
    if (status == AQ_OK) aq_tensor_release(&tensor);
    aq_source_close(source);
    aq_set_allocator(NULL);
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("at %ld: %s: %s", n, aq_status_name(status), err.message);
    assert_int_equal(atomic_load(&alive), 0);
  }
  assert_true(n > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layer_is_one_tensor_of_values),
      cmocka_unit_test(any_range_of_bytes_is_that_of_the_whole),
      cmocka_unit_test(configuration_reads_as_that_of_a_model_of_values),
      cmocka_unit_test(older_gptq_has_a_file_of_its_own),
      cmocka_unit_test(what_is_not_known_stays_as_it_is_stored),
      cmocka_unit_test(reason_is_told_where_no_method_is_known),
      cmocka_unit_test(damage_of_the_older_file_of_gptq_is_told),
      cmocka_unit_test(shapes_that_contradict_each_other_are_refused),
      cmocka_unit_test(layers_of_other_schemes_are_checked_as_well),
      cmocka_unit_test(scales_of_activations_are_left_out),
      cmocka_unit_test(part_that_is_missing_is_named),
      cmocka_unit_test(version_tells_the_packing_where_the_shape_does_not),
      cmocka_unit_test(groups_that_are_not_there_are_refused_when_they_are_read),
      cmocka_unit_test(zero_points_of_the_other_version_are_refused),
      cmocka_unit_test(layer_is_a_row_of_codes),
      cmocka_unit_test(lists_of_groups_are_held_to_their_order),
      cmocka_unit_test(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
