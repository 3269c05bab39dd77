/* test_format_choice.c - codes of a format against each other, at prices of a bit. */
#include "search/format_choice.h"

#include <math.h>

#include "io/formats.h"
#include "quant/scale_factor.h"
#include "source_fixture.h"

enum { ROWS = 4, COLS = 96 };

typedef struct fixture {
  float w[ROWS * COLS], sensitivity[ROWS];
  aq_source *source;
  aq_search_problem problem;
  aq_search_item item;
  aq_rd_matrix matrix;
} fixture;

static void set_up(fixture *f, const aq_file_format *format) {
  fill_noise(f->w, ROWS * COLS, 7);
  for (int i = 0; i < ROWS; i++) f->sensitivity[i] = (float)(i + 1);
  f->source = make_source();
  add_f32(f->source, "w.weight", ROWS, COLS, f->w);
  f->problem = (aq_search_problem){.source = f->source, .layout = format->layout};
  f->item = (aq_search_item){.rows = ROWS, .cols = COLS, .losses = {-1}, .sample_losses = {-1}};
  f->matrix = (aq_rd_matrix){.w = f->w, .rows = ROWS, .cols = COLS, .sensitivity = f->sensitivity};
}

static aq_rd_choice choose_at(fixture *f, double lambda) {
  aq_rd_choice choice;
  aq_error err;
  f->problem.lambda = lambda;
  assert_ok(aq_format_choose(&f->problem, &f->item, &f->matrix, f->item.losses, &choice, &err));
  return choice;
}

/* What codes to nearest lose, row by row. */
static double loss_of(const fixture *f, const aq_rd_choice *c) {
  const size_t span = c->group_size > 0 ? (size_t)c->group_size : COLS;
  const float high = c->type == AQ_INT8 ? 127 : 7;
  double loss = 0;
  for (size_t i = 0; i < ROWS * COLS; i++) {
    const float scale = c->steps[i / span], q = fminf(fmaxf(rintf(f->w[i] / scale), -high - 1), high);
    const double error = (double)f->w[i] - (double)q * (double)scale;
    loss += (double)f->sensitivity[i / COLS] * error * error;
  }
  return loss;
}

static void prices_decide_between_blocks(void **state) {
  (void)state;
  fixture f;
  set_up(&f, &aq_gguf_format);
  aq_rd_choice fine = choose_at(&f, 1e-4), coarse = choose_at(&f, 1), values = choose_at(&f, 0);
  assert_true(values.type == AQ_KEPT && values.steps == NULL && values.bits == 16 * ROWS * COLS);
  assert_true(values.loss > 0 && values.loss < 1e-2 * fine.loss);
  assert_true(fine.type == AQ_INT8 && coarse.type == AQ_INT4);
  assert_true(fine.group_size == 32 && fine.span_count == ROWS * COLS / 32);
  assert_true(fine.bits == 8.5 * ROWS * COLS && coarse.bits == 4.5 * ROWS * COLS);
  assert_true(fabs(fine.loss - loss_of(&f, &fine)) <= 1e-9 && fabs(coarse.loss - loss_of(&f, &coarse)) <= 1e-6);
  assert_true(fine.loss < coarse.loss && coarse.loss < 10);
  const double even = (coarse.loss - fine.loss) / (fine.bits - coarse.bits);
  aq_rd_choice below = choose_at(&f, 0.99 * even), above = choose_at(&f, 1.01 * even);
  assert_true(below.type == AQ_INT8 && above.type == AQ_INT4);
  aq_rd_choice_reset(&fine);
  aq_rd_choice_reset(&coarse);
  aq_rd_choice_reset(&below);
  aq_rd_choice_reset(&above);
  aq_source_close(f.source);
}

/* Values of 16 bits that the source has are no loss; those that FP16 cannot hold are no choice. */
static void values_of_sixteen_bits_are_a_choice(void **state) {
  (void)state;
  static const aq_dtype kept[] = {AQ_F16, AQ_BF16};
  for (size_t i = 0; i < 2; i++) {
    fixture f;
    set_up(&f, &aq_gguf_format);
    f.source->tensors[0].dtype = kept[i];
    const aq_rd_choice choice = choose_at(&f, 0);
    assert_true(choice.type == AQ_KEPT && choice.loss == 0);
    aq_source_close(f.source);
  }
  fixture f;
  set_up(&f, &aq_gguf_format);
  f.w[ROWS * COLS - 1] = 65504;
  assert_int_equal(choose_at(&f, 0).type, AQ_KEPT);
  f.w[ROWS * COLS - 1] = 65520;
  f.item.losses[0] = -1;
  aq_rd_choice choice = choose_at(&f, 0);
  assert_int_not_equal(choice.type, AQ_KEPT);
  aq_rd_choice_reset(&choice);
  aq_source_close(f.source);
}

static void groups_are_those_that_divide_rows(void **state) {
  (void)state;
  fixture f;
  set_up(&f, &aq_compressed_tensors_format);
  aq_rd_choice choice = choose_at(&f, 0);
  assert_true(choice.type == AQ_INT8 && choice.group_size == 32); /* 96 columns are no groups of 64 or 128 */
  assert_true(choice.bits == 8 * (4 * ROWS * COLS / 4 + 4 * ROWS * 3 + 16));
  aq_rd_choice_reset(&choice);
  choice = choose_at(&f, 1e3);
  assert_true(choice.type == AQ_INT2 && choice.group_size == 0 && choice.span_count == ROWS);
  aq_rd_choice_reset(&choice);
  aq_source_close(f.source);
}

/* Rows of a whole block of 256, which have a third choice; the first groups are zeros. */
static void scales_of_small_groups_have_a_factor(void **state) {
  (void)state;
  enum { WIDE = 256 };
  static float w[ROWS * WIDE];
  fixture f;
  float factor;
  set_up(&f, &aq_gguf_format);
  fill_noise(w, ROWS * WIDE, 9);
  memset(w, 0, 32 * sizeof *w);
  aq_source_close(f.source);
  f.source = make_source();
  add_f32(f.source, "w.weight", ROWS, WIDE, w);
  f.problem.source = f.source;
  f.item.cols = f.matrix.cols = WIDE;
  f.matrix.w = w;
  aq_rd_choice choice = choose_at(&f, 1e3);
  assert_true(choice.type == AQ_INT3 && choice.group_size == 16 && choice.span_count == ROWS * 16);
  assert_true(choice.bits == 8 * 110 * ROWS);
  double loss = 0;
  for (size_t i = 0; i < ROWS * WIDE; i++) {
    const float scale = choice.steps[i / 16], q = fminf(fmaxf(rintf(w[i] / scale), -4), 3);
    const double error = (double)w[i] - (double)q * (double)scale;
    loss += (double)f.sensitivity[i / WIDE] * error * error;
  }
  assert_true(fabs(choice.loss - loss) <= 1e-9 * loss);
  for (size_t row = 0; row < ROWS; row++) assert_true(aq_scale_factor_find(choice.steps + 16 * row, 16, 31, &factor));
  assert_true(choice.steps[0] > 0);
  aq_rd_choice_reset(&choice);
  f.item.losses[0] = -1;
  choice = choose_at(&f, 1e-4);
  assert_true(choice.type == AQ_INT8 && choice.steps[0] == 1);
  aq_rd_choice_reset(&choice);
  aq_source_close(f.source);
}

static void samples_are_estimates_without_steps(void **state) {
  (void)state;
  fixture f;
  aq_error err;
  aq_rd_choice all, sample;
  set_up(&f, &aq_gguf_format);
  all = choose_at(&f, 1);
  f.item.sample = f.w;
  f.matrix.rows = ROWS / 2;
  assert_ok(aq_format_choose(&f.problem, &f.item, &f.matrix, f.item.sample_losses, &sample, &err));
  assert_true(sample.steps == NULL && sample.bits == all.bits / 2 && sample.loss < all.loss);
  aq_rd_choice_reset(&all);
  aq_rd_choice_reset(&sample);
  aq_source_close(f.source);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prices_decide_between_blocks),        cmocka_unit_test(values_of_sixteen_bits_are_a_choice),
      cmocka_unit_test(groups_are_those_that_divide_rows),   cmocka_unit_test(scales_of_small_groups_have_a_factor),
      cmocka_unit_test(samples_are_estimates_without_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
