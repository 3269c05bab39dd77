/* common.h - what every operation does first: check where it reads and writes, and settle its options. */
#ifndef AQ_OPS_COMMON_H
#define AQ_OPS_COMMON_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/pool.h"

/* An options struct of a newer or older caller: its size says how much of it there is. Copies what is there over the
 * defaults in `into` (of `size` bytes); NULL options leave the defaults. */
AQ_MUST_CHECK aq_status aq_options_take(void *into, size_t size, const void *options, aq_error *err);

/* Refuses an output that is a file which the source reads, one shard of many or an index among them. */
AQ_MUST_CHECK aq_status aq_check_output(const aq_source *source, const char *output, aq_error *err);

/* Fails when the folder of `output` has less than half of `estimate` bytes free: compression may save some, not that
 * much. */
AQ_MUST_CHECK aq_status aq_check_space(const char *output, uint64_t estimate, aq_error *err);

/* "fp32", "fp16", "bf16" -> the type; NULL or the word `same` -> AQ_DTYPE_INVALID, "as it is". */
AQ_MUST_CHECK aq_status aq_float_dtype_parse(const char *text, const char *same, aq_dtype *out, aq_error *err);

/* A JSON array of the dimensions; NULL when out of memory. */
json_t *aq_shape_json(const aq_tensor_info *tensor);

/* {"path", "format", "file_bytes", "model_files_bytes", "tensors", "params", "notes"} of a source; NULL when out of
 * memory. Aliases are counted as tensors, not as parameters. */
json_t *aq_source_json(const aq_source *source);

/* The notes of an encoder as a JSON array; NULL when out of memory. */
json_t *aq_encoder_notes_json(const aq_encoder *encoder);

/* A value of the source's metadata that is JSON: the first of this key; NULL when there is none or it is no JSON. */
json_t *aq_metadata_json(const aq_source *source, const char *key);

#endif
