/* test_onnx.c - ONNX models that are whole, damaged, or meant to do harm. That values and names are those of the
 * package onnx and of its operators is shown by tests/interop/test_onnx.py. */
#include "check.h"
#include "faulty_allocator.h"
#include "temp_folder.h"

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/compiler.h"
#include "io/onnx/onnx_arena.h"
#include "io/onnx/onnx_name.h"
#include "io/source.h"

static aq_error err;

enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT64 = 7, STRING = 8, UINT4 = 21 }; /* TensorProto.DataType */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP = 3, FIXED32 = 5 };        /* types of the wire */

/* ---- writing: messages are made from the inside out ---- */

typedef aq_buffer message;

static message graph, file;

static void put_bytes(message *to, const void *bytes, size_t size) {
  assert_ok(aq_buffer_append(to, bytes, size, &err));
}

static void put_varint(message *to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) assert_ok(aq_buffer_append_byte(to, (uint8_t)(value | 0x80), &err));
  assert_ok(aq_buffer_append_byte(to, (uint8_t)value, &err));
}

static void put_tag(message *to, uint32_t number, uint32_t type) { put_varint(to, (uint64_t)number << 3 | type); }

static void put_number(message *to, uint32_t number, uint64_t value) {
  put_tag(to, number, VARINT);
  put_varint(to, value);
}

static void put_block(message *to, uint32_t number, const void *bytes, size_t size) {
  put_tag(to, number, BYTES);
  put_varint(to, size);
  if (size > 0) put_bytes(to, bytes, size);
}

static void put_text(message *to, uint32_t number, const char *text) { put_block(to, number, text, strlen(text)); }

/* The message becomes a field of another one, and is empty. */
static void put_message(message *to, uint32_t number, message *inside) {
  put_block(to, number, inside->data, inside->size);
  inside->size = 0;
}

/* rank 2 when columns > 0. Raw data of `size` bytes: 0, 1, 2, ... */
static void put_tensor(uint32_t number, const char *name, uint64_t type, uint64_t rows, uint64_t columns, size_t size) {
  message t = {0};
  put_number(&t, 1, rows);
  if (columns > 0) put_number(&t, 1, columns);
  put_number(&t, 2, type);
  put_text(&t, 8, name);
  uint8_t *bytes = malloc(size + 1);
  assert_non_null(bytes);
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i & 0x3f);
  put_block(&t, 9, bytes, size);
  free(bytes);
  put_message(&graph, number, &t);
  aq_buffer_reset(&t);
}

static void put_floats(const char *name, uint64_t rows, uint64_t columns) {
  put_tensor(5, name, FLOAT, rows, columns, (size_t)(rows * AQ_MAX(columns, 1) * 4));
}

/* inputs and output, separated by blanks */
static void put_node(const char *op, const char *name, const char *inputs, const char *output) {
  message n = {0};
  char text[200];
  (void)snprintf(text, sizeof text, "%s", inputs);
  for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) put_text(&n, 1, word);
  put_text(&n, 2, output);
  put_text(&n, 3, name);
  put_text(&n, 4, op);
  put_message(&graph, 1, &n);
  aq_buffer_reset(&n);
}

static void put_head(void) {
  file.size = 0;
  put_number(&file, 1, 8); /* ir_version */
  put_text(&file, 2, "test");
}

static const char *write_model(void) {
  put_head();
  put_message(&file, 7, &graph);
  return temp_write("m.onnx", file.data, file.size);
}

static int teardown(void **state) {
  aq_buffer_reset(&file);
  aq_buffer_reset(&graph);
  return temp_teardown(state);
}

/* ---- reading ---- */

static aq_source *open_ok(const char *path) {
  aq_source *source = NULL;
  if (aq_source_open(path, NULL, &source, &err) != AQ_OK) fail_msg("%s: %s", err.tensor, err.message);
  return source;
}

static void open_fails(const char *path, aq_status status, const char *words) {
  aq_source *source = (aq_source *)&err;
  const aq_status got = aq_source_open(path, NULL, &source, &err);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  assert_int_equal(got, status);
  assert_null(source);
  assert_true(err.file[0] != '\0');
  assert_int_equal(aq_source_open(path, NULL, &source, NULL), status);
}

static void model_fails(aq_status status, const char *words) { open_fails(write_model(), status, words); }

/* A model with a weight of each way of being read: as it is, transposed, dequantized, and both. */
static void put_model(void) {
  put_node("MatMul", "/e/fc/MatMul", "x onnx::MatMul_1", "p");
  put_node("Add", "/e/fc/Add", "e.fc.bias p", "q");
  put_node("DequantizeLinear", "", "e.t_quantized e.t_scale e.t_zero_point", "r");
  put_node("DequantizeLinear", "", "onnx::MatMul_2_quantized s", "d");
  put_node("MatMul", "/e/out/MatMul", "x d", "y");
  put_floats("onnx::MatMul_1", 3, 5);
  put_floats("e.fc.bias", 5, 0);
  put_tensor(5, "e.t_quantized", INT8, 4, 3, 12);
  put_floats("e.t_scale", 3, 0);
  put_tensor(5, "e.t_zero_point", INT8, 3, 0, 3);
  put_tensor(5, "onnx::MatMul_2_quantized", UINT4, 3, 5, 8);
  put_floats("s", 1, 0);
  put_tensor(5, "e.n", UINT4, 3, 0, 2);
  put_node("Gather", "", "e.p_quantized i", "g");
  put_node("Cast", "", "g", "c");
  put_node("Sub", "", "c e.p_zero_point", "u");
  put_node("Mul", "", "e.p_scale u", "v");
  put_tensor(5, "e.p_quantized", INT8, 2, 5, 10);
  put_floats("e.p_scale", 2, 1);
  put_floats("e.p_zero_point", 2, 1);
}

static void every_way_of_reading_gives_the_same_range_by_range(void **state) {
  (void)state;
  put_model();
  aq_source *s = open_ok(write_model());
  static const char *const names[] = {"e.fc.weight", "e.fc.bias", "e.t", "e.out.weight", "e.n", "e.p"};
  assert_int_equal(aq_source_tensor_count(s), 6);
  assert_string_equal(aq_source_format(s), "ONNX");
  assert_int_equal(aq_source_file_bytes(s), file.size);
  for (size_t i = 0; i < 6; i++) {
    const aq_tensor_info *info = aq_source_tensor(s, i);
    assert_string_equal(info->name, names[i]);
    aq_tensor whole;
    uint8_t part[64];
    assert_ok(aq_source_load(s, i, &whole, &err));
    assert_int_equal(whole.is_view, i == 1);
    for (uint64_t at = 0; at < info->data_bytes; at++) {
      for (size_t n = 1; n <= info->data_bytes - at; n++) {
        assert_ok(aq_source_read_bytes(s, i, at, n, part, &err));
        assert_memory_equal(part, (const uint8_t *)whole.data + at, n);
      }
    }
    aq_tensor_release(&whole);
  }
  float values[15];
  assert_ok(aq_source_read_f32(s, 2, 0, 12, values, &err));
  const char *scales = "\0\1\2\3\4\5\6\7\10\11\12\13";
  for (int i = 0; i < 12; i++) assert_true(values[i] == (float)(i - i % 3) * aq_load_f32(scales + 4 * (i % 3)));
  const aq_tensor_info *turned = aq_source_tensor(s, 3);
  assert_true(turned->shape[0] == 5 && turned->shape[1] == 3 && turned->dtype == AQ_F32);
  aq_source_close(s);
}

/* More columns than a panel has, and more codes than are decoded at once. */
static void large_weights_are_read_in_panels_and_chunks(void **state) {
  (void)state;
  enum { ROWS = 7, COLUMNS = 2500 };
  put_node("MatMul", "/e/fc/MatMul", "x d", "y");
  put_node("DequantizeLinear", "", "onnx::MatMul_2_quantized s", "d");
  put_tensor(5, "onnx::MatMul_2_quantized", INT8, ROWS, COLUMNS, (size_t)ROWS * COLUMNS);
  put_floats("s", 1, 0);
  aq_source *s = open_ok(write_model());
  float *all = malloc((size_t)ROWS * COLUMNS * sizeof *all), *part = malloc((size_t)ROWS * COLUMNS * sizeof *all);
  assert_true(all != NULL && part != NULL);
  assert_ok(aq_source_read_f32(s, 0, 0, (uint64_t)ROWS * COLUMNS, all, &err));
  const float scale = aq_load_f32("\0\1\2\3");
  for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
    const size_t stored = i % ROWS * COLUMNS + i / ROWS;
    assert_true(all[i] == (float)(stored & 0x3f) * scale);
  }
  for (size_t first = 0; first < (size_t)ROWS * COLUMNS; first = first * 2 + 3) {
    const size_t n = (size_t)ROWS * COLUMNS - first;
    assert_ok(aq_source_read_f32(s, 0, first, n, part, &err));
    assert_memory_equal(part, all + first, n * sizeof *all);
  }
  free(all);
  free(part);
  aq_source_close(s);
}

static void a_model_may_have_no_weights(void **state) {
  (void)state;
  put_node("Identity", "", "x", "y");
  aq_source *s = open_ok(write_model());
  assert_int_equal(aq_source_tensor_count(s), 0);
  aq_source_close(s);
}

static void shapes_may_be_empty_or_of_no_dimension(void **state) {
  (void)state;
  put_tensor(5, "a.none", FLOAT, 0, 5, 0);
  put_node("DequantizeLinear", "", "a.q s z", "d");
  put_tensor(5, "a.q", INT8, 0, 3, 0);
  put_floats("s", 3, 0);
  put_tensor(5, "z", INT8, 3, 0, 3);
  message t = {0};
  put_number(&t, 2, FLOAT);
  put_text(&t, 8, "a.scale");
  put_block(&t, 4, "\0\0\x80\x3f", 4);
  put_message(&graph, 5, &t);
  aq_buffer_reset(&t);
  aq_source *s = open_ok(write_model());
  float value = 0;
  const int64_t scalar = aq_source_find(s, "a.scale");
  assert_true(scalar >= 0 && aq_source_tensor(s, (size_t)scalar)->rank == 0);
  assert_ok(aq_source_read_f32(s, (size_t)scalar, 0, 1, &value, &err));
  assert_true(value == 1);
  aq_source_close(s);
}

static void names_that_exporters_make_up_are_known(void **state) {
  (void)state;
  static const char *const made_up[] = {"onnx::MatMul_1", "/a/Constant_output_0",
                                        "val_3",          "123",
                                        "ortshared_1_0",  "model.layers.0.q_proj.MatMul.qweight"};
  static const char *const own[] = {"encoder.layer.0.query.weight", "logit_scale", "w", "valuation.weight", "1.weight"};
  for (size_t i = 0; i < AQ_COUNT_OF(made_up); i++) assert_true(aq_onnx_name_is_generated(made_up[i]));
  for (size_t i = 0; i < AQ_COUNT_OF(own); i++) assert_false(aq_onnx_name_is_generated(own[i]));
}

/* ---- damage ---- */

static void file_cut_off_anywhere_is_refused(void **state) {
  (void)state;
  put_model();
  (void)write_model();
  const size_t whole = file.size;
  size_t cut_off = 0;
  for (size_t size = 1; size < whole; size++) {
    aq_source *source = NULL;
    const aq_status status = aq_source_open(temp_write("cut.onnx", file.data, size), NULL, &source, &err);
    assert_true(status == AQ_ERR_CORRUPT || (status == AQ_ERR_FORMAT && size < 13));
    assert_true(strstr(err.hint, "again") != NULL);
    assert_null(source);
    cut_off += status == AQ_ERR_CORRUPT;
  }
  assert_true(cut_off > 300);
}

/* A file with one byte changed opens and can be read, or is refused; the sanitizers watch. */
static void file_with_any_byte_changed_does_no_harm(void **state) {
  (void)state;
  static const uint8_t changes[] = {0x01, 0x08, 0x80, 0xff};
  put_model();
  (void)write_model();
  size_t refused = 0;
  for (size_t i = 0; i < file.size * AQ_COUNT_OF(changes); i++) {
    uint8_t *byte = &file.data[i / AQ_COUNT_OF(changes)];
    *byte ^= changes[i % AQ_COUNT_OF(changes)];
    aq_source *source = NULL;
    if (aq_source_open(temp_write("flip.onnx", file.data, file.size), NULL, &source, &err) == AQ_OK) {
      for (size_t t = 0; t < aq_source_tensor_count(source); t++) {
        float values[64];
        const uint64_t count = AQ_MIN(aq_source_tensor(source, t)->num_params, (uint64_t)64);
        if (aq_source_check_range(source, t, 0, count, NULL) != AQ_OK) continue; /* an opaque dtype */
        assert_ok(aq_source_read_f32(source, t, 0, count, values, &err));
      }
    } else {
      refused++;
      assert_true(err.message[0] != '\0');
    }
    aq_source_close(source);
    *byte ^= changes[i % AQ_COUNT_OF(changes)];
  }
  assert_true(refused > 400);
}

static void wire_that_lies_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
    const char *words;
  } cases[] = {
      {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "longer than the message"}, /* 2^64 - 1 bytes */
      {"\x0a\xff\xff\xff\xff\x0f", 6, "longer than the message"},
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, "more than 64 bits"},
      {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12, "more than 64 bits"},
      {"\xff\xff\xff\xff\xff\x01", 6, "a tag is that of no field"},
      {"\x00\x01", 2, "a tag is that of no field"},
      {"\x0b\x0c", 2, "type of the wire"}, /* a group */
      {"\x0e", 1, "type of the wire"},
      {"\x08", 1, "longer than the message"},
      {"\x09\1\2\3", 4, "longer than the message"},
      {"\x08\x01", 2, "node has type 0 of the wire, and not 2"},
      {"\x2d\1\2\3\4", 5, "initializer has type 5 of the wire, and not 2"},
      {"\x7a\x00", 2, "sparse initializer"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    put_bytes(&graph, cases[i].bytes, cases[i].size);
    put_head();
    put_message(&file, 7, &graph);
    put_text(&file, 2, "more of the file"); /* so that the message ends before the file */
    put_text(&file, 6, "xxxxxxxxxxxxxxxx");
    aq_source *source = NULL;
    const aq_status status = aq_source_open(temp_write("m.onnx", file.data, file.size), NULL, &source, &err);
    if (strstr(err.message, cases[i].words) == NULL) fail_msg("case %zu: '%s'", i, err.message);
    assert_true(status == AQ_ERR_FORMAT || status == AQ_ERR_UNSUPPORTED);
  }
}

static void shapes_that_cannot_be_are_named(void **state) {
  (void)state;
  put_tensor(5, "w", FLOAT, (uint64_t)1 << 40, (uint64_t)1 << 40, 4);
  model_fails(AQ_ERR_FORMAT, "more elements than can be counted");
  assert_string_equal(err.tensor, "w");
  put_tensor(5, "w", FLOAT, (uint64_t)1 << 31, (uint64_t)1 << 30, 4);
  model_fails(AQ_ERR_FORMAT, "more bytes than can be counted");
  put_tensor(5, "w", FLOAT, UINT64_MAX, 0, 4);
  model_fails(AQ_ERR_FORMAT, "dimension 0 is negative");
  put_tensor(5, "w", FLOAT, 3, 5, 59);
  model_fails(AQ_ERR_CORRUPT, "have 59 bytes; shape [3, 5] of FLOAT needs 60");
  put_tensor(5, "w", FLOAT, 3, 5, 64);
  model_fails(AQ_ERR_CORRUPT, "have 64 bytes; shape [3, 5] of FLOAT needs 60");
  put_tensor(5, "w", UINT4, 3, 0, 1);
  model_fails(AQ_ERR_CORRUPT, "have 1 bytes; shape [3] of UINT4 needs 2");
  put_tensor(5, "w", 99, 1, 0, 4);
  model_fails(AQ_ERR_UNSUPPORTED, "is of type 99, which is not read");
  put_tensor(5, "w", 23, 2, 0, 1);
  model_fails(AQ_ERR_UNSUPPORTED, "is of FLOAT4E2M1, which is not read");
  put_tensor(5, "", FLOAT, 1, 0, 4);
  model_fails(AQ_ERR_FORMAT, "an initializer of the graph has no name");
  put_tensor(5, "\xff", FLOAT, 1, 0, 4);
  model_fails(AQ_ERR_FORMAT, "the name of a tensor is not UTF-8");
  put_tensor(5, "w[0:5]", FLOAT, 5, 0, 20);
  model_fails(AQ_ERR_UNSUPPORTED, "part of a larger tensor");
  put_floats("w", 2, 0);
  put_floats("w", 2, 0);
  model_fails(AQ_ERR_FORMAT, "two tensors of the graph have this name");
}

/* A tensor whose fields are given as bytes. */
static void put_fields(const char *bytes, size_t size) {
  message t = {0};
  put_text(&t, 8, "w");
  put_bytes(&t, bytes, size);
  put_message(&graph, 5, &t);
  aq_buffer_reset(&t);
}

static void numbers_one_by_one_are_as_many_as_the_shape_has(void **state) {
  (void)state;
  put_fields("\x08\x02\x10\x03\x2a\x03\x01\x02\x03", 9); /* int8, two by shape, three by data */
  model_fails(AQ_ERR_CORRUPT, "more than the 2 numbers");
  put_fields("\x08\x03\x10\x03\x2a\x02\x01\x02", 8);
  model_fails(AQ_ERR_CORRUPT, "have 2 bytes; shape [3] of INT8 needs 3");
  put_fields("\x08\x02\x10\x03\x2a\x03\x01\xac\x02", 9); /* 300 */
  model_fails(AQ_ERR_FORMAT, "number 1 does not fit INT8");
  put_fields("\x08\x02\x10\x03\x22\x02\x01\x02", 8); /* int8 in float_data */
  model_fails(AQ_ERR_FORMAT, "field 4 does not hold numbers of type INT8");
  put_fields("\x08\x02\x10\x03\x28\x01\x28\x02", 8); /* not packed */
  model_fails(AQ_ERR_UNSUPPORTED, "in several fields");
  put_fields("\x08\x02\x10\x03\x2a\x02\x01\x02\x4a\x02\x01\x02", 12); /* and raw data */
  model_fails(AQ_ERR_UNSUPPORTED, "in several fields");
  put_fields("\x08\x02\x10\x03", 4); /* no data */
  model_fails(AQ_ERR_CORRUPT, "have 0 bytes");
  put_fields("\x08\x02\x10\x03\x1a\x00", 6);
  model_fails(AQ_ERR_UNSUPPORTED, "one segment of a tensor");
  put_fields("\x08\x02\x10\x03\x70\x01", 6);
  model_fails(AQ_ERR_FORMAT, "in another file, which is not named");
  put_fields("\x08\x02\x10\x03\x4a\x02\x01\x02\x70\x01", 10);
  model_fails(AQ_ERR_FORMAT, "both here and in another file");
  char dims[2 * 17];
  for (size_t i = 0; i < sizeof dims; i++) dims[i] = i % 2 == 0 ? 8 : 1;
  put_fields(dims, sizeof dims);
  model_fails(AQ_ERR_UNSUPPORTED, "more than 16 dimensions");
}

static void put_attribute(message *node, const char *name, uint64_t value) {
  message a = {0};
  put_text(&a, 1, name);
  put_number(&a, 3, value);
  put_message(node, 5, &a);
  aq_buffer_reset(&a);
}

/* A MatMulNBits whose codes are 2 rows of 2 blocks of 16 at 4 bits: what is changed makes it wrong. */
static void put_n_bits(uint64_t rows, uint64_t columns, uint64_t bits, uint64_t block) {
  message n = {0};
  put_text(&n, 1, "x");
  put_text(&n, 1, "w");
  put_text(&n, 1, "s");
  put_text(&n, 2, "y");
  put_text(&n, 4, "MatMulNBits");
  put_attribute(&n, "N", rows);
  put_attribute(&n, "K", columns);
  put_attribute(&n, "bits", bits);
  put_attribute(&n, "block_size", block);
  put_message(&graph, 1, &n);
  aq_buffer_reset(&n);
  put_tensor(5, "w", UINT8, 2, 16, 32);
  put_floats("s", 4, 0);
}

static void quantized_weights_that_do_not_fit_are_named(void **state) {
  (void)state;
  put_n_bits(2, 20, 4, 16);
  aq_source_close(open_ok(write_model()));
  put_n_bits(2, 33, 4, 16);
  model_fails(AQ_ERR_FORMAT, "MatMulNBits reads 32 bytes of codes with N = 2, K = 33 and blocks of 16");
  put_n_bits(UINT64_MAX, 20, 4, 16);
  model_fails(AQ_ERR_FORMAT, "MatMulNBits has N = -1 and K = 20");
  put_n_bits((uint64_t)1 << 62, (uint64_t)1 << 62, 4, 16);
  model_fails(AQ_ERR_FORMAT, "MatMulNBits has N =");
  put_n_bits(2, 20, 3, 16);
  model_fails(AQ_ERR_UNSUPPORTED, "codes of 3 bits");
  put_n_bits(2, 20, 4, 24);
  model_fails(AQ_ERR_FORMAT, "blocks of 24, which is no power of two");
  put_n_bits(2, 20, 4, UINT64_MAX);
  model_fails(AQ_ERR_FORMAT, "blocks of -1, which is no power of two");
  put_n_bits(1, 64, 4, 16);
  aq_source_close(open_ok(write_model()));
  put_n_bits(4, 16, 4, 16);
  aq_source_close(open_ok(write_model()));
  put_n_bits(1, 64, 4, 64);
  model_fails(AQ_ERR_FORMAT, "with scales of shape [4], which does not fit");
  put_node("DequantizeLinear", "", "w s z", "d");
  put_tensor(5, "w", INT8, 4, 3, 12);
  put_floats("s", 4, 0); /* the axis is the second one */
  put_tensor(5, "z", INT8, 4, 0, 4);
  model_fails(AQ_ERR_FORMAT, "codes of shape [4, 3] with scales of shape [4], which does not fit");
  put_node("DequantizeLinear", "", "w s z", "d");
  put_tensor(5, "w", INT8, 4, 3, 12);
  put_floats("s", 3, 0);
  put_tensor(5, "z", INT8, 2, 0, 2);
  model_fails(AQ_ERR_FORMAT, "with zero points of shape [2], which does not fit");
}

static aq_source *open_arithmetic(const char *operators, uint64_t rows, uint64_t columns, uint64_t zero_rows) {
  const bool has_sub = strstr(operators, "Sub") != NULL;
  put_node("Cast", "", "w_quantized", "c");
  if (has_sub) put_node("Sub", "", strstr(operators, "z-q") != NULL ? "z c" : "c z", "u");
  if (strstr(operators, "Mul") != NULL) put_node("Mul", "", has_sub ? "u s" : "c s", "v");
  put_tensor(5, "w_quantized", INT8, 4, 3, 12);
  put_floats("s", rows, columns);
  put_floats("z", zero_rows, 1);
  return open_ok(write_model());
}

/* Codes are dequantized where arithmetic with a number per row does it, and are codes everywhere else. */
static void codes_of_arithmetic_have_a_number_per_row(void **state) {
  static const struct {
    const char *operators;
    uint64_t rows, columns, zero_rows;
    bool is_dequantized;
  } cases[] = {{"Mul", 4, 1, 4, true},  {"Sub Mul", 4, 1, 4, true},      {"", 4, 1, 4, false},
               {"Sub", 4, 1, 4, false}, {"Mul", 4, 3, 4, false},         {"Mul", 1, 4, 4, false},
               {"Mul", 4, 0, 4, false}, {"z-q Sub Mul", 4, 1, 4, false}, {"Sub Mul", 4, 1, 2, false}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_source *s = open_arithmetic(cases[i].operators, cases[i].rows, cases[i].columns, cases[i].zero_rows);
    const aq_tensor_info *t = aq_source_tensor(s, 0);
    if ((t->dtype == AQ_F32) != cases[i].is_dequantized) fail_msg("case %zu: %s", i, t->name);
    assert_string_equal(t->name, cases[i].is_dequantized ? "w" : "w_quantized");
    aq_source_close(s);
  }
}

/* Graphs inside nodes inside graphs: no depth of them needs more stack. */
static void graphs_inside_nodes_are_read_at_any_depth(void **state) {
  (void)state;
  enum { DEPTH = 2000 };
  message inside = {0}, outside = {0};
  put_floats("deep.weight", 2, 0);
  for (int i = 0; i < DEPTH; i++) {
    put_message(&outside, 6, &graph); /* the attribute's graph */
    put_message(&inside, 5, &outside);
    put_message(&graph, 1, &inside);
  }
  aq_buffer_reset(&inside);
  aq_buffer_reset(&outside);
  aq_source *s = open_ok(write_model());
  assert_int_equal(aq_source_find(s, "deep.weight"), 0);
  aq_source_close(s);
}

static void what_is_no_model_is_not_taken_for_one(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } cases[] = {{"\x08\x07", 2}, /* no graph */
               {"\x08\x07\x12\x03"
                "abc",
                7},                                     /* a producer, and no graph */
               {"\x3a\x02\x0a\x00", 4},                 /* a graph, and no version before it */
               {"\x08\x00\x3a\x02\x0a\x00", 6},         /* version 0 */
               {"\x08\x07\x48\x01\x3a\x02\x0a\x00", 8}, /* a field that a model does not have */
               {"\x08\x07\x3a\x00", 4}};                /* an empty graph */
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    open_fails(temp_write("m.onnx", cases[i].bytes, cases[i].size), AQ_ERR_FORMAT, "does not begin like one");
    open_fails(temp_write("m.safetensors", cases[i].bytes, cases[i].size), AQ_ERR_FORMAT, "");
  }
}

/* ---- limits ---- */

static void graph_is_read_within_the_limit_of_memory(void **state) {
  (void)state;
  aq_source_options options;
  aq_source *source;
  aq_source_options_init(&options);
  for (int i = 0; i < 3000; i++) put_node("Identity", "a name of a node", "x", "y");
  const char *path = write_model();
  options.max_memory = 200000;
  assert_int_equal(aq_source_open(path, &options, &source, &err), AQ_ERR_MEMORY);
  assert_non_null(strstr(err.message, "needs more than 200000 bytes of memory"));
  options.max_memory = 4000000;
  assert_ok(aq_source_open(path, &options, &source, &err));
  aq_source_close(source);
}

static void arena_gives_zeroed_memory_up_to_its_limit(void **state) {
  (void)state;
  aq_onnx_arena arena = {.limit = 1000000};
  void *first, *second;
  assert_ok(aq_onnx_arena_take(&arena, 100, &first, &err));
  memset(first, 1, 100);
  assert_ok(aq_onnx_arena_take(&arena, 50000, &second, &err));
  for (size_t i = 0; i < 50000; i++) assert_int_equal(((const uint8_t *)second)[i], 0);
  assert_int_equal(aq_onnx_arena_take(&arena, 1000000, &second, &err), AQ_ERR_MEMORY);
  assert_int_equal(aq_onnx_arena_take(&arena, SIZE_MAX, &second, &err), AQ_ERR_MEMORY);
  aq_onnx_arena_reset(&arena);
  assert_int_equal(arena.taken, 0);
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  put_model();
  put_node("Identity", "", "e.fc.bias", "f.fc.bias");
  const char *path = write_model();
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
    if (status == AQ_OK) status = aq_source_load(source, 0, &tensor, &err);
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
      cmocka_unit_test(every_way_of_reading_gives_the_same_range_by_range),
      cmocka_unit_test(large_weights_are_read_in_panels_and_chunks),
      cmocka_unit_test(a_model_may_have_no_weights),
      cmocka_unit_test(shapes_may_be_empty_or_of_no_dimension),
      cmocka_unit_test(names_that_exporters_make_up_are_known),
      cmocka_unit_test(file_cut_off_anywhere_is_refused),
      cmocka_unit_test(file_with_any_byte_changed_does_no_harm),
      cmocka_unit_test(wire_that_lies_is_refused),
      cmocka_unit_test(shapes_that_cannot_be_are_named),
      cmocka_unit_test(numbers_one_by_one_are_as_many_as_the_shape_has),
      cmocka_unit_test(quantized_weights_that_do_not_fit_are_named),
      cmocka_unit_test(codes_of_arithmetic_have_a_number_per_row),
      cmocka_unit_test(graphs_inside_nodes_are_read_at_any_depth),
      cmocka_unit_test(what_is_no_model_is_not_taken_for_one),
      cmocka_unit_test(graph_is_read_within_the_limit_of_memory),
      cmocka_unit_test(arena_gives_zeroed_memory_up_to_its_limit),
      cmocka_unit_test(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
