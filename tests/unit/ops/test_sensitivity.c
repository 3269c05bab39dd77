/* test_sensitivity.c - what quantizing one tensor alone does: against compare on files with only that tensor quantized.
 */
#include <jansson.h>
#include <sys/stat.h>

#include "arrowquant_experimental.h"
#include "faulty_allocator.h"
#include "measure/builtin_texts.h"
#include "measure/tuning_texts.h"
#include "one_layer_encoder.h"
#include "report/report.h"

static char folder[512], model[600], texts[600], table[600], output[600];

static int set_up(void **state) {
  (void)state;
  (void)snprintf(folder, sizeof folder, "%s", make_folder());
  (void)snprintf(model, sizeof model, "%s/model.safetensors", folder);
  (void)snprintf(texts, sizeof texts, "%s/texts", folder);
  (void)snprintf(table, sizeof table, "%s/table.parquet", folder);
  (void)snprintf(output, sizeof output, "%s/sens.json", folder);
  one_layer_write(folder, model, 512);
  write_text(folder, "texts", "abc\nhead ache\nfeed a cab\nm\n");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

static aq_sensitivity_options on_texts(void) {
  aq_sensitivity_options o;
  aq_sensitivity_options_init(&o);
  o.texts_file = texts;
  return o;
}

static aq_report *study(const aq_sensitivity_options *o) {
  aq_error err;
  aq_report *report;
  assert_ok(aq_sensitivity(model, o, &report, &err));
  return report;
}

static double loss_of(const json_t *tensor, const char *type) {
  return aq_json_get_real(aq_json_get(aq_json_get(tensor, "types"), type), "loss");
}

/* 1 - mean cosine as compare tells it of a file in which nothing but the tensor is quantized. */
static double compared_loss(const char *name, const char *type) {
  aq_error err;
  char rule[300];
  const char *rules[] = {rule};
  aq_quantize_options q;
  aq_quantize_options_init(&q);
  (void)snprintf(rule, sizeof rule, "%s=%s", name, type);
  q.type = "fp32";
  q.tensor_rules = rules;
  q.tensor_rule_count = 1;
  q.table.force = true;
  assert_ok(aq_quantize(model, table, &q, NULL, &err));
  aq_compare_options c;
  aq_compare_options_init(&c);
  c.texts_file = texts;
  aq_report *report;
  assert_ok(aq_compare(model, table, &c, &report, &err));
  const double mean = aq_json_get_real(aq_json_get(report->root, "outputs"), "mean_cosine");
  aq_report_free(report);
  return 1 - mean;
}

static void loss_of_each_tensor_is_what_compare_says(void **state) {
  (void)state;
  static const char *const types[] = {"int8", "int4", "int3", "int2"};
  const aq_sensitivity_options o = on_texts();
  aq_report *report = study(&o);
  const json_t *list = aq_json_get(report->root, "tensors");
  assert_int_equal(json_array_size(list), ONE_LAYER_MATRICES);
  double sum = 0;
  for (size_t i = 0; i < ONE_LAYER_MATRICES; i++) {
    const json_t *t = json_array_get(list, i);
    for (size_t k = 0; k < 4; k++) {
      const double loss = loss_of(t, types[k]), expected = compared_loss(aq_json_get_string(t, "name"), types[k]);
      if (loss != expected) {
        fail_msg("%s at %s: %.17g, not %.17g", aq_json_get_string(t, "name"), types[k], loss, expected);
      }
      sum += loss;
    }
  }
  assert_true(sum > 0.001);
  aq_report_free(report);
}

static void tensor_that_is_not_used_loses_nothing(void **state) {
  (void)state;
  size_t used = 0;
  const aq_sensitivity_options o = on_texts();
  aq_report *report = study(&o);
  for (size_t i = 0; i < ONE_LAYER_MATRICES; i++) {
    const json_t *t = json_array_get(aq_json_get(report->root, "tensors"), i);
    const bool pooler = strcmp(aq_json_get_string(t, "name"), "pooler.dense.weight") == 0;
    assert_true(aq_json_get_flag(t, "used") == !pooler);
    assert_true(!pooler || loss_of(t, "int2") == 0);
    assert_true(pooler || loss_of(t, "int2") > 0);
    used += aq_json_get_flag(t, "used") ? 1 : 0;
  }
  assert_int_equal(used, ONE_LAYER_MATRICES - 1);
  aq_report_free(report);
}

/* The table of words under a name that comes before it, so that it is the alias. */
static void tied_tensor_is_tried_where_it_is_used(void **state) {
  (void)state;
  aq_error err;
  aq_source *source, *tied;
  aq_tensor_info infos[TINY_MAX_TENSORS];
  char path[600];
  (void)snprintf(path, sizeof path, "%s/tied.safetensors", folder);
  assert_ok(aq_source_open(model, NULL, &source, &err));
  assert_ok(aq_source_create(&tied, &err));
  const int64_t words = aq_source_find(source, "embeddings.word_embeddings.weight");
  infos[0] = *aq_source_tensor(source, (size_t)words);
  infos[0].name = "decoder.weight";
  aq_tensor loaded[TINY_MAX_TENSORS];
  const size_t count = aq_source_tensor_count(source);
  for (size_t i = 0; i <= count; i++) {
    const size_t from = i == 0 ? (size_t)words : i - 1;
    if (i > 0) infos[i] = *aq_source_tensor(source, from);
    assert_ok(aq_source_load(source, from, &loaded[i], &err));
    assert_ok(aq_source_add(tied, &infos[i], loaded[i].data, &err));
  }
  assert_ok(aq_export_source(tied, path, NULL, NULL, &err));
  aq_source_close(tied);
  for (size_t i = 0; i <= count; i++) aq_tensor_release(&loaded[i]);
  aq_source_close(source);
  const aq_sensitivity_options o = on_texts();
  aq_report *plain = study(&o), *report;
  assert_ok(aq_sensitivity(path, &o, &report, &err));
  const json_t *list = aq_json_get(report->root, "tensors"), *first = json_array_get(list, 0);
  assert_int_equal(json_array_size(list), ONE_LAYER_MATRICES);
  assert_string_equal(aq_json_get_string(first, "name"), "decoder.weight");
  assert_true(aq_json_get_flag(first, "used"));
  for (size_t i = 0; i < ONE_LAYER_MATRICES; i++) {
    const json_t *t = json_array_get(aq_json_get(plain->root, "tensors"), i);
    if (strcmp(aq_json_get_string(t, "name"), "embeddings.word_embeddings.weight") != 0) continue;
    assert_true(loss_of(first, "int2") == loss_of(t, "int2"));
  }
  aq_report_free(plain);
  aq_report_free(report);
}

static void types_and_bits_are_those_asked_for(void **state) {
  (void)state;
  aq_sensitivity_options o = on_texts();
  o.types = "int2, int8";
  aq_report *report = study(&o);
  const json_t *t = json_array_get(aq_json_get(report->root, "tensors"), 0);
  const json_t *types = aq_json_get(t, "types");
  assert_int_equal(json_object_size(types), 2);
  assert_true(aq_json_get_real(aq_json_get(types, "int2"), "bits_per_weight") >= 3.0);  /* 64 bits a group of 64 */
  assert_true(aq_json_get_real(aq_json_get(types, "int8"), "bits_per_weight") == 10.0); /* 64 bits a row of 32 */
  assert_string_equal(aq_json_get_string(aq_json_get(types, "int2"), "scheme"), "int2 g64 asym mse");
  assert_int_equal(aq_json_get_count(aq_json_get(report->root, "texts"), "count"), 4);
  aq_report_free(report);
}

static void threads_change_no_figure(void **state) {
  (void)state;
  aq_sensitivity_options o;
  aq_sensitivity_options_init(&o);
  o.types = "int4";
  o.run.threads = 1;
  aq_report *one = study(&o);
  o.run.threads = 3;
  aq_report *three = study(&o);
  assert_true(json_equal(aq_json_get(one->root, "tensors"), aq_json_get(three->root, "tensors")));
  assert_int_equal(aq_json_get_count(aq_json_get(one->root, "texts"), "count"), aq_tuning_text_count);
  assert_string_equal(aq_json_get_string(aq_json_get(one->root, "texts"), "source"), "built-in");
  aq_report_free(one);
  aq_report_free(three);
}

static void tuning_texts_are_no_reporting_texts(void **state) {
  (void)state;
  for (size_t i = 0; i < aq_tuning_text_count; i++) {
    for (size_t j = 0; j < aq_builtin_text_count; j++) {
      assert_string_not_equal(aq_tuning_texts[i], aq_builtin_texts[j].text);
    }
    for (size_t j = 0; j < i; j++) assert_string_not_equal(aq_tuning_texts[i], aq_tuning_texts[j]);
  }
}

static void text_form_begins_with_the_largest_loss(void **state) {
  (void)state;
  aq_error err;
  char *text;
  const aq_sensitivity_options o = on_texts();
  aq_report *report = study(&o);
  const json_t *list = aq_json_get(report->root, "tensors"), *worst = json_array_get(list, 0);
  for (size_t i = 1; i < ONE_LAYER_MATRICES; i++) {
    if (loss_of(json_array_get(list, i), "int4") > loss_of(worst, "int4")) worst = json_array_get(list, i);
  }
  assert_ok(aq_report_render(report, AQ_REPORT_TEXT, &text, &err));
  const char *second_line = strchr(text, '\n') + 1, *name = aq_json_get_string(worst, "name");
  assert_memory_equal(second_line, name, strlen(name));
  assert_non_null(strstr(text, "unused"));
  assert_non_null(strstr(text, "sorted by the loss at int4"));
  aq_free(text);
  aq_report_free(report);
}

static void output_is_the_report_and_is_not_replaced(void **state) {
  (void)state;
  aq_error err;
  aq_report *report;
  char *text;
  struct stat made;
  aq_sensitivity_options o = on_texts();
  o.types = "int8";
  o.output = output;
  report = study(&o);
  assert_ok(aq_report_render(report, AQ_REPORT_JSON, &text, &err));
  assert_int_equal(stat(output, &made), 0);
  assert_int_equal(made.st_size, strlen(text));
  aq_free(text);
  aq_report_free(report);
  assert_int_equal(aq_sensitivity(model, &o, &report, &err), AQ_ERR_EXISTS);
  assert_null(report);
  o.force = true;
  assert_ok(aq_sensitivity(model, &o, NULL, &err));
  o.output = model;
  assert_int_equal(aq_sensitivity(model, &o, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(unlink(output), 0);
}

static void what_cannot_be_studied_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_sensitivity_options o = on_texts();
  o.types = "int4,int5";
  assert_int_equal(aq_sensitivity(model, &o, NULL, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "'int5' cannot be tried"));
  o.types = "int4,int4";
  assert_int_equal(aq_sensitivity(model, &o, NULL, &err), AQ_ERR_ARGUMENT);
  o = on_texts();
  o.run.max_memory = 1000;
  assert_int_equal(aq_sensitivity(model, &o, NULL, &err), AQ_ERR_MEMORY);
  o = on_texts();
  o.texts_file = "/nonexistent/texts";
  assert_int_equal(aq_sensitivity(model, &o, NULL, &err), AQ_ERR_NOT_FOUND);
  (void)compared_loss("pooler.dense.weight", "int4"); /* leaves a quantized table */
  o = on_texts();
  assert_int_equal(aq_sensitivity(table, &o, NULL, &err), AQ_ERR_REQUANTIZE);
  assert_string_equal(err.tensor, "pooler.dense.weight");
}

static bool stop_at_once(void *ctx, const aq_progress_event *event) {
  (void)ctx;
  assert_string_equal(event->stage, "sensitivity");
  assert_true(event->tensors_done <= event->tensors_total);
  return false;
}

static void caller_that_stops_gets_no_output(void **state) {
  (void)state;
  aq_error err;
  struct stat made;
  aq_sensitivity_options o = on_texts();
  o.output = output;
  o.run.progress = stop_at_once;
  assert_int_equal(aq_sensitivity(model, &o, NULL, &err), AQ_ERR_INTERRUPTED);
  assert_int_equal(stat(output, &made), -1);
}

/* ---- faults ---- */

/* Every allocation fails once: the status says so, nothing leaks, and no file is left. */
static void sensitivity_survives_every_fault(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  struct stat made;
  aq_sensitivity_options o = on_texts();
  o.types = "int4";
  o.output = output;
  o.run.threads = 2;
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    aq_error err;
    aq_report *report;
    if (n > 20000) fail_msg("still failing after %ld allocations", n);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_sensitivity(model, &o, &report, &err);
    aq_report_free(report);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
    if ((stat(output, &made) == 0) != (status == AQ_OK)) fail_msg("fault %ld: a file of a failed run", n);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loss_of_each_tensor_is_what_compare_says),
      cmocka_unit_test(tensor_that_is_not_used_loses_nothing),
      cmocka_unit_test(tied_tensor_is_tried_where_it_is_used),
      cmocka_unit_test(types_and_bits_are_those_asked_for),
      cmocka_unit_test(threads_change_no_figure),
      cmocka_unit_test(tuning_texts_are_no_reporting_texts),
      cmocka_unit_test(text_form_begins_with_the_largest_loss),
      cmocka_unit_test(output_is_the_report_and_is_not_replaced),
      cmocka_unit_test(what_cannot_be_studied_is_refused),
      cmocka_unit_test(caller_that_stops_gets_no_output),
      cmocka_unit_test(sensitivity_survives_every_fault),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
