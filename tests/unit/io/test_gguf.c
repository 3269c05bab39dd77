/* test_gguf.c - GGUF files that are whole, damaged, or meant to do harm. That blocks of every type have the values of
 * the package gguf is shown by tests/interop/test_gguf.py. */
#include "check.h"
#include "faulty_allocator.h"
#include "gguf_writer.h"
#include "temp_folder.h"

#include "core/bytes.h"
#include "io/gguf/gguf_split.h"
#include "io/gguf/gguf_types.h"
#include "io/source.h"

static int teardown(void **state) {
  aq_buffer_reset(&file);
  return temp_teardown(state);
}

/* ---- reading ---- */

static aq_source *open_ok(const char *path) {
  aq_source *source = NULL;
  if (aq_source_open(path, NULL, &source, &err) != AQ_OK) fail_msg("%s: %s", err.tensor, err.message);
  return source;
}

static void open_fails(const char *path, aq_status status, const char *words, const char *hint) {
  aq_source *source = (aq_source *)&err;
  const aq_status got = aq_source_open(path, NULL, &source, &err);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  if (strstr(err.hint, hint) == NULL) fail_msg("'%s' is not in the hint '%s'", hint, err.hint);
  assert_int_equal(got, status);
  assert_null(source);
  assert_true(err.file[0] != '\0');
  assert_int_equal(aq_source_open(path, NULL, &source, NULL), status);
}

static void file_fails(aq_status status, const char *words, const char *hint) {
  open_fails(write_file("bad.gguf"), status, words, hint);
}

static const char *value_of(const aq_source *source, const char *key) {
  for (size_t i = 0; i < aq_source_metadata_count(source); i++) {
    if (strcmp(aq_source_metadata_key(source, i), key) == 0) return aq_source_metadata_value(source, i);
  }
  return NULL;
}

/* ---- whole files ---- */

static void put_model(void) {
  begin_file(3, 3, 2);
  put_text("general.architecture", "llama");
  put_key("k", ARRAY);
  put_u32(UINT8);
  put_u64(3);
  put_bytes("\1\2\3", 3);
  put_tensor("plain", 2, 3, F32, 96); /* after the blocks */
  put_tensor("blocks", 2, 32, Q4_0, 0);
  put_tensor("bytes", 5, 0, I8, 64);
  align_file(32);
  put_bytes("\0\x3c", 2); /* 1.0 */
  for (int i = 0; i < 16; i++) put_bytes("\x80", 1);
  put_bytes("\0\xc0", 2); /* -2.0 */
  for (int i = 0; i < 16; i++) put_bytes("\xf1", 1);
  align_file(32);
  put_noise(5);
  align_file(32);
  for (int i = 0; i < 6; i++) put_u32(aq_f32_bits((float)i));
}

static void file_has_its_tensors_in_the_order_of_their_bytes(void **state) {
  (void)state;
  put_model();
  aq_source *s = open_ok(write_file("m.gguf"));
  static const char *const names[] = {"blocks", "bytes", "plain"};
  assert_int_equal(aq_source_tensor_count(s), 3);
  for (size_t i = 0; i < 3; i++) assert_string_equal(aq_source_tensor(s, i)->name, names[i]);
  const aq_tensor_info *blocks = aq_source_tensor(s, 0), *plain = aq_source_tensor(s, 2);
  assert_int_equal(blocks->dtype, AQ_F32);
  assert_int_equal(blocks->quant_type, AQ_KEPT);
  assert_true(blocks->rank == 2 && blocks->shape[0] == 2 && blocks->shape[1] == 32);
  assert_int_equal(blocks->data_bytes, 256);
  assert_int_equal(blocks->stored_bytes, 36);
  assert_true(plain->rank == 2 && plain->shape[0] == 2 && plain->shape[1] == 3);
  assert_string_equal(aq_source_format(s), "GGUF");
  assert_int_equal(aq_source_file_bytes(s), file.size);
  assert_string_equal(value_of(s, "general.architecture"), "llama");
  assert_null(value_of(s, "k"));
  assert_string_equal(value_of(s, "arrowquant.file.gguf.json"),
                      "{\"general.architecture\":{\"type\":\"string\",\"value\":\"llama\"},"
                      "\"k\":{\"type\":\"array\",\"of\":\"uint8\",\"value\":[1,2,3]}}");
  assert_non_null(strstr(aq_source_note(s, 0), "1 tensor is quantized already (Q4_0 1)"));
  float values[64];
  assert_ok(aq_source_read_f32(s, 0, 0, 64, values, &err));
  for (size_t i = 0; i < 64; i++) {
    const float expected[4] = {-8, 0, 14, -14}; /* 0x80 are 0 and 8, 0xf1 are 1 and 15 */
    assert_true(values[i] == expected[i / 16]);
  }
  aq_tensor t;
  assert_ok(aq_source_load(s, 2, &t, &err));
  assert_true(t.is_view && ((const float *)t.data)[5] == 5);
  aq_tensor_release(&t);
  assert_ok(aq_source_load(s, 0, &t, &err));
  assert_false(t.is_view);
  assert_memory_equal(t.data, values, sizeof values);
  aq_tensor_release(&t);
  aq_source_close(s);
}

static void ranges_of_blocks_are_those_of_the_whole(void **state) {
  (void)state;
  static const struct { uint32_t type, columns; } cases[] = {{Q4_0, 96}, {Q4_1, 64}, {Q6_K, 512}, {IQ1_S, 256}};
  enum { ROWS = 90 };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const aq_gguf_type *type = aq_gguf_type_at(cases[c].type);
    const size_t count = (size_t)ROWS * cases[c].columns;
    begin_file(2, 1, 0);
    put_tensor("w", ROWS, cases[c].columns, cases[c].type, 0);
    align_file(32);
    put_noise(count / type->values * type->bytes);
    aq_source *s = open_ok(write_file("m.gguf"));
    float *all = malloc(count * sizeof *all), *some = malloc(count * sizeof *some);
    assert_true(all != NULL && some != NULL);
    /* More than one chunk of blocks, which are decoded in one go and by the table of types. */
    aq_gguf_decode(type, file.data + file.size - count / type->values * type->bytes, count / type->values, all);
    for (size_t first = 0; first < count; first = first * 2 + 1) {
      for (size_t n = 1; n <= count - first; n = n * 3 + 5) {
        assert_ok(aq_source_read_f32(s, 0, first, n, some, &err));
        assert_memory_equal(some, all + first, n * sizeof *all);
        uint8_t *bytes = (uint8_t *)some + 1; /* at no multiple of 4, in memory or in the tensor */
        assert_ok(aq_source_read_bytes(s, 0, first * sizeof *all + 2, n * sizeof *all - 2, bytes, &err));
        assert_memory_equal(bytes, (const uint8_t *)(all + first) + 2, n * sizeof *all - 2);
      }
    }
    assert_int_equal(aq_source_read_f32(s, 0, count, 1, some, &err), AQ_ERR_ARGUMENT);
    free(all);
    free(some);
    aq_source_close(s);
  }
}

/* Of the type that the package gguf does not decode: FP32 scale, 256 codes, sums. */
static void q8_k_is_its_scale_times_its_codes(void **state) {
  (void)state;
  uint8_t block[292] = {0};
  float values[256];
  aq_store_f32(block, 0.1F);
  for (int i = 0; i < 256; i++) block[4 + i] = (uint8_t)i;
  aq_gguf_decode(aq_gguf_type_at(Q8_K), block, 1, values);
  for (int i = 0; i < 256; i++) assert_true(values[i] == 0.1F * (float)(int8_t)i);
}

/* Any bytes are blocks. A NaN is the same on every machine, whatever scale it comes from. */
static void blocks_of_any_bytes_have_one_nan(void **state) {
  (void)state;
  uint8_t blocks[2 * 292];
  float values[2 * AQ_GGUF_BLOCK_VALUES];
  size_t decoded = 0, nans = 0;
  for (uint32_t number = 0; number < aq_gguf_type_count(); number++) {
    const aq_gguf_type *type = aq_gguf_type_at(number);
    if (type->decode == NULL) continue;
    assert_true(type->bytes <= 292 && type->values <= AQ_GGUF_BLOCK_VALUES);
    decoded++;
    for (int byte = 0; byte < 256; byte++) {
      memset(blocks, byte, sizeof blocks);
      aq_gguf_decode(type, blocks, 2, values);
      assert_memory_equal(values, values + type->values, type->values * sizeof *values);
      for (size_t i = 0; i < type->values; i++) {
        const bool is_nan = values[i] != values[i];
        nans += is_nan;
        if (is_nan) assert_int_equal(aq_f32_bits(values[i]), 0x7fc00000);
      }
    }
  }
  assert_int_equal(decoded, 24);
  assert_true(nans > 0);
}

static void file_without_tensors_is_a_model_of_none(void **state) {
  (void)state;
  begin_file(3, 0, 1);
  put_text("general.architecture", "");
  aq_source *s = open_ok(write_file("m.gguf"));
  assert_int_equal(aq_source_tensor_count(s), 0);
  assert_string_equal(value_of(s, "general.architecture"), "");
  aq_source_close(s);
}

static void shapes_may_be_empty_or_of_no_dimension(void **state) {
  (void)state;
  begin_file(3, 3, 0);
  put_tensor("none", 4, 0, F32, 0);
  file.size -= 20; /* the size, the type, the offset */
  put_u64(0);
  put_u32(F32);
  put_u64(0);
  put_string("scalar");
  put_u32(0);
  put_u32(F32);
  put_u64(0);
  put_tensor("rows", 0, 32, Q4_0, 32);
  align_file(32);
  put_noise(32);
  aq_source *s = open_ok(write_file("m.gguf"));
  float value;
  const size_t scalar = (size_t)aq_source_find(s, "scalar");
  assert_int_equal(aq_source_tensor(s, scalar)->rank, 0);
  assert_ok(aq_source_read_f32(s, scalar, 0, 1, &value, &err));
  assert_int_equal(aq_source_tensor(s, (size_t)aq_source_find(s, "rows"))->num_params, 0);
  aq_source_close(s);
}

/* ---- damage ---- */

static void head_that_is_not_of_a_known_version_is_named(void **state) {
  (void)state;
  put_model();
  memcpy(file.data + 4, "\0\0\0\3", 4);
  file_fails(AQ_ERR_UNSUPPORTED, "big-endian", "gguf-convert-endian");
  memcpy(file.data + 4, "\1\0\0\0", 4);
  file_fails(AQ_ERR_UNSUPPORTED, "version 1", "llama.cpp");
  memcpy(file.data + 4, "\4\0\0\0", 4);
  file_fails(AQ_ERR_UNSUPPORTED, "version 4", "again");
  memcpy(file.data + 4, "\0\0\0\0", 4);
  file_fails(AQ_ERR_FORMAT, "version 0", "again");
}

/* Every place where a file can end. */
static void file_cut_off_anywhere_is_refused(void **state) {
  (void)state;
  put_model();
  const size_t whole = file.size;
  for (size_t size = 4; size < whole; size++) {
    file.size = size;
    aq_source *source = NULL;
    assert_int_equal(aq_source_open(write_file("cut.gguf"), NULL, &source, &err), AQ_ERR_CORRUPT);
    assert_true(strstr(err.message, "end") != NULL && strstr(err.hint, "again") != NULL);
    assert_null(source);
  }
}

/* A file with one byte changed opens and can be read, or is refused; the sanitizers watch. */
static void file_with_any_byte_changed_does_no_harm(void **state) {
  (void)state;
  static const uint8_t changes[] = {0x01, 0x80, 0xff};
  put_model();
  size_t refused = 0;
  for (size_t i = 4; i < file.size; i++) {
    for (size_t k = 0; k < sizeof changes; k++) {
      file.data[i] ^= changes[k];
      aq_source *source = NULL;
      if (aq_source_open(write_file("flip.gguf"), NULL, &source, &err) == AQ_OK) {
        for (size_t t = 0; t < aq_source_tensor_count(source); t++) {
          float values[64];
          const uint64_t count = AQ_MIN(aq_source_tensor(source, t)->num_params, (uint64_t)64);
          assert_ok(aq_source_read_f32(source, t, 0, count, values, &err));
        }
      } else {
        refused++;
        assert_true(err.message[0] != '\0');
      }
      aq_source_close(source);
      file.data[i] ^= changes[k];
    }
  }
  assert_true(refused > 200);
}

static void counts_that_a_file_cannot_hold_are_refused_at_once(void **state) {
  (void)state;
  static const uint64_t counts[] = {1, 100, (uint64_t)1 << 32, (uint64_t)1 << 60, UINT64_MAX};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    begin_file(3, counts[i], 0);
    file_fails(AQ_ERR_CORRUPT, "ends inside its header", "cut off");
    begin_file(3, 0, counts[i]);
    file_fails(AQ_ERR_CORRUPT, "ends inside its header", "cut off");
    begin_file(3, 0, 1);
    put_u64(counts[i]); /* the length of a key */
    file_fails(AQ_ERR_CORRUPT, "ends inside its header", "cut off");
    begin_file(3, 0, 1);
    put_key("a", STRING);
    put_u64(counts[i]);
    file_fails(AQ_ERR_CORRUPT, "metadata key 'a': the file ends inside its header", "cut off");
    begin_file(3, 0, 1);
    put_key("a", ARRAY);
    put_u32(STRING);
    put_u64(counts[i]);
    file_fails(AQ_ERR_CORRUPT, "metadata key 'a': the file ends inside its header", "cut off");
  }
}

static void put_zeros(size_t size) {
  assert_ok(aq_buffer_reserve(&file, size, &err));
  memset(file.data + file.size, 0, size);
  file.size += size;
}

/* A file could hold so many, and memory would take several times its bytes. */
static void counts_that_no_model_has_are_refused(void **state) {
  (void)state;
  begin_file(3, 0, 65537);
  put_zeros((size_t)1 << 20);
  file_fails(AQ_ERR_UNSUPPORTED, "has 65537 pairs of metadata; at most 65536 are read", "");
  begin_file(3, 1048577, 0);
  put_zeros((size_t)27 << 20);
  file_fails(AQ_ERR_UNSUPPORTED, "has 1048577 tensors; at most 1048576 are read", "");
}

static void metadata_that_are_wrong_are_named(void **state) {
  (void)state;
  begin_file(3, 0, 2);
  put_text("a", "x");
  put_text("a", "y");
  file_fails(AQ_ERR_FORMAT, "metadata key 'a' is there twice", "");
  begin_file(3, 0, 1);
  put_text("", "xxxxxxxx");
  file_fails(AQ_ERR_FORMAT, "key of the metadata is empty", "");
  begin_file(3, 0, 1);
  put_text("\xff", "xxxxxxxx");
  file_fails(AQ_ERR_FORMAT, "is not UTF-8", "");
  begin_file(3, 0, 1);
  put_u64(70000);
  put_noise(80000);
  file_fails(AQ_ERR_FORMAT, "a key of the metadata has 70000 bytes", "");
  begin_file(3, 0, 1);
  put_key("a", 13);
  put_noise(8);
  file_fails(AQ_ERR_FORMAT, "metadata key 'a': type 13 is none that GGUF has", "");
  begin_file(3, 0, 1);
  put_key("a", BOOL);
  put_bytes("\2xxxxxxxx", 9);
  file_fails(AQ_ERR_FORMAT, "a boolean is 2", "");
  begin_file(3, 0, 1);
  put_key("a", ARRAY);
  put_u32(ARRAY);
  put_u64(0);
  put_noise(8);
  file_fails(AQ_ERR_UNSUPPORTED, "metadata key 'a': it is an array of arrays", "");
}

static void alignment_is_a_power_of_two(void **state) {
  (void)state;
  static const uint32_t wrong[] = {0, 3, 33, UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    begin_file(3, 0, 1);
    put_key("general.alignment", UINT32);
    put_u32(wrong[i]);
    file_fails(AQ_ERR_FORMAT, "metadata key 'general.alignment': it is uint32", "");
  }
  begin_file(3, 0, 1);
  put_key("general.alignment", UINT64);
  put_u64(32);
  file_fails(AQ_ERR_FORMAT, "it is uint64 32 and must be a power of two of type uint32", "");
  begin_file(3, 1, 1); /* the data begin past the end */
  put_key("general.alignment", UINT32);
  put_u32((uint32_t)1 << 31);
  put_tensor("w", 1, 0, F32, 0);
  put_noise(64);
  file_fails(AQ_ERR_CORRUPT, "end at byte 2147483652 of the file", "cut off");
}

/* A file of one tensor, with 64 bytes of data. */
static void put_one(const char *name, uint64_t rows, uint64_t columns, uint32_t type, uint64_t offset) {
  begin_file(3, 1, 0);
  put_tensor(name, rows, columns, type, offset);
  align_file(32);
  put_noise(64);
}

static void tensors_that_cannot_be_are_named(void **state) {
  (void)state;
  put_one("w", 1, 33, Q4_0, 0);
  file_fails(AQ_ERR_FORMAT, "rows of shape [1, 33] are no whole blocks of Q4_0, 32 values each", "");
  assert_string_equal(err.tensor, "w");
  put_one("w", 1, 1, F32, 16);
  file_fails(AQ_ERR_FORMAT, "offset 16 is no multiple of the alignment, 32", "");
  put_one("w", 1, 1, F32, 64);
  file_fails(AQ_ERR_CORRUPT, "its data end at byte", "cut off");
  put_one("w", 1, 1, F32, UINT64_MAX - 31);
  file_fails(AQ_ERR_CORRUPT, "its data end at byte", "cut off");
  put_one("w", (uint64_t)1 << 40, (uint64_t)1 << 40, F32, 0);
  file_fails(AQ_ERR_FORMAT, "more elements than can be counted", "");
  put_one("w", (uint64_t)1 << 31, (uint64_t)1 << 30, F32, 0);
  file_fails(AQ_ERR_FORMAT, "more bytes than can be counted", "");
  put_one("w", UINT64_MAX, 1, F32, 0);
  file_fails(AQ_ERR_FORMAT, "dimension 0 has 2^63 elements or more", "");
  put_one("", 1, 1, F32, 0);
  file_fails(AQ_ERR_FORMAT, "name of a tensor is empty", "");
  put_one("w[0:5]", 1, 1, F32, 0);
  file_fails(AQ_ERR_UNSUPPORTED, "part of a larger tensor", "Rename");
  put_one("w", 1, 1, Q8_1, 0);
  file_fails(AQ_ERR_UNSUPPORTED, "is stored as type 9 (Q8_1), which is not read", "safetensors");
  put_one("w", 1, 1, 1000, 0);
  file_fails(AQ_ERR_UNSUPPORTED, "is stored as type 1000, which is not read", "safetensors");
  begin_file(3, 1, 0);
  put_string("w");
  put_u32(5);
  put_noise(100);
  file_fails(AQ_ERR_FORMAT, "has 5 dimensions; GGUF has at most 4", "");
}

static void tensors_that_share_names_or_bytes_are_refused(void **state) {
  (void)state;
  begin_file(3, 2, 0);
  put_tensor("w", 8, 0, F32, 0);
  put_tensor("w", 8, 0, F32, 32);
  align_file(32);
  put_noise(64);
  file_fails(AQ_ERR_FORMAT, "two tensors have this name", "");
  begin_file(3, 2, 0);
  put_tensor("b", 8, 0, F32, 32);
  put_tensor("a", 9, 0, F32, 0);
  align_file(32);
  put_noise(64);
  file_fails(AQ_ERR_FORMAT, "overlap those of 'a'", "damaged");
  assert_string_equal(err.tensor, "b");
  begin_file(3, 2, 0);
  put_tensor("a", 8, 0, F32, 0);
  put_tensor("b", 8, 0, F32, 0);
  align_file(32);
  put_noise(64);
  file_fails(AQ_ERR_FORMAT, "overlap those of 'a'", "damaged");
}

static void header_is_read_within_the_limit_of_memory(void **state) {
  (void)state;
  aq_source_options options;
  aq_source *source;
  aq_source_options_init(&options);
  options.max_memory = 4000;
  begin_file(3, 0, 1);
  put_key("a", STRING);
  put_u64(100000);
  put_noise(100000);
  const char *path = write_file("m.gguf");
  assert_int_equal(aq_source_open(path, &options, &source, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "header has more than 4000 bytes"));
  options.max_memory = 1000000;
  assert_ok(aq_source_open(path, &options, &source, &err));
  aq_source_close(source);
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  begin_file(3, 1, 2);
  put_text("bad", "\xff\x01");
  put_key("many", ARRAY);
  put_u32(STRING);
  put_u64(100);
  for (int i = 0; i < 100; i++) put_string("a string of the metadata");
  put_tensor("w", 1, 32, Q4_0, 0);
  align_file(32);
  put_noise(18);
  const char *path = write_file("m.gguf");
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

/* ---- parts ---- */

static void put_part(uint16_t number, uint16_t total, const char *tensor) {
  begin_file(3, 1, 2);
  put_count("split.no", number);
  put_count("split.count", total);
  put_tensor(tensor, 8, 0, F32, 0);
  align_file(32);
  put_noise(32);
}

static void parts_are_one_model(void **state) {
  (void)state;
  temp_mkdir("p");
  put_part(0, 2, "a");
  const char *first = write_file("p/m-00001-of-00002.gguf");
  open_fails(first, AQ_ERR_NOT_FOUND, "1 of the 2 parts of the model are missing: m-00002-of-00002.gguf", "Download");
  put_part(1, 2, "b");
  (void)write_file("p/m-00002-of-00002.gguf");
  aq_source *s = open_ok(first);
  assert_int_equal(aq_source_tensor_count(s), 2);
  assert_true(aq_source_reads_file(s, temp_path("p/m-00002-of-00002.gguf")));
  float values[16];
  assert_ok(aq_source_read_f32(s, 1, 0, 8, values, &err));
  aq_source_close(s);
  s = open_ok(temp_path("p"));
  assert_int_equal(aq_source_tensor_count(s), 2);
  aq_source_close(s);
  put_part(1, 3, "b");
  (void)write_file("p/m-00002-of-00002.gguf");
  open_fails(first, AQ_ERR_FORMAT, "name is that of part 2 of 2, its metadata those of part 2 of 3", "again");
  put_part(0, 2, "b");
  (void)write_file("p/m-00002-of-00002.gguf");
  open_fails(first, AQ_ERR_FORMAT, "name is that of part 2 of 2, its metadata those of part 1 of 2", "again");
  put_part(1, 2, "a");
  (void)write_file("p/m-00002-of-00002.gguf");
  open_fails(first, AQ_ERR_FORMAT, "two tensors have this name", "");
}

static void part_under_another_name_is_refused(void **state) {
  (void)state;
  put_part(1, 3, "a");
  open_fails(write_file("m.gguf"), AQ_ERR_NOT_FOUND, "is part 2 of 3 of a model", "NAME-00002-of-00003.gguf");
}

static void parts_that_miss_tensors_are_refused(void **state) {
  (void)state;
  begin_file(3, 1, 1);
  put_count("split.tensors.count", 2);
  put_tensor("a", 8, 0, F32, 0);
  align_file(32);
  put_noise(32);
  file_fails(AQ_ERR_FORMAT, "the parts hold 1 tensors, split.tensors.count is 2", "again");
}

static void names_of_parts(void **state) {
  (void)state;
  aq_gguf_part part;
  assert_true(aq_gguf_part_parse("a-00002-of-00010.gguf", &part));
  assert_true(part.base_length == 1 && part.number == 2 && part.total == 10);
  static const char *const others[] = {"-00001-of-00002.gguf",
                                       "a-00000-of-00002.gguf",
                                       "a-00003-of-00002.gguf",
                                       "a-0001-of-00002.gguf",
                                       "a_00001-of-00002.gguf",
                                       "a-00001-of-00002.bin",
                                       "a-00001-of-0000x.gguf",
                                       "a.gguf",
                                       ""};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_false(aq_gguf_part_parse(others[i], &part));
  static const char *const same[] = {"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"};
  static const char *const mixed[] = {"a-00001-of-00002.gguf", "b-00002-of-00002.gguf"};
  assert_true(aq_gguf_parts_of_one(same, 2));
  assert_false(aq_gguf_parts_of_one(mixed, 2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(file_has_its_tensors_in_the_order_of_their_bytes),
      cmocka_unit_test(ranges_of_blocks_are_those_of_the_whole),
      cmocka_unit_test(q8_k_is_its_scale_times_its_codes),
      cmocka_unit_test(blocks_of_any_bytes_have_one_nan),
      cmocka_unit_test(file_without_tensors_is_a_model_of_none),
      cmocka_unit_test(shapes_may_be_empty_or_of_no_dimension),
      cmocka_unit_test(head_that_is_not_of_a_known_version_is_named),
      cmocka_unit_test(file_cut_off_anywhere_is_refused),
      cmocka_unit_test(file_with_any_byte_changed_does_no_harm),
      cmocka_unit_test(counts_that_a_file_cannot_hold_are_refused_at_once),
      cmocka_unit_test(counts_that_no_model_has_are_refused),
      cmocka_unit_test(metadata_that_are_wrong_are_named),
      cmocka_unit_test(alignment_is_a_power_of_two),
      cmocka_unit_test(tensors_that_cannot_be_are_named),
      cmocka_unit_test(tensors_that_share_names_or_bytes_are_refused),
      cmocka_unit_test(header_is_read_within_the_limit_of_memory),
      cmocka_unit_test(memory_that_runs_out_is_told_and_nothing_leaks),
      cmocka_unit_test(parts_are_one_model),
      cmocka_unit_test(part_under_another_name_is_refused),
      cmocka_unit_test(parts_that_miss_tensors_are_refused),
      cmocka_unit_test(names_of_parts),
  };
  return cmocka_run_group_tests(tests, temp_setup, teardown);
}
