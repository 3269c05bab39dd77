/* test_onnx_store.c - forms of weights in ONNX files: what is chosen, and that its bytes are the values of the table,
 * by the formulas of the operators. */
#include "check.h"
#include "quantized_source.h"

#include "core/bytes.h"
#include "io/onnx/onnx_store.h"

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
  const size_t size = (size_t)aq_onnx_store_shape(s, part).bytes, piece = part == AQ_ONNX_SCALES ? 12 : 7;
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
  if (s->form == AQ_ONNX_ROW_CODES) return (int8_t)row[i];
  return s->bits == 8 ? row[i] : row[i / 2] >> (4 * (i % 2)) & 15;
}

/* The values of the file are those of the source, bit for bit. */
static void expect_values(const aq_source *source, const aq_onnx_store *s) {
  uint8_t *codes = read_part(source, s, AQ_ONNX_CODES), *scales = read_part(source, s, AQ_ONNX_SCALES);
  uint8_t *zeros = s->has_zero_points ? read_part(source, s, AQ_ONNX_ZERO_POINTS) : NULL;
  const bool in_rows = s->form == AQ_ONNX_ROW_CODES;
  const uint64_t row_bytes = aq_onnx_store_shape(s, AQ_ONNX_CODES).bytes / s->rows, blocks = in_rows ? 1 : s->blocks;
  const uint64_t zero_bytes = (blocks * s->bits + 7) / 8;
  float *values = malloc(s->rows * s->columns * sizeof *values);
  assert_ok(aq_source_read_f32(source, 0, 0, s->rows * s->columns, values, &err));
  for (uint64_t i = 0; i < s->rows * s->columns; i++) {
    const uint64_t row = i / s->columns, column = i % s->columns, block = in_rows ? 0 : column / s->block;
    const int zero = zeros != NULL ? code_at(s, zeros + row * zero_bytes, block) : in_rows ? 0 : 1 << (s->bits - 1);
    const float scale = aq_bits_f32(aq_load_u32(scales + 4 * (row * blocks + block)));
    const float value = (float)(code_at(s, codes + row * row_bytes, column) - zero) * scale;
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
  uint32_t bits;
  uint64_t block;
} form_case;

static void forms_hold_the_values(void **state) {
  static const form_case cases[] = {
      {AQ_INT8, 6, 96, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_ROW_CODES, 8, 32},
      {AQ_INT8, 6, 7, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_ROW_CODES, 8, 32},
      {AQ_INT8, 6, 96, 576, AQ_ONNX_AS_MATRIX, AQ_ONNX_ROW_CODES, 8, 32},
      {AQ_INT8, 6, 96, 48, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 8, 16},
      {AQ_INT8, 6, 96, 96, AQ_ONNX_AS_TABLE, AQ_ONNX_TABLE_CODES, 8, 32},
      {AQ_INT8, 5, 7, 0, AQ_ONNX_AS_TABLE, AQ_ONNX_TABLE_CODES, 8, 32},
      {AQ_INT4, 6, 96, 32, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 4, 32},
      {AQ_INT4, 2, 1024, 512, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 4, 128},
      {AQ_INT4, 6, 45, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 4, 32},
      {AQ_INT4, 6, 45, 90, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 4, 32},
      {AQ_INT3, 6, 48, 16, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 4, 16},
      {AQ_INT3, 7, 45, 0, AQ_ONNX_AS_MATRIX, AQ_ONNX_BLOCK_CODES, 4, 32},
      {AQ_INT2, 6, 64, 64, AQ_ONNX_AS_TABLE, AQ_ONNX_TABLE_CODES, 4, 64},
      {AQ_INT3, 6, 50, 0, AQ_ONNX_AS_TABLE, AQ_ONNX_TABLE_CODES, 4, 32},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const form_case *c = &cases[i];
    aq_source *source = make_matrix(c->type, c->rows, c->columns, c->group);
    const aq_onnx_store s = choose(source, c->use);
    if (s.form != c->form || s.bits != c->bits || s.block != c->block || s.has_zero_points || s.fineness != 1)
      fail_msg("case %zu: form %d, %u bits, blocks of %d", i, (int)s.form, s.bits, (int)s.block);
    expect_values(source, &s);
    aq_source_close(source);
  }
}

/* Zero points that are codes keep the size of the codes; others make them finer. */
static void zero_points_are_codes(void **state) {
  static const struct {
    aq_quant_type type;
    float zero_point;
    uint32_t bits;
    int32_t fineness;
  } cases[] = {{AQ_INT8, -128, 8, 1},      {AQ_INT4, 7, 4, 1},         {AQ_INT4, -8, 4, 1},    {AQ_INT4, 2.5F, 8, 2},
               {AQ_INT4, -7.9375F, 8, 16}, {AQ_INT3, 0.03125F, 8, 32}, {AQ_INT2, -3.5F, 8, 2}, {AQ_INT2, 3, 4, 1}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int use = AQ_ONNX_AS_MATRIX; use <= AQ_ONNX_AS_TABLE; use++) {
      aq_source *source = make_matrix(cases[i].type, 4, 48, 16);
      matrix.zero_points[5] = cases[i].zero_point;
      const aq_onnx_store s = choose(source, (aq_onnx_use)use);
      assert_true(s.has_zero_points);
      if (s.bits != cases[i].bits || s.fineness != cases[i].fineness) fail_msg("case %zu: %d", i, s.fineness);
      expect_values(source, &s);
      aq_source_close(source);
    }
  }
}

static void rows_with_zero_points_are_blocks(void **state) {
  (void)state;
  aq_source *source = make_matrix(AQ_INT8, 4, 40, 0);
  matrix.zero_points[3] = 127;
  const aq_onnx_store s = choose(source, AQ_ONNX_AS_MATRIX);
  assert_int_equal(s.form, AQ_ONNX_BLOCK_CODES);
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
  expect_refused(make_matrix(AQ_INT4, 8, 24, 8), AQ_ONNX_AS_MATRIX, "blocks of a row");
  expect_refused(make_matrix(AQ_INT4, 8, 24, 64), AQ_ONNX_AS_MATRIX, "blocks of a row");
  expect_refused(make_matrix(AQ_INT4, 8, 45, 0), AQ_ONNX_AS_TABLE, "whole bytes");
  expect_refused(make_matrix(AQ_INT4, 8, 32, 0), AQ_ONNX_AS_VECTOR, "vectors");
  aq_source *source = make_matrix(AQ_INT4, 8, 32, 0);
  matrix.zero_points[7] = 64.5F; /* twice of it is no code of 8 bits */
  expect_refused(source, AQ_ONNX_AS_MATRIX, "between codes");
  source = make_matrix(AQ_INT4, 8, 32, 0);
  matrix.zero_points[7] = 0.1F;
  expect_refused(source, AQ_ONNX_AS_MATRIX, "between codes");
  source = make_matrix(AQ_INT8, 8, 32, 0);
  matrix.zero_points[0] = 0.5F;
  expect_refused(source, AQ_ONNX_AS_MATRIX, "between codes");
  source = make_matrix(AQ_INT4, 8, 32, 0);
  matrix.zero_points[0] = 0.5F;
  matrix.scales[0] = 0x1p-149F; /* half of it is 0 */
  expect_refused(source, AQ_ONNX_AS_MATRIX, "between codes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forms_hold_the_values),
      cmocka_unit_test(zero_points_are_codes),
      cmocka_unit_test(rows_with_zero_points_are_blocks),
      cmocka_unit_test(codes_without_a_form_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
