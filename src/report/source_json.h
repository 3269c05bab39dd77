/* source_json.h - tensors and sources as parts of a report. */
#ifndef AQ_REPORT_SOURCE_JSON_H
#define AQ_REPORT_SOURCE_JSON_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/notes.h"

/* A JSON array of the dimensions; NULL when out of memory. */
json_t *aq_shape_json(const aq_tensor_info *tensor);

/* "int8 per tensor", "int8 per channel", "int4 g64"; the short dtype of a kept tensor: "float32". Into out; returns
 * out. */
#define AQ_STORED_AS_SIZE 32
const char *aq_stored_as(const aq_tensor_info *tensor, char *out, size_t size);

/* Bits per parameter on disk; NaN for an empty tensor. */
double aq_bits_per_weight(uint64_t stored_bytes, uint64_t params);

/* {"name", "shape", "dtype", "stored_as", "params"}; NULL when out of memory. */
json_t *aq_tensor_json(const aq_tensor_info *tensor);

/* {"path", "format", "file_bytes", "model_files_bytes", "tensors", "params", "notes"} of a source; NULL when out of
 * memory. Aliases are counted as tensors, not as parameters. */
json_t *aq_source_json(const aq_source *source);

/* Notes as a JSON array; NULL when out of memory. */
json_t *aq_notes_json(const aq_notes *notes);

/* A value of the source's metadata that is JSON: the first of this key; NULL when there is none or it is no JSON. */
json_t *aq_metadata_json(const aq_source *source, const char *key);

#endif
