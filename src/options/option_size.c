/* option_size.c - sizes as people write them.
 *
 * A bare "64M" is refused: half of all tools mean 1000, the other half 1024. Numbers are read as integers and a decimal
 * fraction, so that "1.1GB" is 1100000000 and not what a double makes of it. */
#include "option_size.h"

#include <stddef.h>
#include <strings.h>

#define MAX_DECIMALS 6

static const struct {
  const char *name;
  uint64_t bytes;
} units[] = {
    {"", 1},
    {"B", 1},
    {"kB", UINT64_C(1000)},
    {"MB", UINT64_C(1000000)},
    {"GB", UINT64_C(1000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* value = value * 10 + digit, while it fits. */
static bool push_digit(uint64_t *value, char c) {
  const uint64_t digit = (uint64_t)(c - '0');
  if (*value > (UINT64_MAX - digit) / 10) return false;
  *value = *value * 10 + digit;
  return true;
}

static bool unit_bytes(const char *name, uint64_t *bytes) {
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    if (strcasecmp(units[i].name, name) == 0) {
      *bytes = units[i].bytes;
      return true;
    }
  }
  return false;
}

bool aq_option_size_parse(const char *text, uint64_t *bytes) {
  uint64_t whole = 0, fraction = 0, denominator = 1, unit = 0;
  if (!is_digit(*text)) return false;
  for (; is_digit(*text); text++) {
    if (!push_digit(&whole, *text)) return false;
  }
  if (*text == '.') {
    int decimals = 0;
    for (text++; is_digit(*text); text++, decimals++, denominator *= 10) {
      if (decimals == MAX_DECIMALS || !push_digit(&fraction, *text)) return false;
    }
    if (decimals == 0) return false;
  }
  while (*text == ' ') text++;
  if (!unit_bytes(text, &unit) || whole > UINT64_MAX / unit) return false;
  /* At most 10^6 * 2^40: no overflow. */
  const uint64_t part = fraction * unit / denominator;
  if (whole * unit > UINT64_MAX - part) return false;
  *bytes = whole * unit + part;
  return true;
}
