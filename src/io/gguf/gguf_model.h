/* gguf_model.h - a GGUF file as the Hugging Face model that it was made from: names, order of values, files. */
#ifndef AQ_IO_GGUF_GGUF_MODEL_H
#define AQ_IO_GGUF_GGUF_MODEL_H

#include "io/gguf/gguf_header.h"
#include "io/gguf/gguf_names.h"

/* How the values of a tensor differ from those of the file. */
typedef struct aq_gguf_order {
  bool less_one;      /* 1 is subtracted from each, in FP32 */
  uint64_t row_bytes; /* of values, decoded; rows are interleaved when it is not 0 */
  uint64_t half;      /* rows of half a head */
} aq_gguf_order;

/* The row of the file that is row `row` of the model. Within a head of 2 `half` rows, llama.cpp puts row d and row
 * half + d side by side. */
static inline uint64_t aq_gguf_row_in_file(const aq_gguf_order *order, uint64_t row) {
  const uint64_t head = row / (2 * order->half), at = row % (2 * order->half);
  return head * 2 * order->half + 2 * (at % order->half) + at / order->half;
}

typedef struct aq_gguf_model_file {
  char *name, *text;
} aq_gguf_model_file;

/* More files than any architecture has. */
enum { AQ_GGUF_MODEL_FILES = 8 };

/* Most tensors of a model that are joined in one of the file. */
enum { AQ_GGUF_PIECES = 3 };

/* Tensors are in the order of the headers' entries, part after part. */
typedef struct aq_gguf_model {
  uint8_t *pieces; /* of each entry: how many tensors it is; 0 of one that is a part of config.json instead */
  size_t entries;
  char **names; /* of each tensor */
  aq_gguf_order *orders;
  size_t count;
  aq_gguf_model_file files[AQ_GGUF_MODEL_FILES];
  size_t file_count;
} aq_gguf_model;

/* The first part has the metadata. AQ_ERR_UNSUPPORTED: an architecture or a tensor that has no name in Hugging Face, or
 * a tokenizer or key that is not known; AQ_ERR_FORMAT: metadata that are missing or do not fit. The caller resets *out,
 * after a failure too. */
AQ_MUST_CHECK aq_status aq_gguf_model_make(const aq_gguf_header *headers, const aq_file *files, size_t parts,
                                           aq_gguf_model *out, aq_error *err);
void aq_gguf_model_reset(aq_gguf_model *model);

#endif
