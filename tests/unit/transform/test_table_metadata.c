/* test_table_metadata.c - what a table says of itself in its footer. */
#include <jansson.h>

#include "io/fingerprint.h"
#include "transform/table_metadata.h"
#include "transform_fixture.h"

static aq_error err;
static uint64_t measured; /* of the metadata that were written last */

/* A table with the metadata and one small row, which aliases may stand for. */
static aq_source *write_metadata(aq_table_metadata *metadata) {
  static const float values[2] = {1, 2};
  const int64_t shape[] = {2};
  const aq_sink_options options = {.table = &jf.table, .schema_version = metadata->schema_version};
  aq_sink *sink;
  aq_row row = {.name = "matrix", .dtype = AQ_F32, .rank = 1, .shape = shape, .num_params = 2, .quant_axis = -1};
  assert_ok(aq_buffer_append(&row.data, values, sizeof values, &err));
  assert_ok(aq_sink_create(&aq_table_sink, jf.output, &options, &sink, &err));
  assert_ok(aq_sink_add(sink, &row, &err));
  assert_ok(aq_table_metadata_put(metadata, sink, &err));
  assert_ok(aq_table_metadata_measure(metadata, &measured, &err));
  assert_ok(aq_sink_commit(sink, NULL, &err));
  return job_open();
}

static json_t *metadata_json(const aq_source *table, const char *key) {
  const char *text = job_metadata(table, key);
  if (text == NULL) fail_msg("there is no %s", key);
  json_t *json = json_loads(text, 0, NULL);
  assert_non_null(json);
  return json;
}

static void their_size_is_known_before(void **state) {
  (void)state;
  job_plan("int8");
  aq_table_metadata job = job_table_metadata();
  uint64_t bytes = 0;
  jf.plan.entries[JOB_BIAS].adjusted = true;
  aq_source *table = write_metadata(&job);
  for (size_t i = 0; i < aq_source_metadata_count(table); i++)
    bytes += strlen(aq_source_metadata_key(table, i)) + strlen(aq_source_metadata_value(table, i));
  assert_in_range(measured, bytes, bytes + 1024);
  aq_source_close(table);
}

static void source_is_described_with_its_fingerprint(void **state) {
  (void)state;
  job_plan("int8");
  aq_table_metadata job = job_table_metadata();
  char fingerprint[33];
  aq_source *table = write_metadata(&job);
  json_t *source = metadata_json(table, "arrowquant.source");
  assert_ok(aq_source_fingerprint(jf.source, fingerprint, &err));
  assert_string_equal(json_string_value(json_object_get(source, "fingerprint")), fingerprint);
  assert_string_equal(json_string_value(json_object_get(source, "format")), "memory");
  assert_int_equal(json_integer_value(json_object_get(source, "tensors")), JOB_TENSORS);
  assert_int_equal(json_integer_value(json_object_get(source, "bytes")), aq_source_file_bytes(jf.source));
  assert_int_equal(json_object_size(source), 4); /* no path, and nothing else of the machine */
  json_decref(source);
  assert_string_equal(job_metadata(table, "arrowquant.version"), AQ_VERSION_STRING);
  assert_string_equal(job_metadata(table, "arrowquant.format_version"), "1");
  aq_source_close(table);
}

static void aliases_name_the_tensor_that_has_their_bytes(void **state) {
  (void)state;
  job_plan("int8");
  aq_table_metadata job = job_table_metadata();
  aq_source *table = write_metadata(&job);
  assert_string_equal(job_metadata(table, "arrowquant.aliases"), "{\"tied\":\"matrix\"}");
  aq_source_close(table);
}

/* A plan of a V2 table can be carried out again; it has no scales. */
static void plan_is_that_of_the_job(void **state) {
  (void)state;
  job_plan("int4");
  aq_plan again;
  aq_table_metadata job = job_table_metadata();
  aq_source *table = write_metadata(&job);
  json_t *plan = metadata_json(table, "arrowquant.plan");
  assert_ok(aq_plan_from_json(plan, jf.source->tensors, jf.source->tensor_count, &again, &err));
  for (size_t i = 0; i < JOB_TENSORS; i++) {
    char mine[64], theirs[64];
    assert_string_equal(aq_plan_entry_text(&again.entries[i], mine, sizeof mine),
                        aq_plan_entry_text(&jf.plan.entries[i], theirs, sizeof theirs));
  }
  aq_plan_reset(&again);
  json_decref(plan);
  aq_source_close(table);
}

static void tables_of_version_1_have_no_plan(void **state) {
  (void)state;
  job_plan("fp16");
  aq_table_metadata job = job_table_metadata();
  job.schema_version = 1;
  aq_source *table = write_metadata(&job);
  assert_null(job_metadata(table, "arrowquant.plan"));
  assert_non_null(job_metadata(table, "arrowquant.source"));
  aq_source_close(table);
}

static void options_and_adjusted_tensors_are_there_when_there_are_any(void **state) {
  (void)state;
  job_plan("int8");
  aq_table_metadata job = job_table_metadata();
  aq_source *table = write_metadata(&job);
  assert_null(job_metadata(table, "arrowquant.config"));
  assert_null(job_metadata(table, "arrowquant.adjusted"));
  aq_source_close(table);
  json_t *config = json_pack("{s:s, s:i}", "type", "int8", "group_size", 7);
  job.config = config;
  jf.plan.entries[JOB_BIAS].adjusted = jf.plan.entries[JOB_SCALAR].adjusted = true;
  jf.table.force = true;
  table = write_metadata(&job);
  assert_string_equal(job_metadata(table, "arrowquant.config"), "{\"group_size\":7,\"type\":\"int8\"}"); /* sorted */
  assert_string_equal(job_metadata(table, "arrowquant.adjusted"), "[\"bias\",\"scalar\"]");
  assert_int_equal(config->refcount, 1); /* borrowed */
  json_decref(config);
  aq_source_close(table);
}

static void files_of_the_model_travel_along(void **state) {
  (void)state;
  static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  static const char text[] = "{\"model_type\": \"bert\",\n \"x\": \"\xc3\xa9\"}\n";
  (void)temp_write_safetensors("model.safetensors", header, NULL, 8);
  (void)temp_write_text("config.json", text);
  aq_source *model;
  assert_ok(aq_source_open(temp_path("model.safetensors"), NULL, &model, &err));
  const aq_quantize_options o = plan_options("int8", NULL, 0, NULL);
  jf.plan = make_plan(model, &o);
  aq_table_metadata job = job_table_metadata();
  job.source = model;
  aq_source *table = write_metadata(&job);
  assert_string_equal(job_metadata(table, "arrowquant.file.config.json"), text);
  assert_null(job_metadata(table, "arrowquant.aliases"));
  aq_source_close(table);
  aq_source_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(their_size_is_known_before, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(source_is_described_with_its_fingerprint, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(aliases_name_the_tensor_that_has_their_bytes, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(plan_is_that_of_the_job, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(tables_of_version_1_have_no_plan, job_set_up, job_tear_down),
      cmocka_unit_test_setup_teardown(options_and_adjusted_tensors_are_there_when_there_are_any, job_set_up,
                                      job_tear_down),
      cmocka_unit_test_setup_teardown(files_of_the_model_travel_along, job_set_up, job_tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
