/* test_decoded_source.c - layers that other tools quantized as tensors of values; what is not decoded, and what is
 * refused. The values of each format are compared in tests/interop/test_quantized_checkpoints.py. */
#include "check.h"
#include "temp_folder.h"

#include "core/compiler.h"
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
  aq_source *s = open_model(GPTQ(""), gptq, AQ_COUNT_OF(gptq));
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

static void methods_without_a_scheme_are_left_alone(void **state) {
  (void)state;
  aq_source *s =
      open_model("{\"quantization_config\":{\"quant_method\":\"exl3\",\"bits\":4}}", gptq, AQ_COUNT_OF(gptq));
  assert_int_equal(aq_source_tensor_count(s), AQ_COUNT_OF(gptq));
  assert_int_equal(aq_source_note_count(s), 1);
  aq_source_close(s);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layer_is_one_tensor_of_values),
      cmocka_unit_test(any_range_of_bytes_is_that_of_the_whole),
      cmocka_unit_test(configuration_reads_as_that_of_a_model_of_values),
      cmocka_unit_test(older_gptq_has_a_file_of_its_own),
      cmocka_unit_test(what_is_not_known_stays_as_it_is_stored),
      cmocka_unit_test(methods_without_a_scheme_are_left_alone),
      cmocka_unit_test(shapes_that_contradict_each_other_are_refused),
      cmocka_unit_test(groups_that_are_not_there_are_refused_when_they_are_read),
      cmocka_unit_test(zero_points_of_the_other_version_are_refused),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
