/* test_safetensors.c - reading and writing safetensors files and sharded models. */
#include "check.h"
#include "temp_folder.h"

#include "io/safetensors/safetensors_writer.h"
#include "io/source.h"

static aq_error err;

static aq_source *open_ok(const char *path) {
  aq_source *source = NULL;
  const aq_status status = aq_source_open(path, NULL, &source, &err);
  if (status != AQ_OK) print_error("%s: %s\n", err.tensor, err.message);
  assert_int_equal(status, AQ_OK);
  return source;
}

/* Opening fails with this status, these words, and this tensor (NULL: any). */
static void open_fails(const char *path, aq_status status, const char *words, const char *tensor) {
  aq_source *source = (aq_source *)&err;
  assert_int_equal(aq_source_open(path, NULL, &source, &err), status);
  assert_null(source);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  if (tensor != NULL) assert_string_equal(err.tensor, tensor);
  assert_true(err.file[0] != '\0');
  /* The error is optional. */
  assert_int_equal(aq_source_open(path, NULL, &source, NULL), status);
}

static void header_fails(const char *header, size_t data_size, aq_status status, const char *words,
                         const char *tensor) {
  open_fails(temp_write_safetensors("bad.safetensors", header, NULL, data_size), status, words, tensor);
}

static void file_several_tensors_come_in_order_of_bytes(void **state) {
  (void)state;
  aq_source *s = open_ok(temp_write_safetensors("a.safetensors",
                                                "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\"},"
                                                "\"late\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[8,14]},"
                                                "\"e1\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[8,8]},"
                                                "\"e2\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]},"
                                                "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                                                "\"two\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[4,8],"
                                                "\"extra\":1}}   ",
                                                NULL, 14));
  static const char *const names[] = {"scalar", "two", "e1", "e2", "late"};
  assert_int_equal(aq_source_tensor_count(s), 5);
  for (size_t i = 0; i < 5; i++) {
    assert_string_equal(aq_source_tensor(s, i)->name, names[i]);
    assert_int_equal(aq_source_find(s, names[i]), i);
  }
  assert_int_equal(aq_source_find(s, "none"), -1);
  assert_null(aq_source_tensor(s, 5));
  const aq_tensor_info *late = aq_source_tensor(s, 4);
  assert_int_equal(late->dtype, AQ_U8);
  assert_int_equal(late->rank, 2);
  assert_int_equal(late->shape[1], 3);
  assert_int_equal(late->num_params, 6);
  assert_int_equal(late->data_bytes, 6);
  assert_int_equal(late->stored_bytes, 6);
  assert_int_equal(late->quant_axis, -1);
  assert_int_equal(late->alias_of, -1);
  assert_int_equal(aq_source_tensor(s, 0)->num_params, 1);
  assert_int_equal(aq_source_tensor(s, 2)->num_params, 0);
  assert_string_equal(aq_source_format(s), "safetensors");
  assert_int_equal(aq_source_schema_version(s), 0);
  assert_int_equal(aq_source_metadata_count(s), 2);
  assert_string_equal(aq_source_metadata_key(s, 1), "k");
  assert_string_equal(aq_source_metadata_value(s, 1), "v");
  assert_null(aq_source_metadata_key(s, 2));
  float values[6];
  assert_int_equal(aq_source_read_f32(s, 4, 1, 3, values, &err), AQ_OK);
  assert_true(values[0] == 9 && values[1] == 10 && values[2] == 11);
  assert_int_equal(aq_source_read_f32(s, 2, 0, 0, values, &err), AQ_OK);
  aq_tensor t;
  assert_int_equal(aq_source_load(s, 4, &t, &err), AQ_OK);
  assert_true(t.is_view);
  assert_int_equal(t.data_bytes, 6);
  assert_int_equal(((const uint8_t *)t.data)[5], 13);
  assert_null(t.scales);
  aq_tensor_release(&t);
  assert_int_equal(aq_source_load(s, 2, &t, &err), AQ_OK);
  assert_int_equal(t.data_bytes, 0);
  aq_tensor_release(&t);
  aq_source_close(s);
}

static void file_without_tensors_opens(void **state) {
  (void)state;
  aq_source *s = open_ok(temp_write_safetensors("none.safetensors", "{}", NULL, 0));
  assert_int_equal(aq_source_tensor_count(s), 0);
  aq_source_close(s);
}

static void header_overlap_names_both(void **state) {
  (void)state;
  header_fails(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
      6, AQ_ERR_FORMAT, "its bytes [2, 6) overlap those of 'a', [0, 4)", "b");
  header_fails(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
      4, AQ_ERR_FORMAT, "overlap those of 'a'", "b");
}

static void header_hole_or_tail_is_refused(void **state) {
  (void)state;
  header_fails(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[5,7]}}",
      7, AQ_ERR_FORMAT, "bytes [4, 5) before it belong to no tensor", "b");
  header_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 9, AQ_ERR_FORMAT,
               "5 bytes after the last tensor", NULL);
}

static void header_wrong_length_is_refused(void **state) {
  (void)state;
  header_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, AQ_ERR_FORMAT,
               "give 4 bytes, shape [4] of F32 takes 16", "a");
  header_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, AQ_ERR_FORMAT,
               "more elements than can be counted", "a");
  header_fails("{\"a\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, AQ_ERR_FORMAT,
               "give 0 bytes", "a");
  header_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,0]}}", 4, AQ_ERR_FORMAT, "not a range", "a");
  header_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 3, AQ_ERR_CORRUPT,
               "end at byte 4 of the data section, which has 3", "a");
}

static void header_malformed_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *header, *words;
    aq_status status;
  } cases[] = {
      {"{\"a\":{\"dtype\":\"I4\",\"shape\":[4],\"data_offsets\":[0,4]}}", "dtype 'I4' is none that safetensors has",
       AQ_ERR_UNSUPPORTED},
      {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,4]}}", "shape [4] of F4 takes 2", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"F4\",\"shape\":[7],\"data_offsets\":[0,4]}}",
       "4 bits per element, does not fill whole bytes", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"F6_E3M2\",\"shape\":[5],\"data_offsets\":[0,4]}}", "6 bits per element, does not fill",
       AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,4]}}", "shape [1] of C64 takes 8", AQ_ERR_FORMAT},
      {"{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", "no dtype", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", "no shape", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", "two integers", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4,5]}}", "two integers", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4.0]}}", "two integers", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]}}", "dimension 0", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4.0],\"data_offsets\":[0,4]}}", "dimension 0", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,4]}}",
       "17 dimensions", AQ_ERR_UNSUPPORTED},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551617],\"data_offsets\":[0,4]}}", "too big", AQ_ERR_FORMAT},
      {"{\"a\":3}", "does not describe it by an object", AQ_ERR_FORMAT},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],"
       "\"data_offsets\":[0,4]}}",
       "duplicate object key", AQ_ERR_FORMAT},
      {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "\\u0000", AQ_ERR_FORMAT},
      {"{\"a\xff\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "unable to decode byte", AQ_ERR_FORMAT},
      {"{\"w[0:4]\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "part of a larger tensor",
       AQ_ERR_UNSUPPORTED},
      {"{\"__metadata__\":{\"a\":1}}", "'a' is not a string", AQ_ERR_FORMAT},
      {"{\"__metadata__\":[]}", "not an object", AQ_ERR_FORMAT},
      {"{\"a\":", "JSON", AQ_ERR_FORMAT},
      {"{} x", "JSON", AQ_ERR_FORMAT},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    header_fails(cases[i].header, 4, cases[i].status, cases[i].words, NULL);
}

static void file_cut_off_says_so(void **state) {
  (void)state;
  uint8_t bytes[64] = {200, 0, 0, 0, 0, 0, 0, 0, '{'};
  open_fails(temp_write("cut.safetensors", bytes, sizeof bytes), AQ_ERR_CORRUPT, "header says that it has 200 bytes",
             NULL);
  bytes[6] = 1;
  open_fails(temp_write("huge.safetensors", bytes, sizeof bytes), AQ_ERR_FORMAT, "the limit is 100000000", NULL);
}

static void file_memory_limit_is_kept(void **state) {
  (void)state;
  const char *path = temp_write_safetensors("m.safetensors",
                                            "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", NULL, 4);
  aq_source_options options;
  aq_source_options_init(&options);
  options.max_memory = 16;
  aq_source *s = NULL;
  assert_int_equal(aq_source_open(path, &options, &s, &err), AQ_ERR_MEMORY);
}

static const char shard_a[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
static const char shard_b[] = "{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}";
static const char index_ok[] =
    "{\"metadata\":{\"total_size\":6},\"weight_map\":{\"b\":\"m-2.safetensors\",\"a\":\"m-1.safetensors\"}}";

static void shards_complete_opens_all(void **state) {
  (void)state;
  temp_mkdir("sharded");
  (void)temp_write_safetensors("sharded/m-1.safetensors", shard_a, NULL, 4);
  (void)temp_write_safetensors("sharded/m-2.safetensors", shard_b, "\x05\x06", 2);
  const char *index = temp_write_text("sharded/model.safetensors.index.json", index_ok);
  for (int i = 0; i < 2; i++) {
    aq_source *s = open_ok(i == 0 ? index : temp_path("sharded"));
    assert_int_equal(aq_source_tensor_count(s), 2);
    assert_string_equal(aq_source_tensor(s, 0)->name, "a");
    float values[2];
    assert_int_equal(aq_source_read_f32(s, 1, 0, 2, values, &err), AQ_OK);
    assert_true(values[0] == 5 && values[1] == 6);
    aq_tensor t;
    assert_int_equal(aq_source_load(s, 1, &t, &err), AQ_OK);
    assert_int_equal(((const uint8_t *)t.data)[1], 6);
    aq_tensor_release(&t);
    aq_source_close(s);
  }
}

static void index_fails(const char *text, aq_status status, const char *words, const char *tensor) {
  (void)temp_write_safetensors("m-1.safetensors", shard_a, NULL, 4);
  (void)temp_write_safetensors("m-2.safetensors", shard_b, NULL, 2);
  open_fails(temp_write_text("model.safetensors.index.json", text), status, words, tensor);
}

static void shards_disagreeing_with_index_are_refused(void **state) {
  (void)state;
  index_fails("{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-7.safetensors\",\"c\":\"m-8.safetensors\"}}",
              AQ_ERR_NOT_FOUND, "2 of the 3 shards that the index names are missing: m-7.safetensors, m-8.safetensors",
              NULL);
  index_fails("{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\",\"c\":\"m-2.safetensors\"}}",
              AQ_ERR_FORMAT, "the index puts it into shard 'm-2.safetensors', which does not have it", "c");
  index_fails("{\"weight_map\":{\"c\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}", AQ_ERR_FORMAT,
              "is in shard 'm-1.safetensors', but the index does not name it", "a");
  index_fails("{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\"}}",
              AQ_ERR_FORMAT,
              "the index puts it into shard 'm-1.safetensors', which does not have it; 'm-2.safetensors' has", "b");
  (void)temp_write_safetensors("m-3.safetensors",
                               "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                               "\"c\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                               NULL, 8);
  index_fails("{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\",\"c\":\"m-3.safetensors\"}}",
              AQ_ERR_FORMAT, "is in shard 'm-3.safetensors' as well as in 'm-1.safetensors', where the index puts it",
              "a");
}

static void index_hostile_is_refused(void **state) {
  (void)state;
  index_fails("{\"weight_map\":{\"a\":\"../m-1.safetensors\"}}", AQ_ERR_FORMAT, "not the name of a file beside it",
              "a");
  index_fails("{\"weight_map\":{\"a\":\"/etc/passwd\"}}", AQ_ERR_FORMAT, "not the name of a file beside it", "a");
  index_fails("{\"weight_map\":{\"a\":\"..\"}}", AQ_ERR_FORMAT, "not the name of a file beside it", "a");
  index_fails("{\"weight_map\":{\"a\":\"\"}}", AQ_ERR_FORMAT, "not the name of a file beside it", "a");
  index_fails("{\"weight_map\":{\"a\":1}}", AQ_ERR_FORMAT, "as a string", "a");
  index_fails("{\"weight_map\":{}}", AQ_ERR_FORMAT, "names no tensor", NULL);
  index_fails("{\"weights\":{}}", AQ_ERR_FORMAT, "without a weight_map", NULL);
  index_fails("{\"metadata\":{\"total_size\":-1},\"weight_map\":{\"a\":\"m-1.safetensors\"}}", AQ_ERR_FORMAT,
              "negative", NULL);
  index_fails("{\"weight_map\":", AQ_ERR_FORMAT, "JSON", NULL);
}

static void shard_that_is_a_pointer_says_so(void **state) {
  (void)state;
  (void)temp_write_text("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n");
  open_fails(temp_write_text("x.safetensors.index.json", "{\"weight_map\":{\"a\":\"lfs.safetensors\"}}"), AQ_ERR_FORMAT,
             "Git LFS pointer", NULL);
}

/* Every dtype that safetensors 0.8 has: its bytes are read, and its values where they are numbers. */
static void every_dtype_of_the_format_opens(void **state) {
  (void)state;
  static const struct {
    const char *name;
    unsigned bits;
    bool opaque;
  } dtypes[] = {{"BOOL", 8, false},       {"U8", 8, false},        {"I8", 8, false},     {"F8_E5M2", 8, false},
                {"F8_E4M3", 8, false},    {"I16", 16, false},      {"U16", 16, false},   {"F16", 16, false},
                {"BF16", 16, false},      {"I32", 32, false},      {"U32", 32, false},   {"F32", 32, false},
                {"F64", 64, false},       {"I64", 64, false},      {"U64", 64, false},   {"F4", 4, true},
                {"F6_E2M3", 6, true},     {"F6_E3M2", 6, true},    {"F8_E8M0", 8, true}, {"C64", 64, true},
                {"F8_E4M3FNUZ", 8, true}, {"F8_E5M2FNUZ", 8, true}};
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    char header[160];
    const unsigned bytes = 8 * dtypes[i].bits / 8; /* of 8 values */
    (void)snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[0,%u]}}",
                   dtypes[i].name, bytes);
    aq_source *s = open_ok(temp_write_safetensors("one.safetensors", header, NULL, bytes));
    const aq_tensor_info *x = aq_source_tensor(s, 0);
    assert_int_equal(aq_dtype_bits(x->dtype), dtypes[i].bits);
    assert_int_equal(x->data_bytes, bytes);
    uint8_t read[64];
    assert_int_equal(aq_source_read_bytes(s, 0, 1, bytes - 1, read, &err), AQ_OK);
    assert_int_equal(read[bytes - 2], bytes - 1);
    float values[8];
    const aq_status status = aq_source_read_f32(s, 0, 0, 8, values, &err);
    assert_int_equal(status, dtypes[i].opaque ? AQ_ERR_UNSUPPORTED : AQ_OK);
    if (dtypes[i].opaque) assert_non_null(strstr(err.message, dtypes[i].name));
    aq_source_close(s);
  }
}

static void quantized_elsewhere_gets_a_note(void **state) {
  (void)state;
  temp_mkdir("fp8");
  (void)temp_write_text("fp8/config.json", "{\"quantization_config\":{\"quant_method\":\"fp8\"}}");
  (void)temp_write_safetensors("fp8/model.safetensors",
                               "{\"l.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]},"
                               "\"l.weight_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                               NULL, 8);
  aq_source *s = open_ok(temp_path("fp8"));
  assert_int_equal(s->note_count, 2);
  assert_string_equal(s->notes[0], "the quantized layers (fp8) are not decoded: 'l.weight' has 1 dimensions");
  assert_non_null(strstr(s->notes[1], "another tool has quantized 1 of the layers already (fp8; 'l.weight'"));
  aq_source_close(s);
  (void)temp_write_safetensors("fp8/model.safetensors",
                               "{\"l.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", NULL, 4);
  s = open_ok(temp_path("fp8"));
  assert_int_equal(s->note_count, 1);
  assert_non_null(strstr(s->notes[0], "no tensor looks like its codes"));
  aq_source_close(s);
}

static void writer_round_trip_gives_same_tensors(void **state) {
  (void)state;
  const aq_tensor_info tensors[] = {{.name = "z", .dtype = AQ_F32, .rank = 2, .shape = {2, 1}},
                                    {.name = "a \"q\"", .dtype = AQ_BF16, .rank = 0},
                                    {.name = "empty", .dtype = AQ_I64, .rank = 1, .shape = {0}}};
  static const char *const metadata[] = {"key", "value"};
  static const uint8_t bytes[10] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0x80, 0x3f};
  const char *path = temp_path("out.safetensors");
  aq_safetensors_writer *w = NULL;
  uint64_t size = 0;
  assert_int_equal(aq_safetensors_writer_create(path, false, tensors, 3, metadata, 1, &w, &err), AQ_OK);
  assert_int_equal(aq_safetensors_writer_write(w, bytes, 3, &err), AQ_OK);
  assert_int_equal(aq_safetensors_writer_write(w, bytes + 3, 7, &err), AQ_OK);
  assert_int_equal(aq_safetensors_writer_write(w, bytes, 1, &err), AQ_ERR_INTERNAL);
  assert_int_equal(aq_safetensors_writer_commit(w, &size, &err), AQ_OK);
  aq_source *s = open_ok(path);
  assert_int_equal(aq_source_file_bytes(s), size);
  assert_int_equal((size - 10) % 8, 0);
  assert_int_equal(aq_source_tensor_count(s), 3);
  assert_string_equal(aq_source_tensor(s, 0)->name, "z");
  assert_string_equal(aq_source_tensor(s, 1)->name, "a \"q\"");
  assert_string_equal(aq_source_metadata_value(s, 0), "pt");
  assert_string_equal(aq_source_metadata_key(s, 1), "key");
  float values[2];
  assert_int_equal(aq_source_read_f32(s, 0, 0, 2, values, &err), AQ_OK);
  assert_true(values[0] == 1 && values[1] == 2);
  assert_int_equal(aq_source_read_f32(s, 1, 0, 1, values, &err), AQ_OK);
  assert_true(values[0] == 1);
  aq_source_close(s);
  assert_int_equal(aq_safetensors_writer_create(path, false, tensors, 3, NULL, 0, &w, &err), AQ_ERR_EXISTS);
  assert_null(w);
}

static void writer_missing_bytes_leaves_nothing(void **state) {
  (void)state;
  const aq_tensor_info tensor = {.name = "z", .dtype = AQ_F32, .rank = 1, .shape = {2}};
  const char *path = temp_path("short.safetensors");
  aq_safetensors_writer *w = NULL;
  assert_int_equal(aq_safetensors_writer_create(path, false, &tensor, 1, NULL, 0, &w, &err), AQ_OK);
  assert_int_equal(aq_safetensors_writer_write(w, "abcd", 4, &err), AQ_OK);
  assert_int_equal(aq_safetensors_writer_commit(w, NULL, &err), AQ_ERR_INTERNAL);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(access(temp_path("short.safetensors.partial"), F_OK), -1);
}

static void writer_wrong_names_are_refused(void **state) {
  (void)state;
  const aq_tensor_info twice[] = {{.name = "z", .dtype = AQ_F32}, {.name = "z", .dtype = AQ_F32}};
  const aq_tensor_info reserved = {.name = "__metadata__", .dtype = AQ_F32};
  aq_safetensors_writer *w = NULL;
  assert_int_equal(aq_safetensors_writer_create(temp_path("t"), false, twice, 2, NULL, 0, &w, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.tensor, "z");
  assert_int_equal(aq_safetensors_writer_create(temp_path("t"), false, &reserved, 1, NULL, 0, &w, &err),
                   AQ_ERR_ARGUMENT);
  assert_int_equal(access(temp_path("t.partial"), F_OK), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(file_several_tensors_come_in_order_of_bytes),
      cmocka_unit_test(file_without_tensors_opens),
      cmocka_unit_test(header_overlap_names_both),
      cmocka_unit_test(header_hole_or_tail_is_refused),
      cmocka_unit_test(header_wrong_length_is_refused),
      cmocka_unit_test(header_malformed_is_refused),
      cmocka_unit_test(file_cut_off_says_so),
      cmocka_unit_test(file_memory_limit_is_kept),
      cmocka_unit_test(shards_complete_opens_all),
      cmocka_unit_test(shards_disagreeing_with_index_are_refused),
      cmocka_unit_test(index_hostile_is_refused),
      cmocka_unit_test(shard_that_is_a_pointer_says_so),
      cmocka_unit_test(every_dtype_of_the_format_opens),
      cmocka_unit_test(quantized_elsewhere_gets_a_note),
      cmocka_unit_test(writer_round_trip_gives_same_tensors),
      cmocka_unit_test(writer_missing_bytes_leaves_nothing),
      cmocka_unit_test(writer_wrong_names_are_refused),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
