/* test_corpus.c - texts to calibrate with: from a file, and the built-in ones; words in their forms. */
#include <ctype.h>

#include "calib/corpus/corpus.h"
#include "calib/corpus/corpus_data.h"
#include "calib/corpus/corpus_forms.h"
#include "calib/corpus/corpus_grammar.h"
#include "check.h"
#include "core/compiler.h"
#include "core/utf8.h"
#include "faulty_allocator.h"
#include "measure/builtin_texts.h"
#include "measure/tuning_texts.h"

/* ---- files ---- */

static char *write_texts(const char *folder, const char *bytes, size_t size) {
  static char path[600];
  (void)snprintf(path, sizeof path, "%s/texts.txt", folder);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
  return path;
}

static bool has(const aq_corpus *corpus, const char *text) {
  for (size_t i = 0; i < corpus->count; i++) {
    if (strcmp(corpus->texts[i], text) == 0 && corpus->lengths[i] == strlen(text)) return true;
  }
  return false;
}

static void a_file_gives_a_text_a_line_without_empty_ones(void **state) {
  (void)state;
  aq_error err = {0};
  char *folder = make_folder();
  static const char bytes[] = "one\n\n two words\r\n\r\n   \t\ngrün\nlast";
  const char *path = write_texts(folder, bytes, sizeof bytes - 1);
  aq_corpus corpus = {0};
  assert_ok(aq_corpus_load(path, 100, &corpus, &err));
  assert_int_equal(corpus.count, 4);
  static const char *const wanted[] = {"one", " two words", "grün", "last"};
  for (size_t i = 0; i < AQ_COUNT_OF(wanted); i++) assert_true(has(&corpus, wanted[i]));
  aq_corpus_reset(&corpus);
  assert_null(corpus.texts);
  drop_folder(folder);
}

/* Lines are numbers, so that a text says where it was. */
static size_t numbers(char *bytes, size_t count) {
  size_t size = 0;
  for (size_t i = 0; i < count; i++) size += (size_t)sprintf(bytes + size, "%zu\n", i);
  return size;
}

static void of_a_long_file_evenly_spaced_lines_are_taken_and_mixed(void **state) {
  (void)state;
  aq_error err = {0};
  char *folder = make_folder();
  static char bytes[6000];
  const char *path = write_texts(folder, bytes, numbers(bytes, 1000));
  aq_corpus corpus = {0}, again = {0};
  assert_ok(aq_corpus_load(path, 300, &corpus, &err));
  assert_ok(aq_corpus_load(path, 300, &again, &err));
  assert_int_equal(corpus.count, 300);
  size_t early = 0, in_order = 0;
  for (size_t i = 0; i < 300; i++) {
    char wanted[8];
    (void)snprintf(wanted, sizeof wanted, "%zu", i * 1000 / 300);
    assert_true(has(&corpus, wanted));
    assert_string_equal(corpus.texts[i], again.texts[i]);
    in_order += strcmp(corpus.texts[i], wanted) == 0;
    early += i < 100 && atoi(corpus.texts[i]) < 500;
  }
  assert_in_range(in_order, 0, 10);
  assert_in_range(early, 35, 65); /* the first hundred are from everywhere */
  aq_corpus_reset(&corpus);
  aq_corpus_reset(&again);
  drop_folder(folder);
}

static void texts_in_memory_are_those_of_a_file(void **state) {
  (void)state;
  aq_error err = {0};
  char *folder = make_folder();
  static char bytes[6000], words[1000][8];
  static const char *texts[1001];
  static size_t lengths[1001];
  const char *path = write_texts(folder, bytes, numbers(bytes, 1000));
  for (size_t i = 0; i < 1000; i++) {
    (void)snprintf(words[i], sizeof words[i], "%zu", i);
    texts[i] = words[i];
    lengths[i] = strlen(words[i]);
  }
  texts[1000] = " \n"; /* counts for nothing */
  lengths[1000] = 2;
  aq_corpus of_file = {0}, of_list = {0};
  aq_text_list list = {.texts = texts, .count = 1001};
  assert_ok(aq_corpus_load(path, 300, &of_file, &err));
  for (int with_lengths = 0; with_lengths < 2; with_lengths++) {
    list.lengths = with_lengths ? lengths : NULL;
    assert_ok(aq_corpus_take(&list, 300, &of_list, &err));
    assert_int_equal(of_list.count, of_file.count);
    for (size_t i = 0; i < of_list.count; i++) {
      assert_string_equal(of_list.texts[i], of_file.texts[i]);
      assert_int_equal(of_list.lengths[i], of_file.lengths[i]);
    }
    aq_corpus_reset(&of_list);
  }
  list = (aq_text_list){.texts = texts + 1000, .count = 1};
  assert_int_equal(aq_corpus_take(&list, 300, &of_list, &err), AQ_ERR_ARGUMENT);
  aq_corpus_reset(&of_file);
  drop_folder(folder);
}

static void a_bad_file_says_what_is_wrong_with_it(void **state) {
  (void)state;
  aq_error err = {0};
  char *folder = make_folder();
  aq_corpus corpus = {0};
  assert_int_equal(aq_corpus_load(write_texts(folder, "\n \n", 3), 10, &corpus, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "no texts"));
  assert_int_equal(aq_corpus_load(write_texts(folder, "", 0), 10, &corpus, &err), AQ_ERR_FORMAT);
  assert_int_equal(aq_corpus_load(write_texts(folder, "a\n\nb\xff\n", 6), 10, &corpus, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "line 3"));
  assert_int_equal(aq_corpus_load(write_texts(folder, "a\0b\n", 4), 10, &corpus, &err), AQ_ERR_FORMAT);
  assert_int_equal(aq_corpus_load("/nowhere/texts.txt", 10, &corpus, &err), AQ_ERR_NOT_FOUND);
  assert_int_equal(aq_corpus_load(write_texts(folder, "a\n", 2), 0, &corpus, &err), AQ_ERR_ARGUMENT);
  assert_null(corpus.texts);
  assert_int_equal(corpus.count, 0);
  drop_folder(folder);
}

/* ---- the built-in corpus ---- */

#define MANY 20000

static aq_corpus many; /* made once */

static int make_many(void **state) {
  (void)state;
  aq_error err = {0};
  return aq_corpus_builtin(MANY, &many, &err) == AQ_OK ? 0 : -1;
}

static int drop_many(void **state) {
  (void)state;
  aq_corpus_reset(&many);
  return 0;
}

static void a_shorter_corpus_is_the_beginning_of_a_longer_one(void **state) {
  (void)state;
  aq_error err = {0};
  aq_corpus few = {0};
  assert_ok(aq_corpus_builtin(777, &few, &err));
  assert_int_equal(few.count, 777);
  for (size_t i = 0; i < few.count; i++) {
    assert_int_equal(few.lengths[i], strlen(few.texts[i]));
    assert_string_equal(few.texts[i], many.texts[i]);
  }
  aq_corpus_reset(&few);
  assert_ok(aq_corpus_builtin(0, &few, &err));
  assert_int_equal(few.count, 0);
  aq_corpus_reset(&few);
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static char *lowered(const char *text) {
  char *copy = strdup(text);
  assert_non_null(copy);
  for (char *p = copy; *p != 0; p++) *p = (char)tolower((unsigned char)*p);
  return copy;
}

static void no_text_comes_twice_or_is_one_that_models_are_judged_by(void **state) {
  (void)state;
  static char *all[MANY];
  for (size_t i = 0; i < MANY; i++) all[i] = lowered(many.texts[i]);
  qsort(all, MANY, sizeof all[0], compare_texts);
  for (size_t i = 1; i < MANY; i++) assert_string_not_equal(all[i - 1], all[i]);
  for (size_t i = 0; i < aq_builtin_text_count + aq_tuning_text_count; i++) {
    char *judged =
        lowered(i < aq_builtin_text_count ? aq_builtin_texts[i].text : aq_tuning_texts[i - aq_builtin_text_count]);
    if (bsearch(&judged, all, MANY, sizeof all[0], compare_texts) != NULL) fail_msg("'%s' is in the corpus", judged);
    free(judged);
  }
  for (size_t i = 0; i < MANY; i++) free(all[i]);
}

static void every_text_is_finished_utf8(void **state) {
  (void)state;
  for (size_t i = 0; i < MANY; i++) {
    assert_true(aq_utf8_ok(many.texts[i]));
    if (many.lengths[i] == 0 || strpbrk(many.texts[i], "~^") != NULL || strstr(many.texts[i], "  a ") != NULL) {
      fail_msg("text %zu: '%s'", i, many.texts[i]);
    }
  }
}

static size_t words_of(const char *text) {
  size_t n = 1;
  for (; *text != 0; text++) n += *text == ' ';
  return n;
}

static void every_beginning_has_about_the_same_mixture(void **state) {
  (void)state;
  static const size_t ends[] = {200, 1000, 4000, MANY};
  for (size_t k = 0; k < AQ_COUNT_OF(ends); k++) {
    size_t questions = 0, middle = 0, extended = 0, foreign = 0, words = 0, n = ends[k];
    for (size_t i = 0; i < n; i++) {
      const size_t w = words_of(many.texts[i]);
      words += w <= 2;
      middle += w >= 28 && w <= 110;
      extended += w >= 130;
      questions += w < 28 && many.texts[i][many.lengths[i] - 1] == '?';
      for (const char *p = many.texts[i]; *p != 0; p++) {
        if ((unsigned char)*p >= 0xD0 && (unsigned char)*p <= 0xE9) { /* Cyrillic to Han */
          foreign++;
          break;
        }
      }
    }
    assert_in_range(words, n * 14 / 100, n * 22 / 100);
    assert_in_range(questions, n * 6 / 100, n * 12 / 100);
    assert_in_range(middle, n * 15 / 100, n * 25 / 100);
    assert_in_range(extended, n * 4 / 100, n * 6 / 100);
    assert_in_range(foreign, n / 200, n * 5 / 100);
  }
}

static void the_vocabulary_is_wide(void **state) {
  (void)state;
  static char *seen[1 << 17];
  size_t distinct = 0;
  const char *separators = " .,;:?!\"()[]{}<>=/-_'\n\t0123456789";
  for (size_t i = 0; i < 4000; i++) {
    char *copy = lowered(many.texts[i]);
    for (char *save = NULL, *w = strtok_r(copy, separators, &save); w != NULL; w = strtok_r(NULL, separators, &save)) {
      size_t h = 5381;
      for (const char *p = w; *p != 0; p++) h = h * 33 + (unsigned char)*p;
      for (h %= AQ_COUNT_OF(seen); seen[h] != NULL && strcmp(seen[h], w) != 0;) h = (h + 1) % AQ_COUNT_OF(seen);
      if (seen[h] != NULL) continue;
      seen[h] = strdup(w);
      distinct++;
    }
    free(copy);
  }
  for (size_t i = 0; i < AQ_COUNT_OF(seen); i++) free(seen[i]);
  assert_in_range(distinct, 6000, 20000);
}

static void running_out_of_memory_leaves_nothing_behind(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_set_allocator(&faulty);
  for (long allowed = 1; allowed < 100000; allowed++) {
    atomic_store(&alive, 0);
    atomic_store(&countdown, allowed);
    aq_error err = {0};
    aq_corpus corpus = {0};
    const aq_status status = aq_corpus_builtin(20, &corpus, &err);
    aq_corpus_reset(&corpus);
    assert_int_equal(atomic_load(&alive), 0);
    if (status == AQ_OK) break;
    assert_int_equal(status, AQ_ERR_MEMORY);
  }
  aq_set_allocator(NULL);
}

/* ---- grammar and forms ---- */

/* All choices of all rules lead somewhere: a name that is missing is an error. */
static void every_rule_can_be_expanded(void **state) {
  (void)state;
  aq_error err = {0};
  aq_grammar *grammar = NULL;
  assert_ok(aq_grammar_create(&grammar, &err));
  aq_buffer out = {0};
  for (uint64_t seed = 0; seed < 100; seed++) {
    aq_grammar_begin(grammar, seed);
    for (size_t i = 0; i < aq_corpus_phrase_count; i++) {
      assert_ok(aq_grammar_append(grammar, aq_corpus_phrases[i].name, &out, &err));
    }
    for (size_t i = 0; i < aq_corpus_language_count; i++) {
      assert_ok(aq_grammar_append(grammar, aq_corpus_languages[i].name, &out, &err));
    }
    out.size = 0;
  }
  assert_int_equal(aq_grammar_append(grammar, "nothing", &out, &err), AQ_ERR_INTERNAL);
  aq_buffer_reset(&out);
  aq_grammar_free(grammar);
}

static void append_story(aq_grammar *grammar, uint64_t seed, aq_buffer *out) {
  aq_error err = {0};
  out->size = 0;
  aq_grammar_begin(grammar, seed);
  for (int i = 0; i < 30; i++) assert_ok(aq_grammar_append(grammar, "story", out, &err));
  assert_ok(aq_buffer_append_byte(out, 0, &err));
}

static void a_text_depends_on_its_seed_alone(void **state) {
  (void)state;
  aq_error err = {0};
  aq_grammar *grammar = NULL;
  assert_ok(aq_grammar_create(&grammar, &err));
  aq_buffer first = {0}, other = {0};
  for (uint64_t seed = 1; seed < 10; seed++) {
    append_story(grammar, seed, &first);
    append_story(grammar, seed + 100, &other);
    assert_string_not_equal((const char *)first.data, (const char *)other.data);
    append_story(grammar, seed, &other);
    assert_string_equal((const char *)first.data, (const char *)other.data);
  }
  aq_buffer_reset(&first);
  aq_buffer_reset(&other);
  aq_grammar_free(grammar);
}

static void words_take_the_form_asked_for(void **state) {
  (void)state;
  static const struct {
    const char *word;
    char form;
    const char *wanted;
  } cases[] = {{"table", 's', "tables"},
               {"berry", 's', "berries"},
               {"day", 's', "days"},
               {"church", 's', "churches"},
               {"stomach", 's', "stomachs"},
               {"woman", 's', "women"},
               {"crisis", 's', "crises"},
               {"child", 's', "children"},
               {"coat_of_arms", 's', "coats of arms"},
               {"frying_pan", 's', "frying pans"},
               {"go_on", '3', "goes on"},
               {"have", '3', "has"},
               {"boo", '3', "boos"},
               {"carry", 'd', "carried"},
               {"stop", 'd', "stopped"},
               {"visit", 'd', "visited"},
               {"admit", 'd', "admitted"},
               {"quote", 'd', "quoted"},
               {"write", 'd', "wrote"},
               {"write", 'n', "written"},
               {"throw_away", 'n', "thrown away"},
               {"run", 'g', "running"},
               {"lie", 'g', "lying"},
               {"dye", 'g', "dyeing"},
               {"make", 'g', "making"},
               {"flee", 'g', "fleeing"},
               {"fix", 'g', "fixing"},
               {"ice_cream", 0, "ice cream"}};
  aq_error err = {0};
  aq_buffer out = {0};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    out.size = 0;
    assert_ok(aq_form_append(&out, cases[i].word, strlen(cases[i].word), cases[i].form, &err));
    assert_ok(aq_buffer_append_byte(&out, 0, &err));
    assert_string_equal((const char *)out.data, cases[i].wanted);
  }
  aq_buffer_reset(&out);
}

static void articles_go_by_sound(void **state) {
  (void)state;
  static const char *const with_an[] = {"apple",   "hour", "honest man", "umbrella", "unimportant thing",
                                        "Old Man", "x-ray"};
  static const char *const with_a[] = {"table", "university", "one-way ticket", "European", "useful idea", "house", ""};
  for (size_t i = 0; i < AQ_COUNT_OF(with_an); i++) {
    assert_true(aq_form_takes_an(with_an[i], strlen(with_an[i])));
    assert_false(aq_form_takes_an(with_a[i], strlen(with_a[i])));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_gives_a_text_a_line_without_empty_ones),
      cmocka_unit_test(of_a_long_file_evenly_spaced_lines_are_taken_and_mixed),
      cmocka_unit_test(texts_in_memory_are_those_of_a_file),
      cmocka_unit_test(a_bad_file_says_what_is_wrong_with_it),
      cmocka_unit_test(a_shorter_corpus_is_the_beginning_of_a_longer_one),
      cmocka_unit_test(no_text_comes_twice_or_is_one_that_models_are_judged_by),
      cmocka_unit_test(every_text_is_finished_utf8),
      cmocka_unit_test(every_beginning_has_about_the_same_mixture),
      cmocka_unit_test(the_vocabulary_is_wide),
      cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
      cmocka_unit_test(every_rule_can_be_expanded),
      cmocka_unit_test(a_text_depends_on_its_seed_alone),
      cmocka_unit_test(words_take_the_form_asked_for),
      cmocka_unit_test(articles_go_by_sound),
  };
  return cmocka_run_group_tests(tests, make_many, drop_many);
}
