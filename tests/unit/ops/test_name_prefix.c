/* test_name_prefix.c - a prefix by which all names of two sources differ. */
#include "ops/name_prefix.h"
#include "source_fixture.h"

static const float value = 1;

/* A source of vectors with these names, parted by blanks. */
static aq_source *source_of(const char *names) {
  aq_source *source = make_source();
  while (*names != '\0') {
    char name[64];
    const size_t length = strcspn(names, " ");
    (void)snprintf(name, sizeof name, "%.*s", (int)length, names);
    add_f32(source, name, 1, 0, &value);
    names += length + strspn(names + length, " ");
  }
  return source;
}

static bool find(const char *first, const char *second, char *prefix, size_t size, bool *is_second) {
  aq_source *a = source_of(first), *b = source_of(second);
  const bool found = aq_name_prefix_find(a, b, prefix, size, is_second);
  aq_source_close(a);
  aq_source_close(b);
  return found;
}

static void prefix_is_found_on_either_side(void **state) {
  (void)state;
  static const char bare[] = "embeddings.weight layer.0.weight norm";
  static const char with[] = "norm bert.norm bert.layer.0.weight bert.embeddings.weight";
  char prefix[32];
  bool is_second;
  assert_true(find(bare, with + strlen("norm "), prefix, sizeof prefix, &is_second)); /* in any order */
  assert_string_equal(prefix, "bert.");
  assert_true(is_second);
  assert_true(find(with + strlen("norm "), bare, prefix, sizeof prefix, &is_second));
  assert_string_equal(prefix, "bert.");
  assert_false(is_second);
}

static void prefix_of_several_parts_is_found_and_cut_to_the_room(void **state) {
  (void)state;
  char prefix[8];
  bool is_second;
  assert_true(find("a b", "model.text.a model.text.b", prefix, sizeof prefix, &is_second));
  assert_string_equal(prefix, "model.t");
}

static void every_candidate_is_tried(void **state) {
  (void)state;
  char prefix[32];
  bool is_second;
  /* "x." fits the first name alone; "x.y." fits both. */
  assert_true(find("weight y.weight", "x.y.weight x.y.y.weight", prefix, sizeof prefix, &is_second));
  assert_string_equal(prefix, "x.y.");
}

static void names_that_differ_otherwise_have_no_prefix(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"a b", "p.a p.c"},     /* one name differs */
      {"a b", "p.a q.b"},     /* two prefixes */
      {"a b", "p.a p.b p.c"}, /* more tensors */
      {"a b", "pxa pxb"},     /* no dot */
      {"a b", "a b"},         /* the same names */
      {"a b", ".a .b c"},     {"", ""}, {"", "p.a"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    char prefix[32];
    bool is_second;
    if (find(pairs[i][0], pairs[i][1], prefix, sizeof prefix, &is_second)) fail_msg("pair %zu has a prefix", i);
    if (find(pairs[i][1], pairs[i][0], prefix, sizeof prefix, &is_second)) fail_msg("pair %zu, turned, has one", i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prefix_is_found_on_either_side),
      cmocka_unit_test(prefix_of_several_parts_is_found_and_cut_to_the_room),
      cmocka_unit_test(every_candidate_is_tried),
      cmocka_unit_test(names_that_differ_otherwise_have_no_prefix),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
