/* test_charsmap.c - charsmaps of SentencePiece, what they do to a text, and the clusters that they are applied to. */
#include "core/base64.h"
#include "core/memory.h"
#include "parse_json.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/grapheme.h"
#include "tokenizer/grapheme_class.h"
#include "tokenizer/normalizers.h"

#define UNITS 2048

/* a: X; one half: 1/2; line feed: nothing; e with a circumflex, in two characters: E. */
static const char texts[] =
    "X\0"
    "1/2\0"
    "\0"
    "E";
#define TEXTS_SIZE (sizeof texts - 1)

typedef struct charsmap_bytes {
  uint32_t size;
  uint32_t units[UNITS];
  char text[TEXTS_SIZE];
} charsmap_bytes;

/* The node at a place, whose children are at `base` ^ byte. */
static void put_node(charsmap_bytes *b, uint32_t at, uint32_t label, uint32_t base, bool has_value) {
  b->units[at] = label | (has_value ? 0x100u : 0) | (at ^ base) << 10;
}

static void make_bytes(charsmap_bytes *b) {
  *b = (charsmap_bytes){.size = sizeof b->units};
  memcpy(b->text, texts, TEXTS_SIZE);
  put_node(b, 0, 0, 256, false);
  put_node(b, 256 ^ 'a', 'a', 512, true);
  b->units[512] = 0x80000000u;
  put_node(b, 256 ^ 0xC2, 0xC2, 768, false);
  put_node(b, 768 ^ 0xBD, 0xBD, 1024, true);
  b->units[1024] = 0x80000000u | 2;
  put_node(b, 256 ^ '\n', '\n', 1280, true);
  b->units[1280] = 0x80000000u | 6;
  put_node(b, 256 ^ 'e', 'e', 1536, false);
  put_node(b, 1536 ^ 0xCC, 0xCC, 1792, false);
  put_node(b, 1792 ^ 0x82, 0x82, 1025, true);
  b->units[1025] = 0x80000000u | 7;
}

static aq_status make_map(const charsmap_bytes *b, size_t size, aq_charsmap *map, aq_error *err) {
  uint8_t *copy = aq_malloc(sizeof *b);
  assert_non_null(copy);
  memcpy(copy, b, sizeof *b);
  return aq_charsmap_make(copy, size, map, err);
}
#define WHOLE (offsetof(charsmap_bytes, text) + TEXTS_SIZE)

static void expect_found(const aq_charsmap *map, const char *key, const char *wanted) {
  aq_error err;
  bool found;
  const uint8_t *text = NULL;
  size_t size = 0;
  assert_ok(aq_charsmap_find(map, (const uint8_t *)key, strlen(key), &found, &text, &size, &err));
  assert_int_equal(found, wanted != NULL);
  if (wanted == NULL) return;
  assert_int_equal(size, strlen(wanted));
  assert_memory_equal(text, wanted, size);
}

static void the_shortest_text_of_the_map_counts(void **state) {
  (void)state;
  aq_error err;
  aq_charsmap map;
  static charsmap_bytes b;
  make_bytes(&b);
  assert_ok(make_map(&b, WHOLE, &map, &err));
  expect_found(&map, "a", "X");
  expect_found(&map, "ab", "X");
  expect_found(&map, "b", NULL);
  expect_found(&map, "", NULL);
  expect_found(&map, "\xC2\xBD", "1/2");
  expect_found(&map, "\xC2", NULL);
  expect_found(&map, "\n", "");
  expect_found(&map, "e", NULL);
  expect_found(&map, "e\xCC\x82", "E"); /* no zero behind the last text */
  aq_charsmap_reset(&map);
}

static void expect_bad(const charsmap_bytes *b, size_t size, const char *says) {
  aq_error err;
  aq_charsmap map;
  if (make_map(b, size, &map, &err) != AQ_ERR_FORMAT || strstr(err.message, says) == NULL) fail_msg("%s", err.message);
  aq_charsmap_reset(&map);
}

static void expect_outside(const charsmap_bytes *b, const char *key) {
  aq_error err;
  aq_charsmap map;
  bool found;
  const uint8_t *text;
  size_t size;
  assert_ok(make_map(b, WHOLE, &map, &err));
  assert_int_equal(aq_charsmap_find(&map, (const uint8_t *)key, strlen(key), &found, &text, &size, &err),
                   AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "points outside itself"));
  assert_false(found);
  aq_charsmap_reset(&map);
}

static void maps_that_are_none_are_refused(void **state) {
  (void)state;
  static charsmap_bytes b;
  make_bytes(&b);
  expect_bad(&b, 3, "no size of its units");
  expect_bad(&b, 4 + UNITS * 4 - 1, "do not hold them");
  b.size = 3;
  expect_bad(&b, WHOLE, "has 0 units");
  b.size = UINT32_MAX;
  expect_bad(&b, WHOLE, "do not hold them");
  make_bytes(&b);
  b.text[0] = (char)0xFF;
  expect_bad(&b, WHOLE, "not UTF-8 from its byte 0");
  make_bytes(&b);
  b.units[0] = UINT32_C(0x1FFFFF) << 10;
  expect_outside(&b, "a");
  make_bytes(&b);
  b.units[0] |= 0x200; /* an offset of 256 * 256 */
  expect_outside(&b, "a");
  make_bytes(&b);
  b.units[512] = 0x80000000u | 9; /* a text past the end */
  expect_outside(&b, "a");
  make_bytes(&b);
  memcpy(b.text, "\xC3\xA9", 2);
  b.units[512] = 0x80000000u | 1; /* in the middle of a character */
  expect_outside(&b, "a");
  put_node(&b, 256 ^ 'a', 'a', UNITS, true); /* a value past the end */
  expect_outside(&b, "a");
}

static json_t *precompiled_of(const charsmap_bytes *b) {
  const size_t length = aq_base64_length(WHOLE);
  char *text = aq_malloc(length + 1);
  assert_non_null(text);
  aq_base64_encode((const uint8_t *)b, WHOLE, text);
  json_t *object = json_pack("{s:s,s:s}", "type", "Precompiled", "precompiled_charsmap", text);
  aq_free(text);
  return object;
}

static void expect_normal(const aq_normalizers *n, const char *text, const char *wanted) {
  aq_error err;
  aq_buffer out = {NULL, 0, 0};
  aq_normalizer_scratch scratch = {.own = {NULL, 0, 0}};
  assert_ok(aq_normalizers_apply(n, (const uint8_t *)text, strlen(text), &out, &scratch, &err));
  assert_ok(aq_buffer_append_byte(&out, 0, &err));
  assert_string_equal((const char *)out.data, wanted);
  aq_buffer_reset(&out);
  aq_normalizer_scratch_reset(&scratch);
}

static void short_clusters_become_what_they_begin_with(void **state) {
  (void)state;
  aq_error err;
  aq_normalizers n = {.count = 0};
  static charsmap_bytes b;
  make_bytes(&b);
  json_t *object = precompiled_of(&b);
  assert_ok(aq_normalizers_read(&n, object, &err));
  assert_false(aq_normalizers_are_local(&n));
  expect_normal(&n, "banana b", "bXnXnX b");
  expect_normal(&n, "a\xCC\x82", "X"); /* the mark goes with the rest of its cluster */
  expect_normal(&n, "a\xCC\x82\xCC\x82\xCC\x82", "X\xCC\x82\xCC\x82\xCC\x82"); /* of more than five bytes: one by one */
  expect_normal(&n, "a\xCC\x82\xE2\x83\x90", "X\xCC\x82\xE2\x83\x90");         /* of six */
  expect_normal(&n, "e\xCC\x82 e", "E e");
  expect_normal(&n,
                "\xC2\xBD\xE2\x82\xAC"
                "a",
                "1/2\xE2\x82\xACX");
  expect_normal(&n, "b\nb\r\nb", "bb\rb"); /* no text of the map begins with "\r", so it is "\n" that goes */
  expect_normal(&n, "\xE1\x84\x80\xE1\x85\xA1", "\xE1\x84\x80\xE1\x85\xA1");
  aq_normalizers_reset(&n);
  json_decref(object);
}

static void expect_unread(json_t *object, const char *says) {
  aq_error err;
  aq_normalizers n = {.count = 0};
  assert_int_equal(aq_normalizers_read(&n, object, &err), AQ_ERR_FORMAT);
  if (strstr(err.message, says) == NULL) fail_msg("%s", err.message);
  aq_normalizers_reset(&n);
  json_decref(object);
}

static void what_is_no_charsmap_is_refused(void **state) {
  (void)state;
  static charsmap_bytes b;
  make_bytes(&b);
  b.units[512] = 0xFFFFFFFFu;
  expect_unread(precompiled_of(&b), "points outside itself");
  expect_unread(parse_json("{'type':'Precompiled'}"), "no size of its units");
  expect_unread(parse_json("{'type':'Precompiled','precompiled_charsmap':'!'}"), "not base64");
  expect_unread(parse_json("{'type':'Precompiled','precompiled_charsmap':3}"), "precompiled_charsmap");
}

static void expect_clusters(const char *text, const size_t *wanted) {
  const size_t size = strlen(text);
  for (size_t at = 0; at < size; wanted++) {
    const size_t end = aq_grapheme_end((const uint8_t *)text, size, at);
    if (end - at != *wanted) fail_msg("%s: %zu bytes at %zu", text, end - at, at);
    at = end;
  }
  assert_int_equal(*wanted, 0);
}
#define CLUSTERS(text, ...) expect_clusters(text, (const size_t[]){__VA_ARGS__, 0})

/* Numbers are those of the rules in Annex 29. */
static void clusters_follow_the_rules(void **state) {
  (void)state;
  CLUSTERS("ab", 1, 1);
  CLUSTERS("\r\n\r\r\n", 2, 1, 2);                                    /* GB3 */
  CLUSTERS("a\n\xCC\x81", 1, 1, 2);                                   /* GB4, GB5 */
  CLUSTERS("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8\xE1\x84\x80", 9, 3); /* GB6 to GB8 */
  CLUSTERS("\xEA\xB0\x80\xE1\x86\xA8\xEA\xB0\x81\xE1\x86\xA8\xE1\x85\xA1", 6, 6, 3);
  CLUSTERS(
      "a\xCC\x81\xE2\x80\x8D"
      "b",
      6, 1); /* GB9 */
  CLUSTERS(
      "\xE0\xA4\x95\xE0\xA4\x83"
      "a",
      6, 1); /* GB9a */
  CLUSTERS(
      "\xD8\x80"
      "ab",
      3, 1);                                                          /* GB9b */
  CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x96\xE0\xA4\x95", 9, 3); /* GB9c */
  CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8C\xE0\xA4\x95", 9, 3); /* a non-joiner ends the conjunct */
  CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xBC\xE0\xA4\x95", 12);
  CLUSTERS("\xC2\xA9\xCC\x81\xE2\x80\x8D\xC2\xA9\xC2\xA9", 9, 2); /* GB11 */
  CLUSTERS("a\xE2\x80\x8D\xC2\xA9", 4, 2);
  CLUSTERS("\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA\xF0\x9F\x87\xA9", 8, 8, 4); /* GB12 */
}

static void classes_are_those_of_unicode_17(void **state) {
  (void)state;
  static const struct {
    uint32_t c;
    aq_grapheme_class class;
  } some[] = {{'a', AQ_GRAPHEME_OTHER},       {0xAD, AQ_GRAPHEME_CONTROL},    {0x897, AQ_GRAPHEME_EXTEND},
              {0x94D, AQ_GRAPHEME_LINKER},    {0x1039, AQ_GRAPHEME_LINKER},   {0x1000, AQ_GRAPHEME_CONSONANT},
              {0x113D1, AQ_GRAPHEME_PREPEND}, {0x11A3A, AQ_GRAPHEME_OTHER},   {0x1F600, AQ_GRAPHEME_PICTURE},
              {0x2605, AQ_GRAPHEME_OTHER},    {0x1FFFE, AQ_GRAPHEME_OTHER},   {0xFFF0, AQ_GRAPHEME_CONTROL},
              {0x1F3FD, AQ_GRAPHEME_EXTEND},  {0x1F1E6, AQ_GRAPHEME_REGION},  {0x10FFFF, AQ_GRAPHEME_OTHER},
              {0x1FC00, AQ_GRAPHEME_PICTURE}, {0x113B9, AQ_GRAPHEME_SPACING}, {0xCC0, AQ_GRAPHEME_EXTEND}};
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    if (aq_grapheme_class_of(some[i].c) != some[i].class) fail_msg("U+%04X", (unsigned)some[i].c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_shortest_text_of_the_map_counts),
      cmocka_unit_test(maps_that_are_none_are_refused),
      cmocka_unit_test(short_clusters_become_what_they_begin_with),
      cmocka_unit_test(what_is_no_charsmap_is_refused),
      cmocka_unit_test(clusters_follow_the_rules),
      cmocka_unit_test(classes_are_those_of_unicode_17),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
