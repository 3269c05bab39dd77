/* test_zstd_text.c - texts that are compressed and come back, and values that are damaged, lie, or hold too much. */
#include <stdatomic.h>
#include <zstd.h>

#include "check.h"
#include "core/base64.h"
#include "core/compiler.h"
#include "core/memory.h"
#include "faulty_allocator.h"
#include "io/zstd_text.h"

#define MAX ((size_t)1 << 20)

static char *long_text(size_t size) {
  char *text = aq_malloc(size + 1);
  assert_non_null(text);
  for (size_t i = 0; i < size; i++) text[i] = "\"word\": 0123, "[(i + i / 1009) % 14];
  text[size] = '\0';
  return text;
}

static char *base64_of(const void *bytes, size_t size) {
  char *value = malloc(aq_base64_length(size) + 1);
  assert_non_null(value);
  aq_base64_encode(bytes, size, value);
  return value;
}

static void texts_come_back(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 255, 256, 65791, 65792, 700000};
  for (size_t i = 0; i < AQ_COUNT_OF(sizes); i++) {
    aq_error err;
    char *text = long_text(sizes[i]), *value, *again, *back;
    size_t size;
    uint64_t told;
    assert_ok(aq_zstd_text_make(text, sizes[i], &value, &err));
    assert_ok(aq_zstd_text_make(text, sizes[i], &again, &err));
    assert_string_equal(value, again);
    assert_true(aq_zstd_text_size(value, &told));
    assert_int_equal(told, sizes[i]);
    assert_ok(aq_zstd_text_read(value, sizes[i], &back, &size, &err));
    assert_int_equal(size, sizes[i]);
    assert_string_equal(back, text);
    aq_free(back);
    aq_free(again);
    aq_free(value);
    aq_free(text);
  }
}

static void refuse(const char *value, size_t max, aq_status status, const char *words) {
  aq_error err;
  char *text;
  size_t size;
  assert_int_equal(aq_zstd_text_read(value, max, &text, &size, &err), status);
  assert_null(text);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
}

/* The frame of a text of 3,000 bytes; the caller changes it. */
static uint8_t *make_frame(size_t *size) {
  aq_error err;
  char *text = long_text(3000), *value;
  assert_ok(aq_zstd_text_make(text, 3000, &value, &err));
  uint8_t *frame = malloc(aq_base64_room(strlen(value)));
  assert_non_null(frame);
  assert_true(aq_base64_decode(value, strlen(value), frame, size));
  aq_free(value);
  aq_free(text);
  return frame;
}

static void refuse_frame(const uint8_t *frame, size_t size, aq_status status, const char *words) {
  char *value = base64_of(frame, size);
  refuse(value, MAX, status, words);
  free(value);
}

/* A checksum finds what the decoder itself does not. One bit of the header means nothing, so there the text is right.
 */
static void damage_anywhere_is_found(void **state) {
  (void)state;
  size_t size;
  uint8_t *frame = make_frame(&size);
  size_t unused = 0;
  for (size_t bit = 0; bit < 8 * size; bit++) {
    aq_error err;
    char *text;
    size_t found;
    frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
    char *value = base64_of(frame, size);
    const aq_status status = aq_zstd_text_read(value, MAX, &text, &found, &err);
    if (status == AQ_OK) {
      char *expected = long_text(3000);
      assert_true(++unused <= 8);
      assert_int_equal(found, 3000);
      assert_string_equal(text, expected);
      aq_free(expected);
    } else if (status != AQ_ERR_CORRUPT && status != AQ_ERR_UNSUPPORTED) {
      fail_msg("bit %zu: %s", bit, aq_status_name(status));
    }
    aq_free(text);
    free(value);
    frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
  }
  for (size_t cut = 0; cut < size; cut++) {
    char *value = base64_of(frame, cut);
    refuse(value, MAX, AQ_ERR_CORRUPT, "");
    free(value);
  }
  free(frame);
}

static void values_that_are_no_frame_are_refused(void **state) {
  (void)state;
  static const uint8_t skippable[] = {0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0};
  uint64_t told;
  refuse("{\"model\": {}}", MAX, AQ_ERR_CORRUPT, "not base64");
  refuse("Zm9v\n", MAX, AQ_ERR_CORRUPT, "not base64");
  refuse("", MAX, AQ_ERR_CORRUPT, "does not begin as a zstd frame");
  refuse("Zm9vYmFy", MAX, AQ_ERR_CORRUPT, "does not begin as a zstd frame");
  refuse_frame(skippable, sizeof skippable, AQ_ERR_CORRUPT, "does not begin as a zstd frame");
  assert_false(aq_zstd_text_size("", &told));
  assert_false(aq_zstd_text_size("Zm9vYmFy", &told));
  assert_false(aq_zstd_text_size("{\"model\": {}}", &told));
  size_t size;
  uint8_t *frame = make_frame(&size), *two = malloc(2 * size);
  assert_non_null(two);
  memcpy(two, frame, size);
  memcpy(two + size, frame, size);
  refuse_frame(two, 2 * size, AQ_ERR_CORRUPT, "bytes follow its zstd frame");
  free(two);
  free(frame);
}

/* zstd streams may leave the size out; a reader could then be made to unpack without end. */
static void frame_without_a_content_size_is_refused(void **state) {
  (void)state;
  uint8_t frame[256];
  ZSTD_CCtx *context = ZSTD_createCCtx();
  assert_non_null(context);
  assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)));
  const size_t size = ZSTD_compress2(context, frame, sizeof frame, "some words", 10);
  assert_false(ZSTD_isError(size));
  (void)ZSTD_freeCCtx(context);
  refuse_frame(frame, size, AQ_ERR_CORRUPT, "says its content size");
}

/* 64 MiB of zeros are a few kB; the header tells. */
static void text_larger_than_asked_for_takes_no_memory(void **state) {
  (void)state;
  const aq_allocator allocator = {faulty_reallocate, faulty_release, NULL};
  const size_t many = (size_t)64 << 20;
  aq_error err;
  char *text = calloc(many, 1), *value, *copy, *back;
  size_t size;
  assert_non_null(text);
  assert_ok(aq_zstd_text_make(text, many, &value, &err));
  assert_true(strlen(value) < 20000);
  refuse(value, many - 1, AQ_ERR_UNSUPPORTED, "holds a text of 67108864 bytes");
  copy = strdup(value);
  assert_non_null(copy);
  aq_free(value);
  atomic_store(&countdown, 2); /* the frame's own bytes, and nothing more */
  aq_set_allocator(&allocator);
  assert_int_equal(aq_zstd_text_read(copy, many - 1, &back, &size, &err), AQ_ERR_UNSUPPORTED);
  atomic_store(&countdown, 2);
  assert_int_equal(aq_zstd_text_read(copy, many, &back, &size, &err), AQ_ERR_MEMORY);
  aq_set_allocator(NULL);
  assert_int_equal(atomic_load(&alive), 0);
  free(copy);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_come_back),
      cmocka_unit_test(damage_anywhere_is_found),
      cmocka_unit_test(values_that_are_no_frame_are_refused),
      cmocka_unit_test(frame_without_a_content_size_is_refused),
      cmocka_unit_test(text_larger_than_asked_for_takes_no_memory),
  };
  return cmocka_run_group_tests_name("zstd_text", tests, NULL, NULL);
}
