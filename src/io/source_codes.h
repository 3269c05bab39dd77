/* source_codes.h - tensors that a format stores as codes, as rows of codes instead of values. */
#ifndef AQ_IO_SOURCE_CODES_H
#define AQ_IO_SOURCE_CODES_H

#include "io/source.h"

/* Puts a source over *source in which every tensor that can be has the codes, scales and zero points of its format:
 * those of which the formula of FORMAT.md gives all values, finite ones, with the bits that the format's own definition
 * gives. That is tried out on every value, so that all codes are read, by several threads. The others stay values. A
 * note says how many there are of either. threads 0: the CPUs that this process may use; their number changes nothing
 * but the time. *source is still the caller's to close, after a failure too. */
AQ_MUST_CHECK aq_status aq_source_keep_codes(aq_source **source, uint32_t threads, aq_error *err);

/* Whether the values of a tensor are made of codes that its format stores: they lost something before. */
bool aq_source_is_decoded(const aq_source *source, size_t index);

#endif
