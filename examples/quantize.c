/* quantize.c - quantizes a model and reads the result back: what each tensor became, and how far its values moved.
 *
 *   cc quantize.c $(pkg-config --cflags --libs arrowquant) -lm -o quantize
 *   ./quantize MODEL TABLE.parquet [TYPE]
 *
 * MODEL is a .safetensors file, a folder with a model, or a table; TYPE is int8 (default), int4, int3 or int2. */
#include <arrowquant.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 4096 }; /* values that are held at a time: a tensor of any size is read in bounded memory */

static int fail(const aq_error *err) {
  char line[2048];
  (void)aq_error_format(err, line, sizeof line);
  fprintf(stderr, "%s\n", line);
  return 1;
}

/* The root of the mean squared difference of a tensor in both sources. */
static aq_status measure(const aq_source *model, size_t i, const aq_source *table, size_t j, double *rmse,
                         aq_error *err) {
  const uint64_t count = aq_source_tensor(table, j)->num_params;
  float before[CHUNK], after[CHUNK];
  double sum = 0;
  for (uint64_t at = 0; at < count; at += CHUNK) {
    const uint64_t n = count - at < CHUNK ? count - at : CHUNK;
    aq_status status = aq_source_read_f32(model, i, at, n, before, err);
    if (status == AQ_OK) status = aq_source_read_f32(table, j, at, n, after, err);
    if (status != AQ_OK) return status;
    for (uint64_t k = 0; k < n; k++) {
      const double error = (double)after[k] - (double)before[k];
      sum += error * error;
    }
  }
  *rmse = count > 0 ? sqrt(sum / (double)count) : 0;
  return AQ_OK;
}

/* A line for each tensor. */
static aq_status print_tensors(const aq_source *model, const aq_source *table, aq_error *err) {
  for (size_t j = 0; j < aq_source_tensor_count(table); j++) {
    const aq_tensor_info *t = aq_source_tensor(table, j);
    const int64_t i = aq_source_find(model, t->name);
    double rmse = 0;
    if (i < 0) continue;
    const aq_status status = measure(model, (size_t)i, table, j, &rmse, err);
    if (status != AQ_OK) return status;
    printf("%s %s %llu %.9g\n", t->name, aq_quant_type_name(t->quant_type), (unsigned long long)t->num_params, rmse);
  }
  return AQ_OK;
}

/* Two figures of the report, without parsing its JSON. */
static aq_status print_figures(const aq_report *report, aq_error *err) {
  double bits, ratio;
  aq_status status = aq_report_number(report, "totals.bits_per_weight", &bits, err);
  if (status == AQ_OK) status = aq_report_number(report, "totals.ratio_to_fp32", &ratio, err);
  if (status == AQ_OK) printf("%.3f bits per quantized weight, %.2f times smaller than FP32\n", bits, ratio);
  return status;
}

int main(int argc, char **argv) {
  aq_error err;
  aq_source *model = NULL, *table = NULL;
  aq_report *report = NULL;
  aq_quantize_options options;
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: %s MODEL TABLE.parquet [TYPE]\n", argv[0]);
    return 2;
  }
  aq_quantize_options_init(&options);
  options.type = argc == 4 ? argv[3] : "int8";
  aq_status status = aq_source_open(argv[1], NULL, &model, &err);
  if (status == AQ_OK) status = aq_quantize_source(model, argv[2], &options, &report, &err);
  if (status == AQ_OK) status = aq_source_open(argv[2], NULL, &table, &err);
  if (status == AQ_OK) status = print_tensors(model, table, &err);
  if (status == AQ_OK) status = print_figures(report, &err);
  aq_report_free(report);
  aq_source_close(table);
  aq_source_close(model);
  return status == AQ_OK ? 0 : fail(&err);
}
