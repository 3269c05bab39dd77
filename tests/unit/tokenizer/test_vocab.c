/* test_vocab.c - the hash table of a vocabulary: every token is found, in one piece or two, and nothing else. */
#include "check.h"
#include "tokenizer/vocab.h"

enum { TOKENS = 40000 };

/* Numbers in words of a few letters, so that many begin alike. */
static size_t spell(uint32_t number, char *text) {
  size_t size = 0;
  do text[size++] = "abcdefg"[number % 7];
  while ((number /= 7) > 0);
  return size;
}

static int32_t find_in_two(const aq_vocab *vocab, const char *text, size_t size, size_t cut) {
  const uint8_t *bytes = (const uint8_t *)text;
  return aq_vocab_find_hashed(vocab, aq_vocab_hash(AQ_VOCAB_HASH_START, text, size), bytes, cut, bytes + cut,
                              size - cut);
}

static void tokens_are_found_and_nothing_else(void **state) {
  (void)state;
  aq_error err;
  aq_vocab vocab = {.entries = NULL};
  char text[16];
  assert_int_equal(aq_vocab_find(&vocab, "a", 1), -1); /* an empty one has no table */
  for (uint32_t i = 0; i < TOKENS; i++) {
    const size_t size = spell(2 * i, text);
    if (aq_vocab_find(&vocab, text, size) < 0) assert_ok(aq_vocab_add(&vocab, text, size, i, &err));
  }
  assert_true(vocab.count * 2 <= vocab.slot_count);
  size_t found = 0;
  for (uint32_t i = 0; i < 2 * TOKENS; i++) {
    const size_t size = spell(i, text);
    const int32_t id = aq_vocab_find(&vocab, text, size);
    assert_int_equal(id, i % 2 == 0 ? (int32_t)(i / 2) : -1);
    for (size_t cut = 0; cut <= size; cut++) assert_int_equal(find_in_two(&vocab, text, size, cut), id);
    found += id >= 0;
  }
  assert_int_equal(found, vocab.count);
  aq_vocab_reset(&vocab);
}

/* The same hash and size, and other bytes. */
static void tokens_are_compared_byte_by_byte(void **state) {
  (void)state;
  aq_error err;
  aq_vocab vocab = {.entries = NULL};
  assert_ok(aq_vocab_add(&vocab, "abc", 3, 7, &err));
  const uint64_t hash = aq_vocab_hash(AQ_VOCAB_HASH_START, "abc", 3);
  const uint8_t *abc = (const uint8_t *)"abc", *abx = (const uint8_t *)"abx", *xbc = (const uint8_t *)"xbc";
  for (size_t cut = 0; cut <= 3; cut++) {
    assert_int_equal(aq_vocab_find_hashed(&vocab, hash, abc, cut, abc + cut, 3 - cut), 7);
    assert_int_equal(aq_vocab_find_hashed(&vocab, hash, abx, cut, abx + cut, 3 - cut), -1);
    assert_int_equal(aq_vocab_find_hashed(&vocab, hash, xbc, cut, xbc + cut, 3 - cut), -1);
  }
  assert_int_equal(aq_vocab_find_hashed(&vocab, hash, abc, 0, abc, 2), -1);
  aq_vocab_reset(&vocab);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tokens_are_found_and_nothing_else),
      cmocka_unit_test(tokens_are_compared_byte_by_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
