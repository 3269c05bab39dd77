/* sizes.h - sizes as people write them. */
#ifndef AQ_CLI_SIZES_H
#define AQ_CLI_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "812", "812 B", "6MB", "1.5 GiB" -> bytes, rounded down. Units in any case: B, kB MB GB TB (powers of 1000), KiB MiB
 * GiB TiB (powers of 1024); at most six decimals. False when it is something else or does not fit. */
bool cli_size_parse(const char *text, uint64_t *bytes);

/* "812 B", "41.3 MB": powers of 1000. Writes into out and returns it. */
const char *cli_size_text(double bytes, char *out, size_t size);

#endif
