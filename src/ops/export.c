/* export.c - every tensor of a source, as plain values, into a safetensors file.
 *
 * Blocks are read and narrowed side by side, a batch at a time, and written in order: memory is that of a batch. A
 * kept tensor whose type does not change is copied byte for byte, NaN payloads included. */
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/pool.h"
#include "core/progress.h"
#include "io/partial.h"
#include "io/safetensors/safetensors_writer.h"
#include "io/source.h"
#include "kernels/kernels.h"
#include "ops/float_dtype.h"
#include "ops/operation.h"
#include "quant/quantized_layer.h"
#include "report/report.h"
#include "report/source_json.h"
#include "tensor/dtype.h"
#include "transform/output_check.h"

#define BLOCK ((uint64_t)1 << 18)
enum { BATCH_BLOCKS = 16, MAX_ELEMENT = 8 };

typedef struct export_block {
  size_t tensor;
  uint64_t first;
  size_t count;
  uint8_t *bytes; /* BLOCK * MAX_ELEMENT, made when first needed */
} export_block;

typedef struct export_job {
  const aq_export_options *options;
  const aq_source *source;
  aq_tensor_info *targets; /* what is written: the source's tensors with their new types */
  export_block blocks[BATCH_BLOCKS];
  size_t count;
  float **scratch; /* a worker: BLOCK values, made when first needed */
  aq_safetensors_writer *writer;
  uint64_t file_bytes;
} export_job;

/* ---- what is written ---- */

static bool can_narrow_to(aq_dtype dtype) {
  return dtype == AQ_F64 || dtype == AQ_F32 || dtype == AQ_F16 || dtype == AQ_BF16;
}

static bool is_copied(const aq_tensor_info *from, const aq_tensor_info *to) {
  return from->quant_type == AQ_KEPT && from->dtype == to->dtype &&
         from->data_bytes == from->num_params * aq_dtype_bits(from->dtype) / 8;
}

static aq_status settle_target(const aq_tensor_info *from, aq_dtype wanted, aq_tensor_info *to, aq_error *err) {
  *to = *from;
  to->quant_type = AQ_KEPT;
  if (wanted != AQ_DTYPE_INVALID && (from->quant_type != AQ_KEPT || aq_dtype_is_float(from->dtype))) {
    to->dtype = wanted;
  }
  if (is_copied(from, to) || can_narrow_to(to->dtype)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "its values cannot be written as %s", aq_dtype_name(to->dtype));
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Choose a type with `dtype`");
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, from->name);
}

/* Layers that another tool quantized go through as they are. */
static aq_status settle_targets(export_job *job, aq_dtype wanted, aq_error *err) {
  const size_t count = job->source->tensor_count;
  job->targets = aq_calloc(count, sizeof *job->targets);
  if (job->targets == NULL) return aq_fail_memory(err, count * sizeof *job->targets);
  aq_quantized_layers layers;
  AQ_TRY(aq_quantized_layers_find(job->source->tensors, count, &layers, err));
  aq_status status = AQ_OK;
  for (size_t i = 0; i < count && status == AQ_OK; i++) {
    const bool as_it_is = layers.members != NULL && layers.members[i];
    status = settle_target(&job->source->tensors[i], as_it_is ? AQ_DTYPE_INVALID : wanted, &job->targets[i], err);
  }
  aq_quantized_layers_reset(&layers);
  return status;
}

/* ---- blocks ---- */

/* The smallest magnitude that rounds to infinity: half a step above the largest finite value. */
static float overflow_of(aq_dtype dtype) {
  return dtype == AQ_F16 ? 65520.0F : dtype == AQ_BF16 ? aq_bits_f32(0x7F7F8000U) : INFINITY;
}

static aq_status narrow(const export_block *block, const aq_tensor_info *to, const float *values, aq_error *err) {
  const aq_kernels *k = aq_kernels_get();
  const float limit = overflow_of(to->dtype);
  for (size_t i = 0; to->dtype != AQ_F32 && i < block->count; i++) {
    if (!(fabsf(values[i]) >= limit) || isinf(values[i])) continue;
    char value[AQ_WORD_SIZE];
    (void)aq_fail(err, AQ_ERR_NONFINITE, "element %llu (%s) is too large for %s",
                  (unsigned long long)(block->first + i), aq_text_scientific((double)values[i], value, sizeof value),
                  aq_dtype_name(to->dtype));
    (void)aq_error_hint(err, AQ_ERR_NONFINITE, "Export to fp32 or bf16");
    return aq_error_in_tensor(err, AQ_ERR_NONFINITE, to->name);
  }
  switch (to->dtype) {
    case AQ_F16:
      k->f32_to_f16(values, block->count, block->bytes);
      break;
    case AQ_BF16:
      k->f32_to_bf16(values, block->count, block->bytes);
      break;
    case AQ_F64:
      for (size_t i = 0; i < block->count; i++) {
        const double wide = values[i];
        memcpy(block->bytes + i * sizeof wide, &wide, sizeof wide);
      }
      break;
    default: /* F32: settle_targets lets nothing else pass */
      memcpy(block->bytes, values, block->count * sizeof *values);
      break;
  }
  return AQ_OK;
}

static aq_status fill_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  export_job *job = ctx;
  export_block *block = &job->blocks[item];
  const aq_tensor_info *from = &job->source->tensors[block->tensor], *to = &job->targets[block->tensor];
  if (block->bytes == NULL) block->bytes = aq_malloc(BLOCK * MAX_ELEMENT);
  if (block->bytes == NULL) return aq_fail_memory(err, BLOCK * MAX_ELEMENT);
  if (is_copied(from, to)) {
    const uint64_t bits = aq_dtype_bits(from->dtype);
    return aq_source_read_bytes(job->source, block->tensor, block->first * bits / 8, (size_t)(block->count * bits / 8),
                                block->bytes, err);
  }
  if (job->scratch[worker] == NULL) job->scratch[worker] = aq_realloc_array(NULL, BLOCK, sizeof(float));
  if (job->scratch[worker] == NULL) return aq_fail_memory(err, BLOCK * sizeof(float));
  AQ_TRY(aq_source_read_f32(job->source, block->tensor, block->first, block->count, job->scratch[worker], err));
  return narrow(block, to, job->scratch[worker], err);
}

static aq_status write_batch(export_job *job, aq_pool *pool, aq_error *err) {
  const size_t count = job->count;
  job->count = 0;
  if (count == 0) return AQ_OK;
  AQ_TRY(aq_pool_run(pool, count, fill_block, job, err));
  for (size_t i = 0; i < count; i++) {
    const export_block *block = &job->blocks[i];
    const size_t size = block->count * aq_dtype_bits(job->targets[block->tensor].dtype) / 8;
    AQ_TRY(aq_safetensors_writer_write(job->writer, block->bytes, size, err));
  }
  return AQ_OK;
}

static aq_status write_tensors(export_job *job, aq_pool *pool, aq_error *err) {
  const size_t tensors = job->source->tensor_count;
  uint64_t bytes = 0;
  for (size_t t = 0; t < tensors; t++) bytes += job->source->tensors[t].data_bytes;
  aq_progress progress;
  aq_progress_begin(&progress, &job->options->run, "export", tensors, bytes);
  for (size_t t = 0; t < tensors; t++) {
    const aq_tensor_info *info = &job->source->tensors[t];
    for (uint64_t first = 0; first < info->num_params; first += BLOCK) {
      export_block *block = &job->blocks[job->count++];
      block->tensor = t;
      block->first = first;
      block->count = (size_t)AQ_MIN(info->num_params - first, BLOCK);
      if (job->count < BATCH_BLOCKS) continue;
      AQ_TRY(write_batch(job, pool, err));
      AQ_TRY(aq_progress_add(&progress, info->name, 0, 0, err));
    }
    AQ_TRY(aq_progress_add(&progress, info->name, 1, info->data_bytes, err));
  }
  return write_batch(job, pool, err);
}

/* ---- the file ---- */

/* Metadata of the table itself says nothing about plain values. */
static bool is_carried(const char *key) {
  return strncmp(key, "arrowquant", strlen("arrowquant")) != 0 && strncmp(key, "ARROW:", strlen("ARROW:")) != 0;
}

/* The source's own metadata, a note, and "format", without which transformers refuses the file. Borrowed strings but
 * for the note. */
static size_t collect_metadata(const aq_source *source, const char *note, const char **pairs) {
  size_t count = 0;
  bool has_format = false;
  for (size_t i = 0; i < source->metadata_count; i++) {
    const char *key = aq_source_metadata_key(source, i);
    if (!is_carried(key)) continue;
    has_format = has_format || strcmp(key, "format") == 0;
    pairs[2 * count] = key;
    pairs[2 * count + 1] = aq_source_metadata_value(source, i);
    count++;
  }
  if (!has_format) {
    pairs[2 * count] = "format";
    pairs[2 * count + 1] = "pt";
    count++;
  }
  pairs[2 * count] = "arrowquant";
  pairs[2 * count + 1] = note;
  return count + 1;
}

static aq_status create_writer(export_job *job, const char *output, aq_error *err) {
  const aq_source *source = job->source;
  const char **pairs = aq_calloc((source->metadata_count + 2) * 2, sizeof *pairs);
  char *note = aq_format("exported by arrowquant %s from %s", aq_version(), source->format);
  aq_status status;
  if (pairs == NULL || note == NULL) {
    status = aq_fail_memory(err, (source->metadata_count + 2) * 2 * sizeof *pairs);
  } else {
    const size_t count = collect_metadata(source, note, pairs);
    status = aq_safetensors_writer_create(output, job->options->force, job->targets, source->tensor_count, pairs, count,
                                          &job->writer, err);
  }
  aq_free(note);
  aq_free(pairs);
  return status;
}

static aq_status write_file(export_job *job, const char *output, aq_error *err) {
  aq_pool *pool;
  AQ_TRY(aq_pool_create(job->options->run.threads, &pool, err));
  const uint32_t workers = aq_pool_threads(pool);
  job->scratch = aq_calloc(workers, sizeof *job->scratch);
  aq_status status = job->scratch != NULL ? create_writer(job, output, err) : aq_fail_memory(err, workers);
  if (status == AQ_OK) status = write_tensors(job, pool, err);
  aq_safetensors_writer *writer = job->writer;
  if (status == AQ_OK) {
    status = aq_safetensors_writer_commit(writer, &job->file_bytes, err);
  } else if (writer != NULL) {
    aq_safetensors_writer_abort(writer);
  }
  for (uint32_t w = 0; job->scratch != NULL && w < workers; w++) aq_free(job->scratch[w]);
  for (size_t i = 0; i < BATCH_BLOCKS; i++) aq_free(job->blocks[i].bytes);
  aq_free(job->scratch);
  aq_pool_free(pool);
  return status;
}

/* ---- the report ---- */

static aq_status add_tensor(const export_job *job, json_t *tensors, size_t index, aq_error *err) {
  const aq_tensor_info *from = &job->source->tensors[index], *to = &job->targets[index];
  AQ_TRY(aq_report_append(tensors, aq_tensor_json(from), err));
  json_t *object = json_array_get(tensors, index);
  const char *action = from->quant_type != AQ_KEPT ? "dequantized" : is_copied(from, to) ? "kept" : "converted";
  AQ_TRY(aq_report_set(object, "action", json_string(action), err));
  char type[AQ_STORED_AS_SIZE];
  AQ_TRY(aq_report_set(object, "type", json_string(aq_stored_as(to, type, sizeof type)), err));
  AQ_TRY(aq_report_set(object, "bytes_before", aq_json_count(from->alias_of >= 0 ? 0 : from->stored_bytes), err));
  return aq_report_set(object, "bytes_after", aq_json_count(to->num_params * aq_dtype_bits(to->dtype) / 8), err);
}

static aq_status fill_report(const export_job *job, const char *output, double seconds, json_t *root, aq_error *err) {
  AQ_TRY(aq_report_set(root, "source", aq_source_json(job->source), err));
  AQ_TRY(aq_report_set(root, "output", json_object(), err));
  json_t *file = json_object_get(root, "output");
  AQ_TRY(aq_report_set(file, "path", aq_json_string(output), err));
  AQ_TRY(aq_report_set(file, "format", json_string("safetensors"), err));
  AQ_TRY(aq_report_set(file, "file_bytes", aq_json_count(job->file_bytes), err));
  AQ_TRY(aq_report_set(root, "seconds", aq_json_real(seconds), err));
  AQ_TRY(aq_report_set(root, "totals", json_object(), err));
  json_t *totals = json_object_get(root, "totals");
  uint64_t params = 0;
  for (size_t i = 0; i < job->source->tensor_count; i++) params += job->source->tensors[i].num_params;
  AQ_TRY(aq_report_set(totals, "tensors", aq_json_count(job->source->tensor_count), err));
  AQ_TRY(aq_report_set(totals, "params", aq_json_count(params), err));
  AQ_TRY(aq_report_set(root, "tensors", json_array(), err));
  json_t *tensors = json_object_get(root, "tensors");
  for (size_t i = 0; i < job->source->tensor_count; i++) AQ_TRY(add_tensor(job, tensors, i, err));
  return AQ_OK;
}

static aq_status make_report(const export_job *job, const char *output, double seconds, aq_report **report,
                             aq_error *err) {
  if (report == NULL) return AQ_OK;
  aq_report *made;
  AQ_TRY(aq_report_create("export", &made, err));
  const aq_status status = fill_report(job, output, seconds, made->root, err);
  if (status == AQ_OK) {
    *report = made;
  } else {
    aq_report_free(made);
  }
  return status;
}

static aq_status write_export(const aq_source *source, const char *output, const aq_export_options *o,
                              aq_report **report, aq_error *err) {
  const double started = aq_clock();
  aq_dtype wanted;
  AQ_TRY(aq_float_dtype_parse(o->dtype, "original", &wanted, err));
  AQ_TRY(aq_check_output(source, output, err));
  AQ_TRY(aq_partial_refuse(source, err));
  export_job job = {.options = o, .source = source};
  aq_status status = settle_targets(&job, wanted, err);
  if (status == AQ_OK) status = write_file(&job, output, err);
  if (status == AQ_OK) status = make_report(&job, output, aq_clock() - started, report, err);
  aq_free(job.targets);
  return status;
}

aq_status aq_export_source(const aq_source *source, const char *output, const aq_export_options *options,
                           aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_export_options o;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_FAIL_IF(o.format != NULL && strcmp(o.format, "safetensors") != 0, AQ_ERR_ARGUMENT,
             "format '%s' is not known; it is safetensors", o.format);
  AQ_FAIL_IF(source == NULL || output == NULL, AQ_ERR_ARGUMENT, "a source and an output are needed");
  return write_export(source, output, &o, report, err);
}

aq_status aq_export(const char *path, const char *output, const aq_export_options *options, aq_report **report,
                    aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open(path, options, report, &source, err));
  const aq_status status = aq_export_source(source, output, options, report, err);
  aq_source_close(source);
  return status;
}
