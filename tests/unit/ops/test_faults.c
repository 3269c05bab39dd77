/* test_faults.c - every allocation of a job fails once: the status says so, nothing leaks, no file is left behind. */
#include <errno.h>

#include "arrowquant_experimental.h"
#include "check.h"
#include "faulty_allocator.h"

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

static char *folder, model[600], table[600], output[580], partial[620], file[600], gguf_file[600], onnx_file[600];

/* Two matrices, a vector, a scalar and tied weights. */
static void write_model(void) {
  aq_error err;
  char header[1024];
  static float values[3 * 64 * 64 + 64 + 2];
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
    values[i] = (float)((int)(i * 7919 % 2003) - 1001) / 997;
  memcpy(values + 2 * 64 * 64, values, 64 * 64 * sizeof(float));
  const int length = snprintf(header, sizeof header,
                              "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[64,64],\"data_offsets\":[0,16384]},"
                              "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[64,64],\"data_offsets\":[16384,32768]},"
                              "\"c.weight\":{\"dtype\":\"F32\",\"shape\":[64,64],\"data_offsets\":[32768,49152]},"
                              "\"d\":{\"dtype\":\"F32\",\"shape\":[64],\"data_offsets\":[49152,49408]},"
                              "\"e\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[49408,49416]}}");
  static uint8_t bytes[8 + sizeof header + sizeof values];
  const uint64_t header_length = (uint64_t)length;
  memcpy(bytes, &header_length, 8);
  memcpy(bytes + 8, header, (size_t)length);
  memcpy(bytes + 8 + length, values, 49416);
  assert_ok(aq_file_write_all(model, false, bytes, 8 + (size_t)length + 49416, &err));
}

/* Beside the model, so that tables carry them, the tokenizer compressed. */
static void write_model_files(void) {
  aq_error err;
  char path[600];
  (void)snprintf(path, sizeof path, "%s/config.json", folder);
  assert_ok(aq_file_write_all(path, false, "{\"a\": 1}", 8, &err));
  static char text[20000];
  (void)snprintf(path, sizeof path, "%s/tokenizer.json", folder);
  for (size_t i = 0; i < sizeof text; i++) text[i] = "{\"abc\": 1}\n "[i % 13];
  assert_ok(aq_file_write_all(path, false, text, sizeof text, &err));
}

static int set_up(void **state) {
  (void)state;
  folder = make_folder();
  (void)snprintf(model, sizeof model, "%s/model.safetensors", folder);
  (void)snprintf(table, sizeof table, "%s/table.parquet", folder);
  (void)snprintf(output, sizeof output, "%s/out", folder);
  (void)snprintf(file, sizeof file, "%s/out.safetensors", folder);
  (void)snprintf(gguf_file, sizeof gguf_file, "%s/out.gguf", folder);
  (void)snprintf(onnx_file, sizeof onnx_file, "%s/out.onnx", folder);
  (void)snprintf(partial, sizeof partial, "%s.partial", output);
  write_model();
  write_model_files();
  aq_error err;
  if (aq_quantize(model, table, NULL, NULL, &err) != AQ_OK) {
    (void)fprintf(stderr, "quantize: %s: %s\n", err.file, err.message);
    return 1;
  }
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  drop_folder(folder);
  return 0;
}

typedef aq_status (*job_fn)(aq_error *err);

static aq_status job_quantize(aq_error *err) {
  aq_quantize_options o;
  aq_quantize_options_init(&o);
  static const char *const keep[] = {"b*"}, *const rules[] = {"re:^a=int2,group=32"};
  o.type = "int4";
  o.run.threads = 2;
  o.keep_patterns = keep;
  o.keep_pattern_count = 1;
  o.tensor_rules = rules;
  o.tensor_rule_count = 1;
  aq_report *report;
  const aq_status status = aq_quantize(model, output, &o, &report, err);
  aq_report_free(report);
  return status;
}

static aq_status job_convert(aq_error *err) {
  aq_report *report;
  const aq_status status = aq_convert(model, output, NULL, &report, err);
  aq_report_free(report);
  return status;
}

static aq_status job_info(aq_error *err) {
  aq_report *report;
  char *text = NULL;
  aq_status status = aq_info(table, NULL, &report, err);
  if (status == AQ_OK) status = aq_report_render(report, AQ_REPORT_TEXT, &text, err);
  aq_free(text);
  aq_report_free(report);
  return status;
}

static aq_status job_read_table(aq_error *err) {
  aq_source *source;
  aq_status status = aq_source_open(table, NULL, &source, err);
  for (size_t i = 0; status == AQ_OK && i < aq_source_tensor_count(source); i++) {
    static float values[64 * 64];
    aq_tensor tensor;
    status = aq_source_load(source, i, &tensor, err);
    if (status == AQ_OK) aq_tensor_release(&tensor);
    if (status == AQ_OK) {
      status = aq_source_read_f32(source, i, 0, aq_source_tensor(source, i)->num_params, values, err);
    }
  }
  aq_source_close(source);
  return status;
}

static aq_status job_compare(aq_error *err) {
  aq_report *report;
  const aq_status status = aq_compare(model, table, NULL, &report, err);
  aq_report_free(report);
  return status;
}

static aq_status job_verify(aq_error *err) {
  aq_verify_options o;
  aq_verify_options_init(&o);
  o.deep = true;
  aq_report *report;
  const aq_status status = aq_verify(table, &o, &report, err);
  aq_report_free(report);
  return status;
}

static aq_status export_as(const char *format, const char *to, aq_error *err) {
  aq_export_options o;
  aq_export_options_init(&o);
  o.format = format;
  o.dtype = "fp16";
  return aq_export(table, to, &o, NULL, err);
}

static aq_status job_export(aq_error *err) { return export_as(NULL, file, err); }
static aq_status job_export_folder(aq_error *err) { return export_as(NULL, output, err); }
static aq_status job_export_codes(aq_error *err) { return export_as("compressed-tensors", output, err); }

/* A model that began as a GGUF file: its metadata travelled with it. */
static aq_status job_export_gguf(aq_error *err) {
  static const float values[8 * 64] = {1, 2, 3};
  static const char pairs[] =
      "{\"general.architecture\": {\"type\": \"string\", \"value\": \"llama\"},"
      " \"a\": {\"type\": \"array\", \"of\": \"uint32\", \"value\": [1, 2]}}";
  const aq_tensor_info info = {.name = "token_embd.weight", .dtype = AQ_F32, .rank = 2, .shape = {8, 64}};
  aq_export_options o;
  aq_export_options_init(&o);
  o.format = "gguf";
  o.dtype = "fp16";
  aq_source *source;
  aq_status status = aq_source_create(&source, err);
  if (status != AQ_OK) return status;
  status = aq_source_add(source, &info, values, err);
  if (status == AQ_OK) status = aq_source_set_metadata(source, "arrowquant.file.gguf.json", pairs, err);
  if (status == AQ_OK) status = aq_export_source(source, gguf_file, &o, NULL, err);
  aq_source_close(source);
  return status;
}

/* An encoder of one layer, whose graph is written. */
static aq_status job_export_graph(aq_error *err) {
  static const char *const linears[] = {"attention.self.query",   "attention.self.key", "attention.self.value",
                                        "attention.output.dense", "intermediate.dense", "output.dense"};
  static const char *const norms[] = {"embeddings.LayerNorm", "encoder.layer.0.attention.output.LayerNorm",
                                      "encoder.layer.0.output.LayerNorm"};
  static const char *const tables[] = {"word", "position", "token_type"};
  static const char config[] =
      "{\"model_type\":\"bert\",\"hidden_size\":4,\"num_attention_heads\":1,\"num_hidden_layers\":1,"
      "\"intermediate_size\":4,\"vocab_size\":4,\"max_position_embeddings\":4,\"type_vocab_size\":4}";
  static const float values[16] = {1, 2, 3};
  aq_source *source;
  char name[100];
  aq_status status = aq_source_create(&source, err);
  if (status != AQ_OK) return status;
  for (size_t i = 0; status == AQ_OK && i < 21; i++) {
    const size_t k = i / 2;
    const char *end = i % 2 == 0 ? "weight" : "bias";
    if (k < 6) (void)snprintf(name, sizeof name, "encoder.layer.0.%s.%s", linears[k], end);
    if (k >= 6 && k < 9) (void)snprintf(name, sizeof name, "%s.%s", norms[k - 6], end);
    if (i >= 18) (void)snprintf(name, sizeof name, "embeddings.%s_embeddings.weight", tables[i - 18]);
    const bool is_matrix = i >= 18 || (k < 6 && i % 2 == 0);
    const aq_tensor_info info = {
        .name = name, .dtype = AQ_F32, .rank = is_matrix ? 2 : 1, .shape = {4, is_matrix ? 4 : 0}};
    status = aq_source_add(source, &info, values, err);
  }
  aq_export_options o;
  aq_export_options_init(&o);
  o.format = "onnx";
  if (status == AQ_OK) status = aq_source_set_metadata(source, "arrowquant.file.config.json", config, err);
  if (status == AQ_OK) status = aq_export_source(source, onnx_file, &o, NULL, err);
  aq_source_close(source);
  return status;
}

static aq_status pull_batches(struct ArrowArrayStream *stream, aq_error *err) {
  for (;;) {
    struct ArrowArray batch;
    const int code = stream->get_next(stream, &batch);
    if (code != 0) {
      assert_null(batch.release);
      return aq_fail(err, code == ENOMEM ? AQ_ERR_MEMORY : AQ_ERR_IO, "%s", stream->get_last_error(stream));
    }
    if (batch.release == NULL) return AQ_OK;
    batch.release(&batch);
  }
}

/* A plan made, written and read; the model pulled through it. */
static aq_status job_stream(aq_error *err) {
  aq_source *source;
  aq_plan *made = NULL, *plan = NULL;
  char *text = NULL;
  struct ArrowArrayStream in = {0}, out = {0};
  aq_status status = aq_source_open(model, NULL, &source, err);
  if (status == AQ_OK) status = aq_plan_create(source, NULL, &made, err);
  if (status == AQ_OK) status = aq_plan_render(made, &text, err);
  if (status == AQ_OK) status = aq_plan_parse(source, text, strlen(text), &plan, err);
  if (status == AQ_OK) status = aq_source_export_arrow(source, &in, err);
  if (status == AQ_OK) status = aq_transform_stream(&in, plan, NULL, &out, err);
  aq_free(text);
  aq_plan_free(made);
  aq_plan_free(plan);
  aq_source_close(source);
  if (status == AQ_OK) status = pull_batches(&out, err);
  if (out.release != NULL) out.release(&out);
  return status;
}

static void run_until_success(job_fn job, const char *name) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  while (status != AQ_OK) {
    aq_error err;
    if (++n > 20000) fail_msg("%s: still failing after %ld allocations", name, n);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = job(&err);
    aq_set_allocator(NULL);
    if (atomic_load(&alive) != 0) fail_msg("%s, fault %ld: %ld blocks leaked", name, n, atomic_load(&alive));
    if (status != AQ_OK && status != AQ_ERR_MEMORY) {
      fail_msg("%s, fault %ld: status %s: %s", name, n, aq_status_name(status), err.message);
    }
    if (status != AQ_OK && (aq_path_exists(output) || aq_path_exists(partial) || aq_path_exists(file) ||
                            aq_path_exists(gguf_file) || aq_path_exists(onnx_file))) {
      fail_msg("%s, fault %ld: an output was left behind", name, n);
    }
    if (status == AQ_OK) {
      drop_folder(output);
      (void)unlink(file);
      (void)unlink(gguf_file);
      (void)unlink(onnx_file);
    }
  }
  assert_true(n > 3);
}

static void quantize_survives_every_fault(void **state) { (void)state, run_until_success(job_quantize, "quantize"); }
static void convert_survives_every_fault(void **state) { (void)state, run_until_success(job_convert, "convert"); }
static void info_survives_every_fault(void **state) { (void)state, run_until_success(job_info, "info"); }
static void reading_survives_every_fault(void **state) { (void)state, run_until_success(job_read_table, "read"); }
static void compare_survives_every_fault(void **state) { (void)state, run_until_success(job_compare, "compare"); }
static void verify_survives_every_fault(void **state) { (void)state, run_until_success(job_verify, "verify"); }
static void export_survives_every_fault(void **state) {
  (void)state;
  run_until_success(job_export, "export");
  run_until_success(job_export_folder, "export to a folder");
  run_until_success(job_export_codes, "export of codes");
  run_until_success(job_export_gguf, "export to GGUF");
  run_until_success(job_export_graph, "export to ONNX");
}
static void streams_survive_every_fault(void **state) { (void)state, run_until_success(job_stream, "stream"); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(quantize_survives_every_fault), cmocka_unit_test(convert_survives_every_fault),
      cmocka_unit_test(info_survives_every_fault),     cmocka_unit_test(reading_survives_every_fault),
      cmocka_unit_test(compare_survives_every_fault),  cmocka_unit_test(verify_survives_every_fault),
      cmocka_unit_test(export_survives_every_fault),   cmocka_unit_test(streams_survive_every_fault),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
