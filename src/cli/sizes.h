/* sizes.h - sizes for people to read. */
#ifndef AQ_CLI_SIZES_H
#define AQ_CLI_SIZES_H

#include <stddef.h>

/* "812 B", "41.3 MB": powers of 1000. Writes into out and returns it. */
const char *cli_size_text(double bytes, char *out, size_t size);

#endif
