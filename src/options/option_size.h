/* option_size.h - sizes as people write them. */
#ifndef AQ_OPTIONS_OPTION_SIZE_H
#define AQ_OPTIONS_OPTION_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* "812", "812 B", "6MB", "1.5 GiB" -> bytes, rounded down. Units in any case: B, kB MB GB TB (powers of 1000), KiB MiB
 * GiB TiB (powers of 1024); at most six decimals. False when it is something else or does not fit. */
bool aq_option_size_parse(const char *text, uint64_t *bytes);

#endif
