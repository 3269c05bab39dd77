/* gguf_types.h - the types of tensors in GGUF files: plain numbers, and blocks that FP32 values are decoded from.
 *
 * A block is a few consecutive values of a row: codes of two to eight bits, and scales that they share. The layouts are
 * those of ggml and of the Python package gguf; docs/formats/gguf.md has the list. */
#ifndef AQ_IO_GGUF_GGUF_TYPES_H
#define AQ_IO_GGUF_GGUF_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Decodes `count` consecutive blocks to FP32. Sums and products are those of the package gguf, in its order, each
 * rounded to FP32. */
typedef void (*aq_gguf_decoder)(const uint8_t *blocks, size_t count, float *out);

typedef struct aq_gguf_type {
  const char *name;
  uint32_t values, bytes; /* of a block; 1 and the bytes of an element for plain numbers */
  aq_dtype dtype;         /* of what is read: F32 for blocks */
  aq_gguf_decoder decode; /* NULL: plain numbers */
} aq_gguf_type;

/* The most values that a block has. */
enum { AQ_GGUF_BLOCK_VALUES = 256 };

/* The type of this number in files. AQ_ERR_UNSUPPORTED, with its name where it has one, when it cannot be read. */
AQ_MUST_CHECK aq_status aq_gguf_type_find(uint32_t number, const aq_gguf_type **out, aq_error *err);

/* A type that was found, by its number. */
const aq_gguf_type *aq_gguf_type_at(uint32_t number);

/* Numbers that may have types, from 0. */
uint32_t aq_gguf_type_count(void);

/* type->decode, with every NaN (of a scale that is not finite) as 0x7fc00000: which NaN comes out of a product depends
 * on the machine. */
void aq_gguf_decode(const aq_gguf_type *type, const uint8_t *blocks, size_t count, float *out);

#endif
