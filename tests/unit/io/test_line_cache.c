/* test_line_cache.c - pieces of lines are the bytes of the source in any order of reading, and no order reads much more
 * than was asked for. */
#include "check.h"
#include "faulty_allocator.h"

#include "core/memory.h"
#include "io/prequantized/line_cache.h"
#include "io/source_memory.h"

enum { LINES = 64, LINE = 1000, SIZE = LINES * LINE, MOST = 2 * 64 * 256 };

static aq_error err;
static uint8_t bytes[SIZE], out[SIZE];
static uint64_t reads, read_bytes;
static aq_source *source;

static aq_status read_piece(const aq_source *s, const aq_segment *segment, aq_piece piece, uint64_t offset, size_t size,
                            void *to, aq_error *e) {
  (void)s, (void)segment, (void)piece, (void)e;
  memcpy(to, bytes + offset, size);
  reads++;
  read_bytes += size;
  return AQ_OK;
}

static void close_source(aq_source *s) { (void)s; }

static int open_source(void **state) {
  static const aq_source_ops ops = {.close = close_source, .read = read_piece};
  const aq_tensor_info info = {
      .name = "x", .dtype = AQ_U8, .rank = 1, .shape = {SIZE}, .num_params = SIZE, .data_bytes = SIZE, .alias_of = -1};
  const aq_segment segment = {.num_params = SIZE, .data_bytes = SIZE};
  (void)state;
  for (size_t i = 0; i < SIZE; i++) bytes[i] = (uint8_t)(i * 7919 >> 4);
  assert_ok(aq_source_create_empty(&ops, "memory", "memory", &source, &err));
  assert_ok(aq_source_add_tensor(source, &info, &segment, 1, &err));
  return 0;
}

static int drop_source(void **state) {
  (void)state;
  aq_source_close(source);
  return 0;
}

/* Whether the cache had, or read, the piece; its bytes are right then. */
static bool is_read(aq_line_cache *cache, uint64_t first, uint64_t count, uint64_t begin, uint64_t end) {
  const aq_line_piece piece = {0, 0, LINES, LINE, first, count, begin, end};
  bool is_done = false;
  memset(out, 0xee, sizeof out);
  assert_ok(aq_line_cache_read(cache, source, &piece, out, &is_done, &err));
  for (uint64_t i = 0; is_done && i < count; i++) {
    assert_memory_equal(out + i * (end - begin), bytes + (first + i) * LINE + begin, end - begin);
  }
  return is_done;
}

static void rows_one_after_another_are_read_once(void **state) {
  aq_line_cache *cache;
  (void)state;
  assert_ok(aq_line_cache_create(MOST, &cache, &err));
  reads = read_bytes = 0;
  for (uint64_t at = 0; at < LINE; at += 20) {
    assert_true(is_read(cache, 0, 32, at, at + 20));
    assert_true(is_read(cache, 32, 32, at, at + 20));
  }
  assert_true(reads <= 6 * LINES);
  assert_true(read_bytes < SIZE + SIZE / 2);
  aq_line_cache_free(cache);
}

/* Two places far apart stay, as two threads may want them. */
static void two_blocks_stay(void **state) {
  aq_line_cache *cache;
  (void)state;
  assert_ok(aq_line_cache_create(MOST, &cache, &err));
  assert_true(is_read(cache, 0, 64, 0, 60));
  assert_true(is_read(cache, 0, 64, 60, 120));
  assert_true(is_read(cache, 0, 64, 128, 190) && is_read(cache, 0, 64, 190, 250));
  assert_true(is_read(cache, 0, 64, 700, 760));
  reads = 0;
  for (int i = 0; i < 3; i++) assert_true(is_read(cache, 0, 64, 128, 188) && is_read(cache, 0, 64, 710, 770));
  assert_int_equal(reads, 0);
  aq_line_cache_free(cache);
}

static void an_order_that_finds_nothing_reads_little_more(void **state) {
  aq_line_cache *cache;
  uint64_t asked = 0, done = 0, seed = 1;
  (void)state;
  assert_ok(aq_line_cache_create(MOST, &cache, &err));
  read_bytes = 0;
  for (int i = 0; i < 2000; i++) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    const uint64_t at = (seed >> 33) % (LINE - 4);
    asked += 16 * 4;
    done += is_read(cache, (seed >> 20) % (LINES - 16), 16, at, at + 4);
  }
  assert_true(read_bytes <= 2 * asked + MOST / 2);
  assert_true(done > 0);
  aq_line_cache_free(cache);
}

static void what_would_not_pay_is_left_to_the_caller(void **state) {
  aq_line_cache *cache, *tiny;
  (void)state;
  assert_ok(aq_line_cache_create(MOST, &cache, &err));
  assert_false(is_read(cache, 0, 15, 0, 20));  /* few lines */
  assert_false(is_read(cache, 0, 64, 0, 100)); /* most of a block */
  assert_false(is_read(cache, 0, 64, 9, 9));
  assert_ok(aq_line_cache_create(100, &tiny, &err));
  assert_false(is_read(tiny, 0, 64, 0, 4));
  aq_line_cache_free(cache);
  aq_line_cache_free(tiny);
  aq_line_cache_free(NULL);
}

static void memory_that_is_not_there_is_no_failure(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_line_cache *cache;
  (void)state;
  aq_set_allocator(&faulty);
  atomic_store(&alive, 0);
  atomic_store(&countdown, 1);
  assert_int_equal(aq_line_cache_create(MOST, &cache, &err), AQ_ERR_MEMORY);
  atomic_store(&countdown, 2);
  assert_ok(aq_line_cache_create(MOST, &cache, &err));
  assert_false(is_read(cache, 0, 64, 0, 20));
  atomic_store(&countdown, 100);
  assert_true(is_read(cache, 0, 64, 0, 20));
  aq_line_cache_free(cache);
  aq_set_allocator(NULL);
  assert_int_equal(atomic_load(&alive), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_one_after_another_are_read_once),
      cmocka_unit_test(two_blocks_stay),
      cmocka_unit_test(an_order_that_finds_nothing_reads_little_more),
      cmocka_unit_test(what_would_not_pay_is_left_to_the_caller),
      cmocka_unit_test(memory_that_is_not_there_is_no_failure),
  };
  return cmocka_run_group_tests(tests, open_source, drop_source);
}
