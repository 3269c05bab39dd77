/* literal_classes.h - stretches of bytes that share a distribution. */
#ifndef AQ_PARQUET_CODEC_BROTLI_LITERAL_CLASSES_H
#define AQ_PARQUET_CODEC_BROTLI_LITERAL_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/compiler.h"

#define AQ_LITERAL_CLASSES 16
#define AQ_LITERAL_SEGMENT 32 /* bytes; the last segment may be shorter */

/* Zero-initialise. */
typedef struct aq_literal_classes {
  uint8_t *of; /* class of each segment; 0 is that of the first, and so on in the order of appearance */
  size_t segments;
  size_t count;                             /* of classes, 1 to AQ_LITERAL_CLASSES */
  uint32_t counts[AQ_LITERAL_CLASSES][256]; /* of bytes in each */
} aq_literal_classes;

/* Sorts the segments of `size` bytes (1 to 2^24) into classes so that the bytes, each class with a code of its own, the
 * codes and the changes of class together are short. Integer arithmetic alone: the same on every machine. */
AQ_MUST_CHECK aq_status aq_literal_classes_find(const uint8_t *bytes, size_t size, aq_literal_classes *out,
                                                aq_error *err);

void aq_literal_classes_reset(aq_literal_classes *classes);

#endif
