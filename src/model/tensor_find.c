/* tensor_find.c - the tensors of an encoder in a source. */
#include "model/tensor_find.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "io/listing.h"
#include "io/source.h"
#include "quant/quantized_layer.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

/* Length of what stands before `name` in `full`; SIZE_MAX when `full` is another tensor. */
static size_t prefix_length(const char *full, const char *name) {
  if (!aq_ends_with(full, name)) return SIZE_MAX;
  const size_t length = strlen(full) - strlen(name);
  return length == 0 || full[length - 1] == '.' ? length : SIZE_MAX;
}

aq_status aq_tensor_finder_init(aq_tensor_finder *finder, const aq_source *source, const char *name, aq_error *err) {
  *finder = (aq_tensor_finder){.source = source};
  const char *found = NULL;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const char *full = aq_source_tensor(source, i)->name;
    const size_t length = prefix_length(full, name);
    if (length == SIZE_MAX) continue;
    AQ_FAIL_IF(found != NULL, AQ_ERR_UNSUPPORTED, "both '%.150s' and '%.150s' could be the model's; it has one", found,
               full);
    AQ_FAIL_IF(length >= sizeof finder->prefix, AQ_ERR_UNSUPPORTED, "the name of tensor '%.150s' is too long", full);
    found = full;
    memcpy(finder->prefix, full, length);
    finder->prefix[length] = '\0';
  }
  AQ_FAIL_IF(found == NULL, AQ_ERR_NOT_FOUND, "no tensor is named '%s', with or without a prefix", name);
  return AQ_OK;
}

/* Replaces a %u by hand: the format would not be a literal. */
static void full_name(const aq_tensor_finder *finder, const char *name, uint32_t layer, const char *ending, char *out,
                      size_t size) {
  const char *mark = strstr(name, "%u");
  if (mark == NULL) {
    (void)snprintf(out, size, "%s%s%s", finder->prefix, name, ending);
  } else {
    (void)snprintf(out, size, "%s%.*s%u%s%s", finder->prefix, (int)(mark - name), name, layer, mark + 2, ending);
  }
}

bool aq_tensor_exists(const aq_tensor_finder *finder, const char *name, const char *ending) {
  char full[512];
  full_name(finder, name, 0, ending, full, sizeof full);
  return aq_source_find(finder->source, full) >= 0;
}

/* Names of before 2020, which conversions of old checkpoints still have. */
static int64_t find_under_old_name(const aq_source *source, char *name) {
  static const struct {
    const char *now;
    char old[8];
  } pairs[] = {{"LayerNorm.weight", "gamma"}, {"LayerNorm.bias", "beta"}};
  for (size_t i = 0; i < AQ_COUNT_OF(pairs); i++) {
    char old[512];
    if (!aq_ends_with(name, pairs[i].now)) continue;
    const char *dot = strrchr(name, '.');
    (void)snprintf(old, sizeof old, "%.*s.%s", (int)(dot - name), name, pairs[i].old);
    return aq_source_find(source, old);
  }
  return -1;
}

/* Codes of another tool are no values: an encoder that took them for some would embed noise. */
static aq_status check_values(const aq_source *source, const aq_tensor_info *info, aq_error *err) {
  if (aq_dtype_is_float(info->dtype) && aq_dtype_size(info->dtype) > 1) return AQ_OK;
  aq_quantized_layers layers;
  AQ_TRY(aq_quantized_layers_find(source->tensors, source->tensor_count, &layers, err));
  const bool member = layers.members != NULL && layers.members[info - source->tensors];
  aq_quantized_layers_reset(&layers);
  if (!member && aq_dtype_is_float(info->dtype)) return AQ_OK; /* cast to 8 bits, without a scale */
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "is of dtype %s%s", aq_dtype_name(info->dtype),
              member ? ", with scales of another tool's quantization" : ", not of floating-point numbers");
  return aq_error_hint(err, status, "Take the model before it was quantized");
}

/* It may be in another shard than the one that was named. */
static aq_status fail_missing(const aq_source *source, const char *name, aq_error *err) {
  const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND, "tensor '%s' is missing; config.json asks for it", name);
  if (source->partial == NULL) return status;
  return aq_error_hint(err, status, "The file %s. %s", source->partial, source->whole);
}

aq_status aq_tensor_find(const aq_tensor_finder *finder, const char *name, uint32_t layer, const char *ending,
                         uint64_t rows, uint64_t columns, size_t *index, aq_error *err) {
  char full[512], text[128];
  full_name(finder, name, layer, ending, full, sizeof full);
  int64_t found = aq_source_find(finder->source, full);
  if (found < 0) found = find_under_old_name(finder->source, full);
  if (found < 0) return fail_missing(finder->source, full, err);
  *index = (size_t)found;
  const aq_tensor_info *info = aq_source_tensor(finder->source, *index);
  const bool fits = columns == 0
                        ? info->rank == 1 && (uint64_t)info->shape[0] == rows
                        : info->rank == 2 && (uint64_t)info->shape[0] == rows && (uint64_t)info->shape[1] == columns;
  if (fits) {
    const aq_status status = check_values(finder->source, info, err);
    return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, full);
  }
  const int64_t expected[2] = {(int64_t)rows, (int64_t)columns};
  char wanted[64];
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "its shape is %s, but config.json asks for %s",
                                   aq_shape_text(info->shape, info->rank, text, sizeof text),
                                   aq_shape_text(expected, columns == 0 ? 1 : 2, wanted, sizeof wanted));
  return aq_error_in_tensor(err, status, full);
}
