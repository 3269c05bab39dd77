/* test_onnx_store.c - forms of weights in ONNX files: what is chosen, and that its bytes are the values of the table,
 * by the formulas of the operators. */
#include "check.h"
#include "quantized_source.h"

#include "core/bytes.h"
#include "io/onnx/onnx_store.h"
#include "io/onnx/onnx_type.h"

static aq_error err;
static quantized_matrix matrix;

static aq_source *make_matrix(aq_quant_type type, int64_t rows, int64_t columns, int32_t group) {
  aq_source *source = NULL;
  matrix = (quantized_matrix){.type = type, .rows = rows, .columns = columns, .group = group};
  quantized_fill(&matrix);
  quantized_add(&source, "w.weight", &matrix);
  return source;
}

/* A part in pieces of an odd size, as a transform may ask for it. */
static uint8_t *read_part(const aq_source *source, const aq_onnx_store *s, aq_onnx_part part) {
  const aq_onnx_shape shape = aq_onnx_store_shape(s, part);
  const size_t size = (size_t)shape.bytes, piece = shape.type == AQ_ONNX_FLOAT ? 12 : 7;
  uint8_t *bytes = malloc(size + 1);
  assert_non_null(bytes);
  for (size_t at = 0; at < size; at += piece) {
    const size_t n = size - at < piece ? size - at : piece;
    assert_ok(aq_onnx_store_read(source, 0, s, part, at, n, bytes + at, &err));
  }
  return bytes;
}

/* Number `i` of a row of packed codes. */
static int code_at(const aq_onnx_store *s, const uint8_t *row, uint64_t i) {
  return s->form == AQ_ONNX_PLAIN_CODES ? (int8_t)row[i] : row[i / 2] >> (4 * (i % 2)) & 15;
}

static float number_at(const uint8_t *numbers, uint64_t i) { return aq_bits_f32(aq_load_u32(numbers + 4 * i)); }

/* The values of the file are those of the source, bit for bit. */
static void expect_values(const aq_source *source, const aq_onnx_store *s) {
  uint8_t *codes = read_part(source, s, AQ_ONNX_CODES), *scales = read_part(source, s, AQ_ONNX_SCALES);
  uint8_t *zeros = s->has_zero_points ? read_part(source, s, AQ_ONNX_ZERO_POINTS) : NULL;
  const bool is_plain = s->form == AQ_ONNX_PLAIN_CODES;
  const uint64_t row_bytes = aq_onnx_store_shape(s, AQ_ONNX_CODES).bytes / s->rows, zero_bytes = (s->blocks + 1) / 2;
  float *values = malloc(s->rows * s->columns * sizeof *values);
  assert_ok(aq_source_read_f32(source, 0, 0, s->rows * s->columns, values, &err));
  for (uint64_t i = 0; i < s->rows * s->columns; i++) {
    const uint64_t row = i / s->columns, column = i % s->columns, number = row * s->blocks + column / s->block;
    float zero = is_plain ? 0 : 8;
    if (zeros != NULL && is_plain) zero = number_at(zeros, number);
    if (zeros != NULL && !is_plain) zero = (float)code_at(s, zeros + row * zero_bytes, column / s->block);
    const float value = ((float)code_at(s, codes + row * row_bytes, column) - zero) * number_at(scales, number);
    if (aq_f32_bits(value) != aq_f32_bits(values[i])) fail_msg("element %d", (int)i);
  }
  free(values);
  free(codes);
  free(scales);
  free(zeros);
}

static aq_onnx_store choose(aq_source *source, aq_onnx_use use) {
  aq_onnx_store s;
  assert_ok(aq_onnx_store_choose(source, 0, use, false, &s, &err));
  return s;
}

typedef struct form_case {
  aq_quant_type type;
  int64_t rows, columns;
  int32_t group; /* 0: per row */
  aq_onnx_use use;
  aq_onnx_form form;
  uint64_t block, blocks;
} form_case;

static void forms_hold_the_values(void **state) {
  static const form_case cases[] = {
      {AQ_INT8, 6, 96, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_PLAIN_CODES, 96, 1},
      {AQ_INT8, 6, 96, 576, AQ_ONNX_AS_MATRIX, AQ_ONNX_PLAIN_CODES, 96, 1},
      {AQ_INT8, 6, 96, 192, AQ_ONNX_AS_TABLE, AQ_ONNX_PLAIN_CODES, 96, 1},
      {AQ_INT8, 6, 96, 48, AQ_ONNX_AS_MATRIX, AQ_ONNX_PLAIN_CODES, 48, 2},
      {AQ_INT8, 5, 21, 7, AQ_ONNX_AS_TABLE, AQ_ONNX_PLAIN_CODES, 7, 3},
      {AQ_INT4, 6, 96, 8, AQ_ONNX_AS_MATRIX, AQ_ONNX_PLAIN_CODES, 8, 12},
      {AQ_INT3, 6, 45, 0, AQ_ONNX_AS_TABLE, AQ_ONNX_PLAIN_CODES, 45, 1},
      {AQ_INT4, 6, 96, 32, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 32, 3},
      {AQ_INT4, 6, 96, 48, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 16, 6},
      {AQ_INT4, 2, 1024, 512, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 128, 8},
      {AQ_INT4, 6, 45, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 32, 2},
      {AQ_INT4, 6, 45, 90, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 32, 2},
      {AQ_INT3, 6, 48, 16, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 16, 3},
      {AQ_INT3, 7, 45, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 32, 2},
      {AQ_INT2, 6, 64, 64, AQ_ONNX_AS_TABLE, AQ_ONNX_TABLE_CODES, 64, 1},
      {AQ_INT3, 6, 50, 0, AQ_ONNX_AS_TABLE, AQ_ONNX_TABLE_CODES, 32, 2},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const form_case *c = &cases[i];
    aq_source *source = make_matrix(c->type, c->rows, c->columns, c->group);
    const aq_onnx_store s = choose(source, c->use);
    if (s.form != c->form || s.block != c->block || s.blocks != c->blocks || s.has_zero_points)
      fail_msg("case %zu: form %d, %d blocks of %d", i, (int)s.form, (int)s.blocks, (int)s.block);
    expect_values(source, &s);
    aq_source_close(source);
  }
}

/* Zero points that are codes of 4 bits keep the size of the codes; all others are FP32. */
static void zero_points_choose_the_form(void **state) {
  static const struct {
    aq_quant_type type;
    float zero_point;
    bool in_blocks;
  } cases[] = {{AQ_INT8, -128, false}, {AQ_INT8, 0.1F, false}, {AQ_INT4, 7, true},
               {AQ_INT4, -8, true},    {AQ_INT4, 8, false},    {AQ_INT4, -9, false},
               {AQ_INT4, 2.5F, false}, {AQ_INT3, 5, true},     {AQ_INT2, -100.3F, false}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int use = AQ_ONNX_AS_MATRIX; use <= AQ_ONNX_AS_TABLE; use++) {
      aq_source *source = make_matrix(cases[i].type, 4, 48, 16);
      matrix.zero_points[5] = cases[i].zero_point;
      const aq_onnx_store s = choose(source, (aq_onnx_use)use);
      assert_true(s.has_zero_points);
      if ((s.form != AQ_ONNX_PLAIN_CODES) != cases[i].in_blocks) fail_msg("case %zu: form %d", i, (int)s.form);
      expect_values(source, &s);
      aq_source_close(source);
    }
  }
}

/* More numbers than are read at a time. */
static void long_rows_are_read_in_pieces(void **state) {
  (void)state;
  aq_source *source = make_matrix(AQ_INT4, 1, 4096, 16);
  matrix.zero_points[200] = 3;
  const aq_onnx_store s = choose(source, AQ_ONNX_AS_MATRIX);
  expect_values(source, &s);
  aq_source_close(source);
}

static void expect_refused(aq_source *source, aq_onnx_use use, const char *why) {
  aq_onnx_store s;
  assert_int_equal(aq_onnx_store_choose(source, 0, use, false, &s, &err), AQ_ERR_UNSUPPORTED);
  if (strstr(err.message, why) == NULL || strcmp(err.tensor, "w.weight") != 0) fail_msg("%s", err.message);
  assert_ok(aq_onnx_store_choose(source, 0, use, true, &s, &err));
  assert_int_equal(s.form, AQ_ONNX_VALUES);
  assert_false(s.has_zero_points);
  aq_source_close(source);
}

static void codes_without_a_form_are_refused(void **state) {
  (void)state;
  expect_refused(make_matrix(AQ_INT4, 8, 24, 64), AQ_ONNX_AS_MATRIX, "cross rows");
  expect_refused(make_matrix(AQ_INT8, 8, 24, 16), AQ_ONNX_AS_TABLE, "cross rows");
  expect_refused(make_matrix(AQ_INT4, 8, 32, 0), AQ_ONNX_AS_VECTOR, "vectors");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forms_hold_the_values),
      cmocka_unit_test(zero_points_choose_the_form),
      cmocka_unit_test(long_rows_are_read_in_pieces),
      cmocka_unit_test(codes_without_a_form_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
