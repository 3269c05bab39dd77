/* test_source.c - what every source gets: reading ranges over segments, loading, conversions, aliases. The source here
 * is one in memory. */
#include "check.h"

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/to_f32.h"

static aq_error err;

/* where: addresses of data, scales, zero points; 1 in the last one when views are given. */
static aq_status fake_read(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                           size_t size, void *out, aq_error *e) {
  (void)source;
  (void)e;
  const uint64_t have = piece == AQ_PIECE_DATA ? segment->data_bytes : segment->num_scales * 4;
  assert_true(offset <= have && size <= have - offset);
  memcpy(out, (const uint8_t *)(uintptr_t)segment->where[piece] + offset, size);
  return AQ_OK;
}

static aq_status fake_view(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                           aq_error *e) {
  (void)source;
  (void)e;
  *view = segment->where[3] != 0 ? (const void *)(uintptr_t)segment->where[piece] : NULL;
  return AQ_OK;
}

static const aq_source_ops fake_ops = {.read = fake_read, .view = fake_view};

static aq_source *fake_source(void) {
  aq_source *s = aq_calloc(1, sizeof *s);
  assert_non_null(s);
  s->ops = &fake_ops;
  return s;
}

static uint64_t address(const void *p) { return (uint64_t)(uintptr_t)p; }

static void add_kept(aq_source *s, const char *name, aq_dtype dtype, uint64_t count, const void *data, bool view) {
  const aq_tensor_info info = {.name = name,
                               .dtype = dtype,
                               .rank = 1,
                               .shape = {(int64_t)count},
                               .num_params = count,
                               .data_bytes = count * aq_dtype_size(dtype),
                               .quant_axis = -1,
                               .alias_of = -1};
  const aq_segment segment = {
      .num_params = count, .data_bytes = info.data_bytes, .where = {address(data), 0, 0, view ? 1 : 0}};
  assert_ok(aq_source_add_tensor(s, &info, &segment, 1, &err));
}

static void converts(aq_dtype dtype, const void *in, size_t n, const float *expected) {
  float out[16];
  aq_values_to_f32(dtype, in, n, out);
  for (size_t i = 0; i < n; i++) {
    if (aq_f32_bits(out[i]) != aq_f32_bits(expected[i]))
      fail_msg("%s %zu: %a, not %a", aq_dtype_name(dtype), i, (double)out[i], (double)expected[i]);
  }
}

static void values_of_every_type_convert(void **state) {
  (void)state;
  converts(AQ_F64, (const double[]){1.5, 0x1.000001p0, 1e300}, 3, (const float[]){1.5F, 1.0F, 1e38F * 10});
  converts(AQ_F32, (const float[]){-0.0F, 3.25F}, 2, (const float[]){-0.0F, 3.25F});
  converts(AQ_F16, (const uint16_t[]){0x3c00, 0x8001}, 2, (const float[]){1.0F, -0x1p-24F});
  converts(AQ_BF16, (const uint16_t[]){0x3f80, 0xc000}, 2, (const float[]){1.0F, -2.0F});
  converts(AQ_I64, (const int64_t[]){-5, INT64_MAX, 16777217}, 3, (const float[]){-5, 0x1p63F, 16777216});
  converts(AQ_U64, (const uint64_t[]){UINT64_MAX}, 1, (const float[]){0x1p64F});
  converts(AQ_I32, (const int32_t[]){-5, INT32_MAX, 16777219}, 3, (const float[]){-5, 0x1p31F, 16777220});
  converts(AQ_U32, (const uint32_t[]){UINT32_MAX}, 1, (const float[]){0x1p32F});
  converts(AQ_I16, (const int16_t[]){-32768}, 1, (const float[]){-32768});
  converts(AQ_U16, (const uint16_t[]){65535}, 1, (const float[]){65535});
  converts(AQ_I8, (const int8_t[]){-128, 127}, 2, (const float[]){-128, 127});
  converts(AQ_U8, (const uint8_t[]){255}, 1, (const float[]){255});
  converts(AQ_BOOL, (const uint8_t[]){0, 1, 2}, 3, (const float[]){0, 1, 1});
  converts(AQ_F8_E4M3, (const uint8_t[]){0x00, 0x80, 0x01, 0x07, 0x08, 0x38, 0xc0, 0x7e}, 8,
           (const float[]){0.0F, -0.0F, 0x1p-9F, 0x1.cp-7F, 0x1p-6F, 1.0F, -2.0F, 448.0F});
  converts(AQ_F8_E5M2, (const uint8_t[]){0x00, 0x01, 0x3c, 0xc0, 0x7b, 0xfc}, 6,
           (const float[]){0.0F, 0x1p-16F, 1.0F, -2.0F, 57344.0F, -1e38F * 10});
  float nan[2];
  aq_values_to_f32(AQ_F8_E4M3, (const uint8_t[]){0x7f, 0xff}, 2, nan);
  assert_true(nan[0] != nan[0] && nan[1] != nan[1]);
}

/* Larger than the block that reading works in, at an odd place of the block. */
static void read_f32_of_large_kept_tensor_covers_blocks(void **state) {
  (void)state;
  enum { COUNT = 200000 };
  uint16_t *half = malloc(COUNT * sizeof *half);
  float *out = malloc(COUNT * sizeof *out);
  assert_true(half != NULL && out != NULL);
  for (size_t i = 0; i < COUNT; i++) half[i] = (uint16_t)(i % 0x7c00);
  aq_source *s = fake_source();
  add_kept(s, "h", AQ_F16, COUNT, half, false);
  assert_ok(aq_source_read_f32(s, 0, 3, COUNT - 3, out, &err));
  for (size_t i = 3; i < COUNT; i += 997) {
    float one;
    aq_values_to_f32(AQ_F16, &half[i], 1, &one);
    assert_true(one == out[i - 3]);
  }
  aq_source_close(s);
  free(half);
  free(out);
}

static void read_f32_out_of_range_is_refused(void **state) {
  (void)state;
  static const float data[4] = {1, 2, 3, 4};
  float out[4];
  aq_source *s = fake_source();
  add_kept(s, "x", AQ_F32, 4, data, false);
  assert_int_equal(aq_source_read_f32(s, 0, 2, 3, out, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.tensor, "x");
  assert_int_equal(aq_source_read_f32(s, 0, UINT64_MAX, 2, out, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_source_read_f32(s, 1, 0, 0, out, &err), AQ_ERR_ARGUMENT);
  assert_ok(aq_source_read_f32(s, 0, 4, 0, out, &err));
  assert_int_equal(aq_source_read_bytes(s, 0, 15, 2, out, &err), AQ_ERR_ARGUMENT);
  aq_tensor t;
  assert_int_equal(aq_source_load(s, 1, &t, &err), AQ_ERR_ARGUMENT);
  aq_source_close(s);
}

/* Codes as a stream of bits, the layout of FORMAT.md for every width. */
static int32_t code_at(const uint8_t *codes, uint64_t i, uint32_t bits) {
  uint32_t q = 0;
  for (uint64_t b = 0; b < bits; b++) q |= (uint32_t)(codes[(i * bits + b) / 8] >> ((i * bits + b) % 8) & 1) << b;
  if (bits == 8) return (int8_t)q;
  return (int32_t)q - (1 << (bits - 1));
}

typedef struct quantized {
  aq_quant_type type;
  int32_t axis, group;
  uint64_t rows[3]; /* of the parts; 0: no such part */
} quantized;

enum { COLUMNS = 35, BYTES_MAX = 1 << 17 };

/* A tensor in one to three parts with pseudo-random codes, and its values by the formula, one by one. */
typedef struct example {
  uint8_t codes[3][BYTES_MAX];
  float scales[3][BYTES_MAX], zeros[3][BYTES_MAX], expected[3 * BYTES_MAX];
  aq_source *source;
} example;

static void fill_part(example *e, const quantized *q, size_t part, uint64_t count, uint64_t first, aq_segment *out) {
  const uint32_t bits = aq_quant_type_bits(q->type);
  const uint64_t span = q->group > 0 ? (uint64_t)q->group : q->axis == 0 ? COLUMNS : count;
  for (size_t i = 0; i < BYTES_MAX; i++) e->codes[part][i] = (uint8_t)((i * 2654435761U + part * 7919) >> 7);
  const uint64_t scales = (count + span - 1) / span;
  for (uint64_t i = 0; i < scales; i++) {
    e->scales[part][i] = 0.25F + (float)(i % 50) + (float)part;
    e->zeros[part][i] = 0.5F * (float)(i % 3);
  }
  for (uint64_t i = 0; i < count; i++) {
    const float shifted = (float)code_at(e->codes[part], i, bits) - e->zeros[part][i / span];
    e->expected[first + i] = shifted * e->scales[part][i / span];
  }
  *out = (aq_segment){.first_param = first,
                      .num_params = count,
                      .num_scales = scales,
                      .data_bytes = (count * bits + 7) / 8,
                      .where = {address(e->codes[part]), address(e->scales[part]), address(e->zeros[part])}};
}

static void make_example(example *e, const quantized *q) {
  aq_segment segments[3];
  size_t count = 0;
  aq_tensor_info info = {.name = "w",
                         .dtype = AQ_F32,
                         .quant_type = q->type,
                         .rank = 2,
                         .shape = {0, COLUMNS},
                         .quant_axis = q->axis,
                         .group_size = q->group,
                         .alias_of = -1};
  for (; count < 3 && q->rows[count] > 0; count++) {
    fill_part(e, q, count, q->rows[count] * COLUMNS, info.num_params, &segments[count]);
    info.shape[0] += (int64_t)q->rows[count];
    info.num_params += segments[count].num_params;
    info.num_scales += segments[count].num_scales;
  }
  info.data_bytes = (info.num_params * aq_quant_type_bits(q->type) + 7) / 8;
  e->source = fake_source();
  assert_ok(aq_source_add_tensor(e->source, &info, segments, count, &err));
}

static void check_range(const example *e, uint64_t first, uint64_t count) {
  static float out[3 * BYTES_MAX + 1];
  out[count] = 12345.0F;
  assert_ok(aq_source_read_f32(e->source, 0, first, count, out, &err));
  for (uint64_t i = 0; i < count; i++) {
    if (aq_f32_bits(out[i]) != aq_f32_bits(e->expected[first + i]))
      fail_msg("element %d of [%d, +%d): %a, not %a", (int)i, (int)first, (int)count, (double)out[i],
               (double)e->expected[first + i]);
  }
  assert_true(out[count] == 12345.0F);
}

static void read_f32_of_quantized_parts_follows_the_formula(void **state) {
  (void)state;
  static const quantized cases[] = {
      {AQ_INT8, -1, 0, {20, 0, 0}},   {AQ_INT8, 0, 0, {20, 1, 7}},   {AQ_INT4, 0, 64, {20, 0, 0}},
      {AQ_INT4, 0, 32, {3, 3, 9}},    {AQ_INT4, 0, 1, {5, 0, 0}},    {AQ_INT3, 0, 64, {20, 11, 0}},
      {AQ_INT3, -1, 0, {7, 7, 7}},    {AQ_INT3, 0, 0, {1, 1, 1}},    {AQ_INT2, 0, 48, {13, 1, 5}},
      {AQ_INT2, 0, 0, {40, 0, 0}},    {AQ_INT8, 0, 9, {1, 20, 30}},  {AQ_INT4, -1, 0, {9, 2, 0}},
      {AQ_INT3, 0, 64, {3000, 0, 0}}, {AQ_INT8, 0, 0, {2500, 0, 0}},
  };
  example *e = malloc(sizeof *e);
  assert_non_null(e);
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    make_example(e, &cases[i]);
    const uint64_t all = e->source->tensors[0].num_params;
    check_range(e, 0, all);
    for (uint64_t first = 0; first < AQ_MIN(all, 40); first++) {
      for (uint64_t count = 0; count <= AQ_MIN(all - first, 20); count++) check_range(e, first, count);
      check_range(e, first, all - first);
    }
    aq_source_close(e->source);
  }
  free(e);
}

static void load_of_parts_that_join_gives_one_tensor(void **state) {
  (void)state;
  static const quantized joins[] = {
      {AQ_INT8, 0, 0, {2, 3, 0}}, {AQ_INT4, 0, 70, {2, 4, 2}}, {AQ_INT2, 0, 0, {4, 4, 4}}};
  static const quantized others[] = {
      {AQ_INT4, 0, 0, {1, 2, 0}}, {AQ_INT8, -1, 0, {2, 2, 0}}, {AQ_INT4, 0, 64, {2, 2, 0}}};
  example *e = malloc(sizeof *e);
  assert_non_null(e);
  for (size_t i = 0; i < AQ_COUNT_OF(joins); i++) {
    make_example(e, &joins[i]);
    aq_tensor t;
    assert_ok(aq_source_load(e->source, 0, &t, &err));
    assert_false(t.is_view);
    const aq_tensor_info *info = aq_source_tensor(e->source, 0);
    assert_int_equal(t.num_scales, info->num_scales);
    assert_int_equal(t.data_bytes, info->data_bytes);
    const uint64_t span = info->num_params / info->num_scales;
    for (uint64_t k = 0; k < info->num_params; k++) {
      const float zero = aq_load_f32((const uint8_t *)t.zero_points + 4 * (k / span));
      const float scale = aq_load_f32((const uint8_t *)t.scales + 4 * (k / span));
      const float shifted = (float)code_at(t.data, k, aq_quant_type_bits(info->quant_type)) - zero;
      assert_true(shifted * scale == e->expected[k]);
    }
    aq_tensor_release(&t);
    assert_null(t.data);
    e->source->max_memory = 10;
    assert_int_equal(aq_source_load(e->source, 0, &t, &err), AQ_ERR_MEMORY);
    aq_source_close(e->source);
  }
  for (size_t i = 0; i < AQ_COUNT_OF(others); i++) {
    make_example(e, &others[i]);
    aq_tensor t;
    assert_int_equal(aq_source_load(e->source, 0, &t, &err), AQ_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.hint, "aq_source_read_f32"));
    aq_source_close(e->source);
  }
  free(e);
}

static void load_gives_views_where_there_are_some(void **state) {
  (void)state;
  static const float data[4] = {1, 2, 3, 4};
  aq_source *s = fake_source();
  add_kept(s, "view", AQ_F32, 4, data, true);
  add_kept(s, "copy", AQ_F32, 4, data, false);
  aq_tensor t;
  assert_ok(aq_source_load(s, 0, &t, &err));
  assert_true(t.is_view && t.data == data && t.owned == NULL);
  aq_tensor_release(&t);
  assert_ok(aq_source_load(s, 1, &t, &err));
  assert_true(!t.is_view && t.data != data);
  assert_memory_equal(t.data, data, sizeof data);
  aq_tensor_release(&t);
  aq_tensor_release(NULL);
  aq_source_close(s);
}

/* FORMAT.md, tolerance: the tensor is FP32 to everyone, although FP16 is stored. */
static void fp16_bits_under_float32_are_widened(void **state) {
  (void)state;
  static const uint16_t bits[5] = {0x3c00, 0x4000, 0x4200, 0x4400, 0x4500};
  static const float values[5] = {1, 2, 3, 4, 5};
  const aq_tensor_info info = {.name = "h",
                               .dtype = AQ_F32,
                               .rank = 1,
                               .shape = {5},
                               .num_params = 5,
                               .data_bytes = 20,
                               .quant_axis = -1,
                               .alias_of = -1};
  const aq_segment segment = {.num_params = 5, .data_bytes = 10, .f16_bits = true, .where = {address(bits), 0, 0, 1}};
  aq_source *s = fake_source();
  assert_ok(aq_source_add_tensor(s, &info, &segment, 1, &err));
  float out[5];
  assert_ok(aq_source_read_f32(s, 0, 1, 3, out, &err));
  assert_memory_equal(out, values + 1, 12);
  aq_tensor t;
  assert_ok(aq_source_load(s, 0, &t, &err));
  assert_int_equal(t.data_bytes, 20);
  assert_memory_equal(t.data, values, 20);
  aq_tensor_release(&t);
  uint8_t bytes[20];
  for (size_t from = 0; from < 20; from++) {
    assert_ok(aq_source_read_bytes(s, 0, from, 20 - from, bytes, &err));
    assert_memory_equal(bytes, (const uint8_t *)values + from, 20 - from);
    assert_ok(aq_source_read_bytes(s, 0, from, 1, bytes, &err));
    assert_memory_equal(bytes, (const uint8_t *)values + from, 1);
  }
  aq_source_close(s);
}

static void add_name_twice_is_refused(void **state) {
  (void)state;
  static const float data[1] = {1};
  aq_source *s = fake_source();
  for (int i = 0; i < 100; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "t%d", i);
    add_kept(s, name, AQ_F32, 1, data, true);
    assert_ok(aq_source_add_metadata(s, name, "v", &err));
    assert_ok(aq_source_add_note(s, &err, "note %d", i));
  }
  const aq_tensor_info info = {.name = "t57", .dtype = AQ_F32, .alias_of = -1};
  const aq_segment segment = {0};
  assert_int_equal(aq_source_add_tensor(s, &info, &segment, 1, &err), AQ_ERR_FORMAT);
  assert_string_equal(err.tensor, "t57");
  assert_int_equal(aq_source_tensor_count(s), 100);
  assert_int_equal(aq_source_find(s, "t99"), 99);
  assert_string_equal(aq_source_metadata_key(s, 99), "t99");
  assert_string_equal(s->notes[99], "note 99");
  aq_source_close(s);
}

static void aliases_are_tensors_with_the_same_bytes(void **state) {
  (void)state;
  enum { COUNT = 6000 };
  float *a = calloc(COUNT, sizeof *a), *b = calloc(COUNT, sizeof *b), *c = calloc(COUNT, sizeof *c);
  assert_true(a != NULL && b != NULL && c != NULL);
  for (size_t i = 0; i < COUNT; i++) a[i] = b[i] = c[i] = (float)i;
  c[1500] = -1.0F; /* not among the samples */
  aq_source *s = fake_source();
  add_kept(s, "c", AQ_F32, COUNT, c, false);
  add_kept(s, "a", AQ_F32, COUNT, a, false);
  add_kept(s, "b", AQ_F32, COUNT, b, false);
  add_kept(s, "as integers", AQ_I32, COUNT, a, false);
  add_kept(s, "small 1", AQ_F32, 255, a, false);
  add_kept(s, "small 2", AQ_F32, 255, a, false);
  add_kept(s, "a again", AQ_F32, COUNT, a, false);
  add_kept(s, "shorter", AQ_F32, COUNT - 1, a, false);
  add_kept(s, "least 1", AQ_F32, 256, a, false);
  add_kept(s, "least 2", AQ_F32, 256, b, false);
  add_kept(s, "half", AQ_F16, 512, b, false);
  add_kept(s, "brain", AQ_BF16, 512, b, false);
  aq_tensor_info *tied;
  assert_ok(aq_source_find_ties(s, &tied, &err));
  static const int32_t expected[] = {-1, -1, 1, -1, -1, -1, 1, -1, -1, 8, -1, -1};
  for (size_t i = 0; i < AQ_COUNT_OF(expected); i++) {
    if (tied[i].alias_of != expected[i]) fail_msg("%s: %d", s->names[i], tied[i].alias_of);
    assert_int_equal(s->tensors[i].alias_of, -1); /* the source stays as it is */
    assert_string_equal(tied[i].name, s->names[i]);
  }
  aq_free(tied);
  aq_source_close(s);
  free(a);
  free(b);
  free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_type_convert),
      cmocka_unit_test(read_f32_of_large_kept_tensor_covers_blocks),
      cmocka_unit_test(read_f32_out_of_range_is_refused),
      cmocka_unit_test(read_f32_of_quantized_parts_follows_the_formula),
      cmocka_unit_test(load_of_parts_that_join_gives_one_tensor),
      cmocka_unit_test(load_gives_views_where_there_are_some),
      cmocka_unit_test(fp16_bits_under_float32_are_widened),
      cmocka_unit_test(add_name_twice_is_refused),
      cmocka_unit_test(aliases_are_tensors_with_the_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
