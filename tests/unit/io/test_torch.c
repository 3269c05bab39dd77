/* test_torch.c - files of torch.save that are whole, damaged, or meant to do harm. That what torch itself writes is
 * read as torch reads it is shown by tests/reference/test_torch_files.py. */
#include "faulty_allocator.h"
#include "torch_fixture.h"

#include "core/bytes.h"
#include "io/torch/torch_files.h"

static aq_buffer ops;
static zip_file zip;

static int teardown(void **state) {
  aq_buffer_reset(&ops);
  reset_zip(&zip);
  return temp_teardown(state);
}

/* count floats 0, 1, 2, ... as a storage */
static void put_floats(const char *name, size_t count) {
  float *values = malloc((count + 1) * sizeof *values);
  assert_non_null(values);
  for (size_t i = 0; i < count; i++) values[i] = (float)i;
  put_zip_entry(&zip, name, values, count * sizeof *values);
  free(values);
}

static void begin_file(void) {
  ops.size = 0;
  reset_zip(&zip);
}

/* The pickle in `ops` with storage 0 of so many floats. */
static const char *write_file(const char *name, size_t floats) {
  put_zip_entry(&zip, "m/data.pkl", ops.data, ops.size);
  put_zip_entry(&zip, "m/byteorder", "little", 6);
  put_floats("m/data/0", floats);
  put_zip_entry(&zip, "m/version", "3\n", 2);
  end_zip(&zip);
  return temp_write(name, zip.bytes.data, zip.bytes.size);
}

static const char *write_tensors(const char *name, const tensor_spec *tensors, size_t count, size_t floats) {
  begin_file();
  put_tensors(&ops, tensors, count);
  return write_file(name, floats);
}

static void pickle_fails(const char *pickle, size_t size, aq_status status, const char *words) {
  begin_file();
  put_bytes(&ops, pickle, size);
  open_fails(write_file("bad.pt", 0), status, words);
}
#define FAILS(text, status, words) pickle_fails(text, sizeof(text) - 1, status, words)

static const tensor_spec plain = {"w", "0", "FloatStorage", 24, 0, 2, {4, 6}, {6, 1}};

static void values_are(const aq_source *source, const char *name, const float *expected, size_t count) {
  float values[64];
  const int64_t i = aq_source_find(source, name);
  assert_true(i >= 0);
  assert_int_equal(aq_source_tensor(source, (size_t)i)->num_params, count);
  assert_ok(aq_source_read_f32(source, (size_t)i, 0, count, values, &err));
  for (size_t k = 0; k < count; k++) {
    if (aq_f32_bits(values[k]) != aq_f32_bits(expected[k]))
      fail_msg("%s[%zu]: %g, not %g", name, k, (double)values[k], (double)expected[k]);
  }
}

static void has_note(const aq_source *source, const char *words) {
  for (size_t i = 0; i < aq_source_note_count(source); i++) {
    if (strstr(aq_source_note(source, i), words) != NULL) return;
  }
  fail_msg("no note says '%s'", words);
}

/* ---- whole files ---- */

static void tensors_are_views_of_storages(void **state) {
  (void)state;
  const tensor_spec tensors[] = {plain,
                                 {"t", "0", "FloatStorage", 24, 0, 2, {6, 4}, {1, 6}},
                                 {"part", "0", "FloatStorage", 24, 7, 2, {2, 2}, {6, 3}},
                                 {"same", "0", "FloatStorage", 24, 0, 2, {4, 6}, {6, 1}},
                                 {"scalar", "0", "FloatStorage", 24, 23, 0, {0}, {0}},
                                 {"empty", "0", "FloatStorage", 24, 0, 2, {0, 3}, {3, 1}},
                                 {"wide", "0", "FloatStorage", 24, 5, 2, {2, 3}, {0, 1}},
                                 {"x", "0", "FloatStorage", 24, 0, 2, {2, 2}, {6, 1}},
                                 {"y", "0", "FloatStorage", 24, 0, 2, {2, 2}, {1, 6}},
                                 {"one", "0", "FloatStorage", 24, 1, 2, {1, 2}, {99999, 1}}};
  for (int described = 0; described < 2; described++) {
    begin_file();
    zip.described = described;
    put_tensors(&ops, tensors, sizeof tensors / sizeof *tensors);
    aq_source *s = open_ok(write_file("m.pt", 24));
    float expected[24], turned[24];
    for (size_t i = 0; i < 24; i++) {
      expected[i] = (float)i;
      turned[i] = (float)(i % 4 * 6 + i / 4);
    }
    assert_string_equal(aq_source_format(s), "PyTorch");
    values_are(s, "w", expected, 24);
    values_are(s, "same", expected, 24);
    values_are(s, "t", turned, 24);
    values_are(s, "part", (const float[]){7, 10, 13, 16}, 4);
    values_are(s, "scalar", expected + 23, 1);
    values_are(s, "empty", NULL, 0);
    values_are(s, "wide", (const float[]){5, 6, 7, 5, 6, 7}, 6);
    values_are(s, "one", expected + 1, 2);
    values_are(s, "x", (const float[]){0, 1, 6, 7}, 4);
    values_are(s, "y", (const float[]){0, 6, 1, 7}, 4);
    assert_int_equal(aq_source_tensor(s, 3)->alias_of, 0);
    assert_int_equal(aq_source_tensor(s, 3)->stored_bytes, 0);
    for (size_t i = 0; i < 10; i++) assert_true(i == 3 || aq_source_tensor(s, i)->alias_of == -1);
    has_note(s, "5 tensors are not stored in the order of rows");
    aq_source_close(s);
  }
}

/* Every range of a tensor in four dimensions, in any order of its strides, beginning at any byte. */
static void ranges_of_strided_tensors_are_those_of_the_whole(void **state) {
  (void)state;
  static const tensor_spec tensors[] = {
      {"a", "0", "FloatStorage", 360, 0, 4, {3, 4, 5, 6}, {1, 3, 12, 60}},
      {"b", "0", "FloatStorage", 360, 0, 4, {4, 3, 6, 5}, {6, 120, 1, 24}},
      {"c", "0", "FloatStorage", 360, 11, 4, {2, 1, 7, 3}, {150, 7, 0, 40}},
  };
  aq_source *s = open_ok(write_tensors("m.pt", tensors, 3, 360));
  for (size_t t = 0; t < 3; t++) {
    const tensor_spec *spec = &tensors[t];
    float whole[360];
    uint8_t part[360 * 4];
    size_t n = 0;
    int32_t i[4];
    for (i[0] = 0; i[0] < spec->shape[0]; i[0]++)
      for (i[1] = 0; i[1] < spec->shape[1]; i[1]++)
        for (i[2] = 0; i[2] < spec->shape[2]; i[2]++)
          for (i[3] = 0; i[3] < spec->shape[3]; i[3]++) {
            int32_t at = spec->first;
            for (size_t k = 0; k < 4; k++) at += i[k] * spec->stride[k];
            whole[n++] = (float)at;
          }
    assert_int_equal(aq_source_tensor(s, t)->num_params, n);
    for (size_t first = 0; first <= n * 4; first += first < 64 ? 1 : 13) {
      for (size_t size = 0; first + size <= n * 4; size += size < 64 ? 1 : 37) {
        assert_ok(aq_source_read_bytes(s, t, first, size, part, &err));
        assert_memory_equal(part, (const uint8_t *)whole + first, size);
      }
    }
  }
  aq_source_close(s);
}

/* A matrix whose columns are farther apart than the window, and one that is longer than it. */
static void large_transposed_matrix_is_read(void **state) {
  (void)state;
  enum { ROWS = 40, COLUMNS = 20000 };
  const tensor_spec tensors[] = {{"t", "0", "FloatStorage", ROWS * COLUMNS, 0, 2, {COLUMNS, ROWS}, {1, COLUMNS}},
                                 {"u", "0", "FloatStorage", ROWS * COLUMNS, 0, 2, {ROWS, COLUMNS}, {1, ROWS}},
                                 {"v", "0", "FloatStorage", ROWS * COLUMNS, 0, 2, {2, 400}, {1, 2000}}};
  aq_source *s = open_ok(write_tensors("m.pt", tensors, 3, ROWS * COLUMNS));
  for (size_t t = 0; t < 3; t++) {
    const uint64_t columns = (uint64_t)tensors[t].shape[1], count = aq_source_tensor(s, t)->num_params;
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    assert_ok(aq_source_read_f32(s, t, 0, count, values, &err));
    for (uint64_t i = 0; i < count; i++) {
      const uint64_t at = i / columns * (uint64_t)tensors[t].stride[0] + i % columns * (uint64_t)tensors[t].stride[1];
      if (aq_f32_bits(values[i]) != aq_f32_bits((float)at)) fail_msg("%zu: element %llu", t, (unsigned long long)i);
    }
    free(values);
  }
  aq_source_close(s);
}

static void names_are_paths_and_others_are_noted(void **state) {
  (void)state;
  begin_file();
  put_ops(&ops, "\x80\x02}(");
  put_text(&ops, "epoch");
  put_int(&ops, 3);
  put_text(&ops, "model");
  put_ops(&ops, "}(");
  put_tensor(&ops, &plain);
  put_ops(&ops, "u");
  put_text(&ops, "list");
  put_ops(&ops, "](}");
  put_tensor(&ops, &plain);
  put_ops(&ops, "sN}");
  put_int(&ops, -7);
  put_ops(&ops, "}");
  put_tensor(&ops, &plain);
  put_ops(&ops, "sseu.");
  aq_source *s = open_ok(write_file("m.pt", 24));
  assert_int_equal(aq_source_tensor_count(s), 3);
  assert_string_equal(aq_source_tensor(s, 0)->name, "model.w");
  assert_string_equal(aq_source_tensor(s, 1)->name, "list.0.w");
  assert_string_equal(aq_source_tensor(s, 2)->name, "list.2.-7.w");
  has_note(s, "2 values of the pickle are no tensors, and left out ('epoch', ...)");
  aq_source_close(s);
}

static void model_without_tensors_is_one_of_none(void **state) {
  (void)state;
  begin_file();
  put_ops(&ops, "\x80\x02}.");
  aq_source *s = open_ok(write_file("m.pt", 2));
  assert_int_equal(aq_source_tensor_count(s), 0);
  has_note(s, "1 storage of the file belongs to no tensor");
  aq_source_close(s);
}

/* ---- tensors that cannot be ---- */

static void tensors_that_reach_outside_are_refused(void **state) {
  (void)state;
  static const struct {
    tensor_spec spec;
    aq_status status;
    const char *words;
  } cases[] = {
      {{"w", "0", "FloatStorage", 24, 1, 2, {4, 6}, {6, 1}}, AQ_ERR_FORMAT, "reaches past the end of its storage"},
      {{"w", "0", "FloatStorage", 24, 0, 2, {4, 7}, {6, 1}}, AQ_ERR_FORMAT, "shape [4, 7] reaches past the end"},
      {{"w", "0", "FloatStorage", 24, 0, 2, {2, 2}, {23, 1}}, AQ_ERR_FORMAT, "reaches past the end of its storage"},
      {{"w", "0", "FloatStorage", 24, -1, 2, {1, 1}, {1, 1}}, AQ_ERR_FORMAT, "begins at element -1"},
      {{"w", "0", "FloatStorage", 24, 0, 2, {-1, 1}, {1, 1}}, AQ_ERR_FORMAT, "the shape of a tensor holds what is no"},
      {{"w", "0", "FloatStorage", 24, 5, 2, {2, 1}, {-1, 1}}, AQ_ERR_FORMAT, "the stride of a tensor holds what is no"},
      {{"w", "0", "FloatStorage", 24, 0, 4, {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}, {0}},
       AQ_ERR_FORMAT,
       "more elements than can be counted"},
      {{"w", "0", "FloatStorage", 24, 0, 2, {INT32_MAX, 2}, {0, 0}}, AQ_ERR_UNSUPPORTED, "more than 8 times as large"},
      {{"w", "0", "FloatStorage", 25, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "has 96 bytes in the file and 100 in the pickle"},
      {{"w", "0", "FloatStorage", 23, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "has 96 bytes in the file and 92 in the pickle"},
      {{"w", "0", "DoubleStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "96 bytes in the file and 192 in the pickle"},
      {{"w", "0", "FloatStorage", -1, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "a storage has -1 elements"},
      {{"w", "1", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_CORRUPT, "no entry 'data/1', which the pickle names"},
      {{"w", "../x", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "the key of a storage has character 1"},
      {{"w", "/etc", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "other than letters, digits, _ and -: '/'"},
      {{"w", "", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "the key of a storage has 0 bytes"},
      {{"", "0", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "a tensor has the empty name"},
      {{"\xff", "0", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "the name of a tensor is not UTF-8"},
      {{"w[0:1]", "0", "FloatStorage", 24, 0, 1, {1}, {1}}, AQ_ERR_UNSUPPORTED, "part of a larger tensor"},
      {{"w", "0", "Size", 24, 0, 1, {1}, {1}}, AQ_ERR_FORMAT, "torch.Size is given as the type of a storage"},
      {{"w", "0", "QInt8Storage", 24, 0, 1, {1}, {1}}, AQ_ERR_UNSUPPORTED, "names 'torch.QInt8Storage'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    open_fails(write_tensors("bad.pt", &cases[i].spec, 1, 24), cases[i].status, cases[i].words);
}

static void names_that_stand_twice_are_refused(void **state) {
  (void)state;
  const tensor_spec twice[] = {plain, plain};
  open_fails(write_tensors("bad.pt", twice, 2, 24), AQ_ERR_FORMAT, "a dict has the key 'w' twice");
  FAILS(
      "\x80\x02}(K\0NX\1\0\0\0"
      "0Nu.",
      AQ_ERR_FORMAT, "a dict has the key '0' twice");
  begin_file();
  put_ops(&ops, "\x80\x02}(");
  put_text(&ops, "a");
  put_ops(&ops, "}");
  put_tensor(&ops, &plain);
  put_ops(&ops, "s");
  tensor_spec other = plain;
  other.name = "a.w";
  put_tensor(&ops, &other);
  put_ops(&ops, "u.");
  open_fails(write_file("bad.pt", 24), AQ_ERR_FORMAT, "two tensors have this name");
}

static void tensors_without_a_name_are_refused(void **state) {
  (void)state;
  begin_file();
  put_ops(&ops, "\x80\x02}N}");
  put_tensor(&ops, &plain);
  put_ops(&ops, "ss.");
  open_fails(write_file("bad.pt", 24), AQ_ERR_UNSUPPORTED, "a key that is neither a string nor an integer");
}

/* Pairs of pairs of pairs: the memo makes 2^40 values of 200 bytes. */
static void values_that_multiply_are_refused(void **state) {
  (void)state;
  begin_file();
  put_ops(&ops, "\x80\x04](]");
  for (unsigned i = 0; i < 40; i++) {
    put_ops(&ops, "\x94h");
    put_number(&ops, i, 1);
    put_ops(&ops, "\x86");
  }
  put_ops(&ops, "e.");
  open_fails(write_file("bad.pt", 0), AQ_ERR_UNSUPPORTED, "the values of the pickle are more than 16777216");
  FAILS(
      "\x80\x04]\x94h\0"
      "a.",
      AQ_ERR_UNSUPPORTED, "nested more than 64 deep, or contain themselves");
}

/* ---- archives ---- */

static void entries_of_other_kinds_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name;
    aq_status status;
    const char *words;
  } cases[] = {{"m/constants.pkl", AQ_ERR_UNSUPPORTED, "is a TorchScript archive"},
               {"m/code/__torch__.py", AQ_ERR_UNSUPPORTED, "is a TorchScript archive"},
               {"m/inner.zip", AQ_ERR_UNSUPPORTED, "an entry 'inner.zip', which torch.save writes for no tensors"},
               {"m/data/0/x", AQ_ERR_UNSUPPORTED, "an entry 'data/0/x'"},
               {"n/data.pkl", AQ_ERR_FORMAT, "several folders or none"},
               {"data.pkl", AQ_ERR_FORMAT, "several folders or none"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin_file();
    put_tensors(&ops, &plain, 1);
    put_zip_entry(&zip, "m/.format_version", "1", 1);
    put_zip_entry(&zip, cases[i].name, "x", 1);
    open_fails(write_file("bad.pt", 24), cases[i].status, cases[i].words);
  }
  begin_file();
  put_zip_entry(&zip, "m/version", "3\n", 2);
  end_zip(&zip);
  open_fails(temp_write("bad.pt", zip.bytes.data, zip.bytes.size), AQ_ERR_FORMAT, "a zip archive without data.pkl");
}

static void byte_order_must_be_little(void **state) {
  (void)state;
  begin_file();
  put_tensors(&ops, &plain, 1);
  put_zip_entry(&zip, "m/data.pkl", ops.data, ops.size);
  put_zip_entry(&zip, "m/byteorder", "big", 3);
  put_floats("m/data/0", 24);
  end_zip(&zip);
  open_fails(temp_write("bad.pt", zip.bytes.data, zip.bytes.size), AQ_ERR_UNSUPPORTED, "big-endian machines");
}

static void bytes_after_the_pickle_are_refused(void **state) {
  (void)state;
  begin_file();
  put_tensors(&ops, &plain, 1);
  put_ops(&ops, "N.");
  open_fails(write_file("bad.pt", 24), AQ_ERR_FORMAT, "data.pkl has 2 bytes after the end of its pickle");
}

static void tar_of_before_is_named(void **state) {
  (void)state;
  char tar[1024] = "sys_info";
  memcpy(tar + 257, "ustar", 5);
  open_fails(temp_write("old.pt", tar, sizeof tar), AQ_ERR_UNSUPPORTED, "from before version 0.1.10, a tar archive");
  memcpy(tar, "readme", 7);
  open_fails(temp_write("old.pt", tar, sizeof tar), AQ_ERR_UNSUPPORTED, "(tar)");
}

/* ---- the form before ---- */

static const char magic[] = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";

/* Everything before the storages. keys: opcodes that make the list. */
static void begin_legacy(const char *info, const tensor_spec *tensors, size_t count, const char *keys) {
  begin_file();
  put_bytes(&ops, magic, sizeof magic - 1);
  put_ops(&ops, "\x80\x02}");
  put_text(&ops, "little_endian");
  put_ops(&ops, info);
  put_ops(&ops, "s.");
  put_tensors(&ops, tensors, count);
  put_ops(&ops, "\x80\x02](");
  for (const char *k = keys; *k != '\0'; k++) put_text(&ops, (const char[]){*k, '\0'});
  put_ops(&ops, "e.");
}

static void put_storage(uint64_t count, size_t floats) {
  put_number(&ops, count, 8);
  for (size_t i = 0; i < floats; i++) {
    const float value = (float)i;
    put_bytes(&ops, &value, sizeof value);
  }
}

static const char *write_legacy(void) { return temp_write("old.bin", ops.data, ops.size); }

static const tensor_spec legacy_tensors[] = {{"w", "a", "FloatStorage", 24, 0, 2, {4, 6}, {6, 1}},
                                             {"v", "b", "FloatStorage", 3, 1, 1, {2}, {1}},
                                             {"u", "a", "FloatStorage", 24, 0, 2, {4, 6}, {6, 1}}};

static void legacy_file_is_read(void **state) {
  (void)state;
  begin_legacy("\x88", legacy_tensors, 3, "ba");
  put_storage(3, 3);
  put_storage(24, 24);
  aq_source *s = open_ok(write_legacy());
  float expected[24];
  for (size_t i = 0; i < 24; i++) expected[i] = (float)i;
  values_are(s, "w", expected, 24);
  values_are(s, "v", (const float[]){1, 2}, 2);
  assert_int_equal(aq_source_tensor(s, 2)->alias_of, 0);
  aq_source_close(s);
}

static void legacy_file_that_contradicts_itself_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *info, *keys;
    uint64_t first, second;
    size_t more;
    aq_status status;
    const char *words;
  } cases[] = {{"\x89", "ba", 3, 24, 0, AQ_ERR_UNSUPPORTED, "big-endian machines"},
               {"\x88", "b", 3, 24, 0, AQ_ERR_FORMAT, "has 104 bytes after its last storage"},
               {"\x88", "ab", 3, 24, 0, AQ_ERR_FORMAT, "storage 'a' has 3 elements in the file and 24 in the pickle"},
               {"\x88", "bb", 3, 24, 0, AQ_ERR_FORMAT, "the list of keys has 'b' twice"},
               {"\x88", "bc", 3, 24, 0, AQ_ERR_FORMAT, "has one that the pickle does not name"},
               {"\x88", "ba", 3, 25, 1, AQ_ERR_FORMAT, "storage 'a' has 25 elements in the file"},
               {"\x88", "ba", 3, 24, 1, AQ_ERR_FORMAT, "has 4 bytes after its last storage"},
               {"\x88", "ba", UINT64_MAX, 24, 0, AQ_ERR_FORMAT, "storage 'b' has 18446744073709551615 elements"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin_legacy(cases[i].info, legacy_tensors, 3, cases[i].keys);
    put_storage(cases[i].first, 3);
    put_storage(cases[i].second, 24 + cases[i].more);
    open_fails(write_legacy(), cases[i].status, cases[i].words);
  }
  tensor_spec differ[] = {legacy_tensors[0], legacy_tensors[2]};
  differ[1].type = "IntStorage";
  begin_legacy("\x88", differ, 2, "a");
  put_storage(24, 24);
  open_fails(write_legacy(), AQ_ERR_FORMAT, "storage 'a' has two types or sizes");
}

/* ---- damage ---- */

static void read_everything(const aq_source *source) {
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    aq_tensor tensor;
    assert_ok(aq_source_load(source, i, &tensor, &err));
    aq_tensor_release(&tensor);
  }
}

static void damage_does_no_harm(const uint8_t *whole, size_t size, bool is_cut_refused) {
  uint8_t *bytes = malloc(size);
  assert_non_null(bytes);
  aq_source *source;
  for (size_t cut = 0; cut < size; cut++) {
    source = NULL;
    const aq_status status = aq_source_open(temp_write("bad.pt", whole, cut), NULL, &source, &err);
    if (is_cut_refused && status == AQ_OK) fail_msg("cut at %zu", cut);
    aq_source_close(source);
  }
  for (size_t at = 0; at < size; at++) {
    static const uint8_t changes[] = {0xff, 0x01, 0x80};
    for (size_t k = 0; k < sizeof changes; k++) {
      memcpy(bytes, whole, size);
      bytes[at] ^= changes[k];
      source = NULL;
      if (aq_source_open(temp_write("bad.pt", bytes, size), NULL, &source, &err) == AQ_OK) read_everything(source);
      aq_source_close(source);
    }
  }
  free(bytes);
}

static void file_cut_off_or_changed_anywhere_does_no_harm(void **state) {
  (void)state;
  const tensor_spec tensors[] = {plain, {"t", "0", "FloatStorage", 24, 0, 2, {6, 4}, {1, 6}}};
  (void)write_tensors("m.pt", tensors, 2, 24);
  damage_does_no_harm(zip.bytes.data, zip.bytes.size, true);
  begin_legacy("\x88", legacy_tensors, 3, "ba");
  put_storage(3, 3);
  put_storage(24, 24);
  damage_does_no_harm(ops.data, ops.size, true);
}

static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  const tensor_spec tensors[] = {plain, {"t", "0", "FloatStorage", 24, 0, 2, {6, 4}, {1, 6}}};
  const char *path = write_tensors("m.pt", tensors, 2, 24);
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
    if (status == AQ_OK) status = aq_source_load(source, 1, &tensor, &err);
    if (status == AQ_OK) aq_tensor_release(&tensor);
    aq_source_close(source);
    aq_set_allocator(NULL);
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("at %ld: %s: %s", n, aq_status_name(status), err.message);
    assert_int_equal(atomic_load(&alive), 0);
  }
  assert_true(n > 20);
}

static void pickle_is_read_within_the_limit_of_memory(void **state) {
  (void)state;
  aq_source_options options;
  aq_source *source;
  aq_source_options_init(&options);
  options.max_memory = 4000;
  const char *path = write_tensors("m.pt", &plain, 1, 24);
  assert_int_equal(aq_source_open(path, &options, &source, &err), AQ_ERR_MEMORY);
  assert_non_null(strstr(err.message, "more than 4000 bytes of memory"));
}

/* ---- several files ---- */

static void shards_are_one_model(void **state) {
  (void)state;
  temp_mkdir("s");
  tensor_spec second = plain;
  second.name = "v";
  (void)write_tensors("s/pytorch_model-00001-of-00002.bin", &plain, 1, 24);
  (void)temp_write_text("s/pytorch_model.bin.index.json",
                        "{\"metadata\":{},\"weight_map\":{\"w\":\"pytorch_model-00001-of-00002.bin\","
                        "\"v\":\"pytorch_model-00002-of-00002.bin\"}}");
  open_fails(temp_path("s"), AQ_ERR_NOT_FOUND, "1 of the 2 shards that the index names are missing");
  (void)write_tensors("s/pytorch_model-00002-of-00002.bin", &second, 1, 24);
  aq_source *s = open_ok(temp_path("s"));
  assert_int_equal(aq_source_tensor_count(s), 2);
  assert_string_equal(aq_source_tensor(s, 0)->name, "w");
  assert_string_equal(aq_source_tensor(s, 1)->name, "v");
  read_everything(s);
  aq_source_close(s);
  s = open_ok(temp_path("s/pytorch_model-00001-of-00002.bin"));
  has_note(s, "is shard 1 of 2 of a model");
  aq_source_close(s);
  (void)write_tensors("s/pytorch_model-00002-of-00002.bin", &plain, 1, 24);
  open_fails(temp_path("s"), AQ_ERR_FORMAT, "the index puts it into shard 'pytorch_model-00002-of-00002.bin', which");
  (void)temp_write_text("s/pytorch_model-00002-of-00002.bin", "text");
  open_fails(temp_path("s"), AQ_ERR_FORMAT, "is neither a safetensors file");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_are_views_of_storages),
      cmocka_unit_test(ranges_of_strided_tensors_are_those_of_the_whole),
      cmocka_unit_test(large_transposed_matrix_is_read),
      cmocka_unit_test(names_are_paths_and_others_are_noted),
      cmocka_unit_test(model_without_tensors_is_one_of_none),
      cmocka_unit_test(tensors_that_reach_outside_are_refused),
      cmocka_unit_test(names_that_stand_twice_are_refused),
      cmocka_unit_test(tensors_without_a_name_are_refused),
      cmocka_unit_test(values_that_multiply_are_refused),
      cmocka_unit_test(entries_of_other_kinds_are_refused),
      cmocka_unit_test(byte_order_must_be_little),
      cmocka_unit_test(bytes_after_the_pickle_are_refused),
      cmocka_unit_test(tar_of_before_is_named),
      cmocka_unit_test(legacy_file_is_read),
      cmocka_unit_test(legacy_file_that_contradicts_itself_is_refused),
      cmocka_unit_test(file_cut_off_or_changed_anywhere_does_no_harm),
      cmocka_unit_test(memory_that_runs_out_is_told_and_nothing_leaks),
      cmocka_unit_test(pickle_is_read_within_the_limit_of_memory),
      cmocka_unit_test(shards_are_one_model),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
