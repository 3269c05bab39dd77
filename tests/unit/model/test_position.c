/* test_position.c - the rows of the position table, by hand. */
#include "model/nn/position.h"

#include "check.h"
#include "core/compiler.h"

static void expect_rows(const aq_model_config *config, const int32_t *ids, const size_t *rows, size_t count) {
  size_t counted = 0;
  for (size_t t = 0; t < count; t++) {
    assert_int_equal(aq_position_count(config, ids, t), counted);
    assert_int_equal(aq_position_next(config, ids[t], &counted), rows[t]);
  }
}

static void position_without_padding_token_counts_all(void **state) {
  (void)state;
  const aq_model_config bert = {.first_position = 0, .padding = -1};
  const int32_t ids[] = {101, 0, 7, -1, 102};
  const size_t rows[] = {0, 1, 2, 3, 4};
  expect_rows(&bert, ids, rows, AQ_COUNT_OF(ids));
}

/* create_position_ids_from_input_ids([0, 1, 5, 6, 1, 1, 2], padding_idx=1) of transformers. */
static void position_of_a_padding_token_is_its_own_row(void **state) {
  (void)state;
  const aq_model_config roberta = {.first_position = 2, .padding = 1};
  const int32_t ids[] = {0, 1, 5, 6, 1, 1, 2};
  const size_t rows[] = {2, 1, 3, 4, 1, 1, 5};
  expect_rows(&roberta, ids, rows, AQ_COUNT_OF(ids));
}

static void position_of_padding_token_zero_is_row_zero(void **state) {
  (void)state;
  const aq_model_config roberta = {.first_position = 1, .padding = 0};
  const int32_t ids[] = {0, 0, 3, 0, 4};
  const size_t rows[] = {0, 0, 1, 0, 2};
  expect_rows(&roberta, ids, rows, AQ_COUNT_OF(ids));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(position_without_padding_token_counts_all),
      cmocka_unit_test(position_of_a_padding_token_is_its_own_row),
      cmocka_unit_test(position_of_padding_token_zero_is_row_zero),
  };
  return cmocka_run_group_tests_name("positions", tests, NULL, NULL);
}
