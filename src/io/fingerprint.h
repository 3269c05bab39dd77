/* fingerprint.h - what tells models apart. */
#ifndef AQ_IO_FINGERPRINT_H
#define AQ_IO_FINGERPRINT_H

#include "arrowquant.h"

/* Fingerprint of names, types, shapes and sampled bytes (the first and last 4 KiB and 14 evenly spaced ones of every
 * tensor), as 32 hexadecimal digits (XXH3, 128 bits) and a zero. */
AQ_MUST_CHECK aq_status aq_source_fingerprint(const aq_source *source, char out[33], aq_error *err);

/* The same hash of bytes in memory. */
void aq_digest_of(const void *bytes, size_t size, char out[33]);

#endif
