/* test_parquet_write.c - the writing half of parquet/: whole files, streamed values, failures. That other programs read
 * them is for tests/interop/test_written_tables.py. */
#include <sys/stat.h>
#include <zstd.h>

#include "check.h"
#include "core/bytes.h"
#include "core/compiler.h"
#include "core/memory.h"
#include "core/pool.h"
#include "parquet/parquet.h"
#include "parquet/write/page_write.h"

static char *folder, path[600], partial[620];

static int set_up(void **state) {
  (void)state;
  folder = make_folder();
  (void)snprintf(path, sizeof path, "%s/out.parquet", folder);
  (void)snprintf(partial, sizeof partial, "%s.partial", path);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

static bool exists(const char *name) {
  struct stat info;
  return stat(name, &info) == 0;
}

static uint8_t *read_file(size_t *size) {
  char *bytes;
  aq_error err;
  assert_ok(aq_file_slurp(path, (size_t)1 << 30, &bytes, size, &err));
  return (uint8_t *)bytes;
}

/* The same numbers everywhere (SplitMix64). */
static uint64_t mix(uint64_t i) {
  i += UINT64_C(0x9E3779B97F4A7C15);
  i = (i ^ i >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  i = (i ^ i >> 27) * UINT64_C(0x94D049BB133111EB);
  return i ^ i >> 31;
}

static uint8_t noise_at(uint64_t i) { return (uint8_t)mix(i); }

/* Sums of small numbers, bell-shaped as the codes of weights are. */
static uint8_t code_at(uint64_t i) {
  const uint64_t r = mix(i);
  return (uint8_t)((r & 31) + (r >> 8 & 31) + (r >> 16 & 31) + (r >> 24 & 31));
}

/* ---- files ---- */

static const aq_pq_column_def columns[] = {
    {"name", AQ_PQ_STRING, false}, {"shape", AQ_PQ_LIST_INT32, false}, {"data", AQ_PQ_BINARY, true}};

static aq_pq_writer *open_writer(aq_pool *pool, const char *codec) {
  aq_pq_writer_options options = {.pool = pool, .force = true, .created_by = "test"};
  aq_pq_writer *writer;
  aq_error err;
  assert_ok(aq_pq_codec_parse(codec, &options.codec, &options.codec_level, &err));
  assert_ok(aq_pq_writer_create(path, columns, 3, &options, &writer, &err));
  return writer;
}

struct value {
  uint64_t size;
  uint8_t (*at)(uint64_t i);
  uint64_t fail_at; /* offset of the block that cannot be filled */
};

static aq_status fill(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker, aq_error *err) {
  const struct value *value = ctx;
  (void)worker;
  assert_int_equal(offset % AQ_PQ_BLOCK, 0);
  assert_true(size == AQ_PQ_BLOCK || offset + size == value->size);
  if (offset == value->fail_at) {
    err->code = AQ_ERR_CORRUPT;
    return AQ_ERR_CORRUPT;
  }
  for (size_t i = 0; i < size; i++) out[i] = value->at(offset + i);
  return AQ_OK;
}

static aq_status add_streamed(aq_pq_writer *writer, struct value *value, aq_error *err) {
  static const int32_t shape[] = {1, 2};
  const aq_pq_cell cells[] = {{.bytes = "w", .size = 1},
                              {.list = shape, .list_length = 2},
                              {.fill = fill, .fill_ctx = value, .size = value->size}};
  return aq_pq_writer_add(writer, cells, err);
}

static aq_status add_taken(aq_pq_writer *writer, const struct value *value, aq_error *err) {
  aq_buffer bytes = {NULL, 0, 0};
  aq_status status = aq_buffer_reserve(&bytes, (size_t)value->size, err);
  if (status != AQ_OK) return status;
  for (; bytes.size < value->size; bytes.size++) bytes.data[bytes.size] = value->at(bytes.size);
  const aq_pq_cell cells[] = {{.bytes = "w", .size = 1}, {.list_length = 0}, {.take = &bytes}};
  status = aq_pq_writer_add(writer, cells, err);
  if (status == AQ_OK) assert_null(bytes.data);
  aq_buffer_reset(&bytes);
  return status;
}

/* Block k of a value is one zstd frame, behind one for levels and length. */
static void check_frames(const uint8_t *file, size_t size, const struct value *value) {
  uint8_t head[16], *block = malloc(AQ_PQ_BLOCK);
  size_t at = 4;
  /* The first frame that unpacks to levels and a length of this size. */
  for (; at + 32 < size; at++) {
    if (aq_load_u32(file + at) == ZSTD_MAGICNUMBER &&
        ZSTD_decompress(head, sizeof head, file + at, ZSTD_findFrameCompressedSize(file + at, size - at)) == 10 &&
        aq_load_u32(head + 6) == value->size) {
      break;
    }
  }
  static const uint8_t levels[] = {2, 0, 0, 0, 2, 1};
  assert_memory_equal(head, levels, sizeof levels);
  for (uint64_t offset = 0; offset < value->size; offset += AQ_PQ_BLOCK) {
    at += ZSTD_findFrameCompressedSize(file + at, size - at);
    const size_t n = (size_t)(value->size - offset < AQ_PQ_BLOCK ? value->size - offset : AQ_PQ_BLOCK);
    assert_int_equal(ZSTD_getFrameContentSize(file + at, size - at), n);
    assert_int_equal(ZSTD_decompress(block, AQ_PQ_BLOCK, file + at, ZSTD_findFrameCompressedSize(file + at, size - at)),
                     n);
    for (size_t i = 0; i < n; i++) {
      if (block[i] != value->at(offset + i)) fail_msg("byte %zu of the block at %llu", i, (unsigned long long)offset);
    }
  }
  free(block);
}

static void large_values_have_a_frame_a_block(void **state) {
  (void)state;
  for (int streamed = 0; streamed < 2; streamed++) {
    aq_error err;
    struct value value = {3 * AQ_PQ_BLOCK + 5, code_at, UINT64_MAX};
    aq_pq_writer *writer = open_writer(NULL, "auto");
    assert_ok(streamed ? add_streamed(writer, &value, &err) : add_taken(writer, &value, &err));
    uint64_t file_bytes;
    assert_ok(aq_pq_writer_commit(writer, &file_bytes, &err));
    size_t size;
    uint8_t *file = read_file(&size);
    assert_int_equal(size, file_bytes);
    assert_true(size < value.size);
    check_frames(file, size, &value);
    aq_free(file);
  }
}

/* Noise that comes again every 12000 bytes: a match for zstd, nothing for a code of single bytes. */
static uint8_t repeating_at(uint64_t i) { return noise_at(i % 12000); }

static aq_pq_reader *open_reader(void) {
  aq_pq_reader *reader;
  aq_error err;
  assert_ok(aq_pq_reader_open(path, NULL, &reader, &err));
  return reader;
}

/* Row 0 of a column, whole and from its middle. */
static void assert_read(aq_pq_reader *reader, size_t group, size_t column, uint64_t size, uint8_t (*at)(uint64_t i)) {
  aq_error err;
  aq_pq_value value;
  aq_pq_check check;
  uint8_t piece[100];
  assert_ok(aq_pq_read_value(reader, group, column, 0, &value, &err));
  assert_int_equal(value.size, size);
  for (uint64_t i = 0; i < size; i++) {
    if (value.data[i] != at(i)) fail_msg("column %zu, byte %llu", column, (unsigned long long)i);
  }
  assert_ok(aq_pq_read_value_range(reader, group, column, 0, size / 2, sizeof piece, piece, &err));
  assert_memory_equal(piece, value.data + size / 2, sizeof piece);
  aq_pq_value_reset(&value);
  assert_ok(aq_pq_verify_chunk(reader, group, column, true, &check, &err));
  assert_int_equal(check.pages, check.pages_with_crc);
}

/* Codes have no repeats and scales have: each column chunk is in what is smaller for it, or in none. */
static void brotli_is_chosen_for_each_chunk(void **state) {
  (void)state;
  static const aq_pq_column_def blobs[] = {
      {"data", AQ_PQ_BINARY, true}, {"scales", AQ_PQ_BINARY, true}, {"noise", AQ_PQ_BINARY, true}};
  static const uint64_t sizes[] = {100000, 2 * AQ_PQ_BLOCK + 5,
                                   6 * AQ_PQ_BLOCK}; /* one block; several; sampled first */
  static uint8_t (*const at[])(uint64_t) = {code_at, repeating_at, noise_at};
  for (size_t s = 0; s < 3; s++) {
    aq_error err;
    const aq_pq_writer_options options = {.codec = AQ_PQ_CODEC_BROTLI, .force = true};
    aq_pq_writer *writer;
    aq_pq_cell cells[3] = {{.size = sizes[s]}, {.size = sizes[s]}, {.size = sizes[s]}};
    uint8_t *bytes = malloc(3 * (size_t)sizes[s]);
    for (size_t c = 0; c < 3; c++) {
      for (size_t i = 0; i < sizes[s]; i++) bytes[c * sizes[s] + i] = at[c](i);
      cells[c].bytes = bytes + c * sizes[s];
    }
    assert_ok(aq_pq_writer_create(path, blobs, 3, &options, &writer, &err));
    assert_ok(aq_pq_writer_add(writer, cells, &err));
    assert_ok(aq_pq_writer_commit(writer, NULL, &err));
    free(bytes);
    aq_pq_reader *reader = open_reader();
    assert_string_equal(aq_pq_chunk_codec(reader, 0, 0), "brotli");
    assert_string_equal(aq_pq_chunk_codec(reader, 0, 1), "zstd");
    assert_string_equal(aq_pq_chunk_codec(reader, 0, 2), "none");
    assert_true(aq_pq_chunk_bytes(reader, 0, 0) < sizes[s] * 85 / 100); /* 6.6 bits of entropy */
    assert_true(aq_pq_chunk_bytes(reader, 0, 1) < sizes[s] / 2);
    for (size_t c = 0; c < 3; c++) assert_read(reader, 0, c, sizes[s], at[c]);
    aq_pq_reader_close(reader);
  }
}

/* A value that somebody counted on decides for the one beside it, which is fifty times as long, in one block or many.
 */
static void budgeted_values_decide_the_codec_of_their_chunk(void **state) {
  (void)state;
  static const struct {
    const char *codec;
    uint8_t (*beside)(uint64_t);
    const char *plain, *budgeted;
  } cases[] = {{"auto", noise_at, "none", "zstd"},
               {"brotli", noise_at, "none", "brotli"},
               {"brotli", repeating_at, "zstd", "brotli"},
               {"zstd", noise_at, "zstd", "zstd"},
               {"none", noise_at, "none", "none"}};
  static const uint64_t sizes[] = {6000, 84000}; /* the longer ones are sampled first */
  for (size_t i = 0; i < 4 * AQ_COUNT_OF(cases); i++) {
    const size_t c = i / 4;
    const bool budgeted = i % 2 == 1;
    const uint64_t size = sizes[i / 2 % 2];
    if (c >= 2 && size > 6000) continue;
    aq_error err;
    aq_pq_writer *writer = open_writer(NULL, cases[c].codec);
    struct value beside = {50 * size, cases[c].beside, UINT64_MAX};
    uint8_t *codes = malloc((size_t)size);
    for (size_t k = 0; k < size; k++) codes[k] = code_at(k);
    const aq_pq_cell cells[] = {
        {.bytes = "c", .size = 1}, {.list_length = 0}, {.bytes = codes, .size = size, .budgeted = budgeted}};
    assert_ok(add_taken(writer, &beside, &err));
    assert_ok(aq_pq_writer_add(writer, cells, &err));
    assert_ok(aq_pq_writer_commit(writer, NULL, &err));
    free(codes);
    aq_pq_reader *reader = open_reader();
    const char *found = aq_pq_chunk_codec(reader, 0, 2), *wanted = budgeted ? cases[c].budgeted : cases[c].plain;
    if (strcmp(found, wanted) != 0) fail_msg("case %zu, %llu bytes: %s", i, (unsigned long long)size, found);
    aq_pq_reader_close(reader);
  }
}

static void streamed_values_in_brotli_or_zstd_are_read_back(void **state) {
  (void)state;
  static const uint64_t sizes[] = {1000, AQ_PQ_BLOCK, AQ_PQ_BLOCK + 1000, 7 * AQ_PQ_BLOCK + 12345};
  for (uint32_t threads = 0; threads < 4; threads += 3) {
    aq_error err;
    aq_pool *pool = NULL;
    if (threads > 0) assert_ok(aq_pool_create(threads, &pool, &err));
    aq_pq_writer *writer = open_writer(pool, "brotli");
    for (size_t s = 0; s < 4; s++) {
      struct value codes = {sizes[s], code_at, UINT64_MAX}, noise = {sizes[s], noise_at, UINT64_MAX},
                   repeats = {sizes[s], repeating_at, UINT64_MAX};
      assert_ok(add_streamed(writer, &codes, &err)); /* a row group each */
      assert_ok(add_streamed(writer, &noise, &err));
      assert_ok(add_streamed(writer, &repeats, &err));
    }
    assert_ok(aq_pq_writer_commit(writer, NULL, &err));
    aq_pool_free(pool);
    aq_pq_reader *reader = open_reader();
    assert_int_equal(aq_pq_row_group_count(reader), 12);
    for (size_t s = 0; s < 4; s++) {
      assert_string_equal(aq_pq_chunk_codec(reader, 3 * s, 2), "brotli");
      assert_string_equal(aq_pq_chunk_codec(reader, 3 * s + 1, 2), "none");
      if (sizes[s] > 12000) assert_string_equal(aq_pq_chunk_codec(reader, 3 * s + 2, 2), "zstd");
      assert_read(reader, 3 * s, 2, sizes[s], code_at);
      assert_read(reader, 3 * s + 1, 2, sizes[s], noise_at);
      assert_read(reader, 3 * s + 2, 2, sizes[s], repeating_at);
    }
    aq_pq_reader_close(reader);
  }
}

/* What aq_blob_page_bytes says is what the file has, but for a checksum of fewer bytes. */
static void page_bytes_are_those_of_the_file(void **state) {
  (void)state;
  static const char *const codecs[] = {"none", "zstd", "zstd:9", "brotli", "lz4", "snappy"};
  static const size_t sizes[] = {1, 300, 65536, 65537, 2 * AQ_PQ_BLOCK + 17};
  for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
      aq_error err;
      aq_pq_codec_choice choice;
      int level;
      uint64_t said;
      struct value value = {sizes[i], code_at, UINT64_MAX};
      aq_compressor compressor = {0};
      uint8_t *bytes = malloc(sizes[i]);
      for (size_t at = 0; at < sizes[i]; at++) bytes[at] = code_at(at);
      assert_ok(aq_pq_codec_parse(codecs[c], &choice, &level, &err));
      const aq_codec_setting setting = aq_codec_setting_of(choice, level);
      assert_ok(aq_blob_page_bytes(NULL, &compressor, setting.codec, setting.level, bytes, sizes[i], &said, &err));
      aq_pq_writer *writer = open_writer(NULL, codecs[c]);
      assert_ok(add_taken(writer, &value, &err));
      assert_ok(aq_pq_writer_commit(writer, NULL, &err));
      aq_pq_reader *reader = open_reader();
      const uint64_t is = aq_pq_chunk_bytes(reader, 0, 2);
      const bool same_codec =
          strcmp(aq_pq_chunk_codec(reader, 0, 2), choice == AQ_PQ_CODEC_BROTLI ? "brotli" : "") == 0;
      /* A value of a few bytes is not worth brotli, and is in zstd or none. */
      if (choice != AQ_PQ_CODEC_BROTLI || same_codec) assert_in_range(said - is, 0, 4);
      assert_true(sizes[i] < 1000 || choice != AQ_PQ_CODEC_BROTLI || same_codec);
      aq_pq_reader_close(reader);
      aq_compressor_reset(&compressor);
      free(bytes);
    }
  }
}

static void uncompressed_values_lie_aligned(void **state) {
  (void)state;
  for (int streamed = 0; streamed < 2; streamed++) {
    aq_error err;
    struct value value = {AQ_PQ_BLOCK + 5, noise_at, UINT64_MAX};
    aq_pq_writer *writer = open_writer(NULL, "auto");
    assert_ok(streamed ? add_streamed(writer, &value, &err) : add_taken(writer, &value, &err));
    assert_ok(aq_pq_writer_commit(writer, NULL, &err));
    size_t size, found = 0;
    uint8_t *file = read_file(&size);
    for (size_t at = 0; at + value.size < size && found == 0; at += 64) {
      size_t i = 0;
      while (i < value.size && file[at + i] == noise_at(i)) i++;
      if (i == value.size) found = at;
    }
    assert_true(found > 0);
    aq_free(file);
  }
}

static void check_thread_counts(const char *codec, uint64_t size_of_large) {
  uint8_t *first = NULL;
  size_t first_size = 0;
  for (uint32_t threads = 0; threads <= 5; threads++) {
    aq_error err;
    aq_pool *pool = NULL; /* none at all the first time */
    if (threads > 0) assert_ok(aq_pool_create(threads, &pool, &err));
    struct value value = {size_of_large, code_at, UINT64_MAX}, small = {5000, code_at, UINT64_MAX};
    aq_pq_writer *writer = open_writer(pool, codec);
    for (int i = 0; i < 20; i++) assert_ok(add_taken(writer, &small, &err));
    assert_ok(add_taken(writer, &value, &err));
    assert_ok(add_streamed(writer, &value, &err));
    assert_ok(aq_pq_writer_commit(writer, NULL, &err));
    aq_pool_free(pool);
    size_t size;
    uint8_t *file = read_file(&size);
    if (first == NULL) {
      first = file;
      first_size = size;
      continue;
    }
    assert_int_equal(size, first_size);
    assert_memory_equal(file, first, size);
    aq_free(file);
  }
  aq_free(first);
}

static void file_is_the_same_at_any_thread_count(void **state) {
  (void)state;
  check_thread_counts("auto", 6 * AQ_PQ_BLOCK + 7);
  check_thread_counts("brotli", 2 * AQ_PQ_BLOCK + 7);
}

static void fill_that_fails_leaves_no_file(void **state) {
  (void)state;
  static const char *const codecs[] = {"auto", "none", "lz4", "brotli"};
  for (size_t i = 0; i < 4; i++) {
    aq_error err;
    aq_pool *pool;
    assert_ok(aq_pool_create(2, &pool, &err));
    struct value value = {9 * AQ_PQ_BLOCK, code_at, 7 * AQ_PQ_BLOCK};
    aq_pq_writer *writer = open_writer(pool, codecs[i]);
    (void)remove(path);
    assert_true(exists(partial));
    assert_int_equal(add_streamed(writer, &value, &err), AQ_ERR_CORRUPT);
    /* What follows must not make a file of it. */
    value.fail_at = UINT64_MAX;
    assert_int_equal(add_streamed(writer, &value, &err), AQ_ERR_INTERNAL);
    assert_int_equal(aq_pq_writer_commit(writer, NULL, &err), AQ_ERR_INTERNAL);
    assert_false(exists(path));
    assert_false(exists(partial));
    aq_pool_free(pool);
  }
}

static void cells_that_do_not_fit_are_refused(void **state) {
  (void)state;
  const aq_pq_column_def one_int[] = {{"n", AQ_PQ_INT32, false}};
  const aq_pq_writer_options options = {.codec = AQ_PQ_CODEC_NONE, .force = true};
  aq_pq_writer *writer;
  aq_error err;
  assert_ok(aq_pq_writer_create(path, one_int, 1, &options, &writer, &err));
  assert_int_equal(aq_pq_writer_add(writer, &(aq_pq_cell){.integer = (int64_t)INT32_MAX + 1}, &err), AQ_ERR_ARGUMENT);
  aq_pq_writer_abort(writer);
  struct value value = {AQ_PQ_MAX_VALUE + 1, code_at, UINT64_MAX};
  writer = open_writer(NULL, "none");
  assert_int_equal(add_streamed(writer, &value, &err), AQ_ERR_ARGUMENT);
  aq_pq_writer_abort(writer);
  value.size = AQ_PQ_MAX_VALUE; /* more than lz4 takes; must fail before anything is filled */
  writer = open_writer(NULL, "lz4");
  assert_int_equal(add_streamed(writer, &value, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.hint, "zstd"));
  aq_pq_writer_abort(writer);
  const aq_pq_column_def text_blob[] = {{"s", AQ_PQ_STRING, true}};
  assert_int_equal(aq_pq_writer_create(path, text_blob, 1, &options, &writer, &err), AQ_ERR_ARGUMENT);
  assert_null(writer);
}

/* The values are for tests/interop/test_written_tables.py: here nobody reads them. */
static void lists_of_floats_are_written_and_refused_when_too_long(void **state) {
  (void)state;
  static const float values[] = {0.5f, -1.0f, 3.0e38f};
  const aq_pq_column_def floats[] = {{"embedding", AQ_PQ_LIST_FLOAT, false}};
  const aq_pq_writer_options options = {.codec = AQ_PQ_CODEC_ZSTD, .codec_level = 1, .force = true};
  aq_pq_writer *writer;
  aq_error err;
  assert_ok(aq_pq_writer_create(path, floats, 1, &options, &writer, &err));
  assert_ok(aq_pq_writer_add(writer, &(aq_pq_cell){.floats = values, .list_length = 3}, &err));
  assert_ok(aq_pq_writer_add(writer, &(aq_pq_cell){.list_length = 0}, &err));
  assert_ok(aq_pq_writer_add(writer, &(aq_pq_cell){.is_null = true}, &err));
  assert_ok(aq_pq_writer_commit(writer, NULL, &err));
  aq_pq_reader *reader;
  aq_pq_check check;
  assert_ok(aq_pq_reader_open(path, NULL, &reader, &err));
  assert_int_equal(aq_pq_row_count(reader), 3);
  assert_int_equal(aq_pq_column_kind(reader, 0), AQ_PQ_LIST_REAL);
  assert_ok(aq_pq_verify_chunk(reader, 0, 0, true, &check, &err));
  assert_int_equal(check.pages_with_crc, 1);
  aq_pq_reader_close(reader);
  assert_ok(aq_pq_writer_create(path, floats, 1, &options, &writer, &err));
  const aq_pq_cell too_long = {.floats = values, .list_length = (size_t)1 << 25};
  assert_int_equal(aq_pq_writer_add(writer, &too_long, &err), AQ_ERR_ARGUMENT);
  aq_pq_writer_abort(writer);
}

static void metadata_set_twice_keeps_the_last(void **state) {
  (void)state;
  aq_error err;
  aq_pq_writer *writer = open_writer(NULL, "none");
  for (int i = 0; i < 40; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "key%d", i % 20);
    assert_ok(aq_pq_writer_metadata(writer, key, i < 20 ? "old" : "new", &err));
  }
  assert_ok(aq_pq_writer_commit(writer, NULL, &err));
  size_t size, old = 0, new = 0;
  uint8_t *file = read_file(&size);
  for (size_t i = 0; i + 3 < size; i++) {
    old += memcmp(file + i, "old", 3) == 0;
    new += memcmp(file + i, "new", 3) == 0;
  }
  assert_int_equal(old, 0);
  assert_int_equal(new, 20);
  aq_free(file);
}

/* ---- no memory ---- */

static long alive, countdown;

static void *faulty_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  if (--countdown <= 0) return NULL; /* from then on, all fail */
  void *p = realloc(ptr, size);
  if (ptr == NULL && p != NULL) alive++;
  return p;
}

static void faulty_release(void *ctx, void *ptr) {
  (void)ctx;
  alive--;
  free(ptr);
}

static aq_status write_some(const char *codec, aq_error *err) {
  aq_pq_writer_options options = {.force = true, .created_by = "test", .row_group_bytes = 3000};
  aq_pq_writer *writer = NULL;
  aq_status status = aq_pq_codec_parse(codec, &options.codec, &options.codec_level, err);
  if (status == AQ_OK) status = aq_pq_writer_create(path, columns, 3, &options, &writer, err);
  const bool slow = options.codec == AQ_PQ_CODEC_BROTLI; /* and has as many allocations whatever the size */
  struct value small = {1000, code_at, UINT64_MAX}, large = {slow ? 70009 : AQ_PQ_BLOCK + 9, code_at, UINT64_MAX};
  for (int i = 0; i < 5 && status == AQ_OK; i++) status = add_taken(writer, &small, err);
  if (status == AQ_OK) status = add_streamed(writer, &large, err);
  if (status == AQ_OK) status = aq_pq_writer_metadata(writer, "k", "v", err);
  if (status == AQ_OK) return aq_pq_writer_commit(writer, NULL, err);
  aq_pq_writer_abort(writer);
  return status;
}

static void every_allocation_that_fails_leaves_nothing(void **state) {
  static const char *const codecs[] = {"auto", "lz4", "brotli"};
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  (void)state;
  for (size_t c = 0; c < 3; c++) {
    aq_set_allocator(&faulty);
    aq_status status = AQ_ERR_MEMORY;
    long n = 1;
    for (; n < 1000 && status != AQ_OK; n++) {
      aq_error err;
      countdown = n;
      alive = 0;
      (void)remove(path);
      status = write_some(codecs[c], &err);
      if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("allocation %ld: %s", n, err.message);
      if (alive != 0) fail_msg("allocation %ld: %ld blocks leaked", n, alive);
      if (exists(partial) || exists(path) != (status == AQ_OK)) fail_msg("allocation %ld: a file was left", n);
    }
    aq_set_allocator(NULL);
    assert_int_equal(status, AQ_OK);
    assert_true(n > 30);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(large_values_have_a_frame_a_block),
      cmocka_unit_test(brotli_is_chosen_for_each_chunk),
      cmocka_unit_test(budgeted_values_decide_the_codec_of_their_chunk),
      cmocka_unit_test(streamed_values_in_brotli_or_zstd_are_read_back),
      cmocka_unit_test(page_bytes_are_those_of_the_file),
      cmocka_unit_test(uncompressed_values_lie_aligned),
      cmocka_unit_test(file_is_the_same_at_any_thread_count),
      cmocka_unit_test(fill_that_fails_leaves_no_file),
      cmocka_unit_test(cells_that_do_not_fit_are_refused),
      cmocka_unit_test(metadata_set_twice_keeps_the_last),
      cmocka_unit_test(every_allocation_that_fails_leaves_nothing),
      cmocka_unit_test(lists_of_floats_are_written_and_refused_when_too_long),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
