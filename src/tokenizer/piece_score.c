/* piece_score.c - decimal numbers as `tokenizers` reads them, and correctly rounded.
 *
 * The library's reader is serde_json without its feature float_roundtrip: digits fill 64 bits as long as they fit; of
 * those that do not, digits before the point raise the exponent, and all that follow the first such digit behind the
 * point are dropped. */
#include "tokenizer/piece_score.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DIGITS 100
#define MOST_EXPONENT 100000 /* beyond any number that is not 0 or too large */

#define TEN_POWERS(tens)                                                                                               \
  1e##tens##0, 1e##tens##1, 1e##tens##2, 1e##tens##3, 1e##tens##4, 1e##tens##5, 1e##tens##6, 1e##tens##7, 1e##tens##8, \
      1e##tens##9
static const double powers[] = {
    TEN_POWERS(0),  TEN_POWERS(1),  TEN_POWERS(2),  TEN_POWERS(3),  TEN_POWERS(4),  TEN_POWERS(5),  TEN_POWERS(6),
    TEN_POWERS(7),  TEN_POWERS(8),  TEN_POWERS(9),  TEN_POWERS(10), TEN_POWERS(11), TEN_POWERS(12), TEN_POWERS(13),
    TEN_POWERS(14), TEN_POWERS(15), TEN_POWERS(16), TEN_POWERS(17), TEN_POWERS(18), TEN_POWERS(19), TEN_POWERS(20),
    TEN_POWERS(21), TEN_POWERS(22), TEN_POWERS(23), TEN_POWERS(24), TEN_POWERS(25), TEN_POWERS(26), TEN_POWERS(27),
    TEN_POWERS(28), TEN_POWERS(29), 1e300,          1e301,          1e302,          1e303,          1e304,
    1e305,          1e306,          1e307,          1e308};
#define LARGEST_POWER 308

typedef struct number {
  const uint8_t *at;
  char digits[MOST_DIGITS + 1]; /* all of them, without the point */
  size_t count;
  bool negative;
  long exponent;         /* of the digits as a whole number */
  uint64_t significand;  /* the digits that the library keeps, */
  long library_exponent; /* and their exponent */
  bool drops;            /* it drops what follows */
} number;

static bool read_digits(number *n, bool is_fraction) {
  const size_t before = n->count;
  for (n->drops = false; *n->at >= '0' && *n->at <= '9'; n->at++) {
    const uint64_t digit = (uint64_t)(*n->at - '0');
    if (n->count == MOST_DIGITS) return false;
    n->digits[n->count++] = (char)*n->at;
    n->exponent -= is_fraction ? 1 : 0;
    n->drops = n->drops || n->significand > (UINT64_MAX - digit) / 10;
    if (!n->drops) {
      n->significand = n->significand * 10 + digit;
      n->library_exponent -= is_fraction ? 1 : 0;
    } else if (!is_fraction) {
      n->library_exponent++;
    }
  }
  return n->count > before;
}

/* What is written behind "e". */
static bool read_exponent(number *n) {
  const bool negative = *n->at == '-';
  long exponent = 0;
  if (*n->at == '-' || *n->at == '+') n->at++;
  if (*n->at < '0' || *n->at > '9') return false;
  for (; *n->at >= '0' && *n->at <= '9'; n->at++) {
    if (exponent < MOST_EXPONENT) exponent = exponent * 10 + (*n->at - '0');
  }
  n->exponent += negative ? -exponent : exponent;
  n->library_exponent += negative ? -exponent : exponent;
  return true;
}

/* False where the library has an error. */
static bool scale_as_library(const number *n, double *out) {
  double value = (double)n->significand;
  long exponent = n->library_exponent;
  for (; exponent < -LARGEST_POWER && value > 0; exponent += LARGEST_POWER) value /= powers[LARGEST_POWER];
  if (value > 0 && exponent > LARGEST_POWER) return false;
  if (value > 0) value = exponent >= 0 ? value * powers[exponent] : value / powers[-exponent];
  *out = n->negative ? -value : value;
  return isfinite(value);
}

/* Without a point, strtod reads the same in every locale. */
static bool round_correctly(const number *n, double *out) {
  char text[MOST_DIGITS + 32];
  (void)snprintf(text, sizeof text, "%s%se%ld", n->negative ? "-" : "", n->digits, n->exponent);
  *out = strtod(text, NULL);
  return isfinite(*out);
}

size_t aq_piece_score_read(const uint8_t *text, aq_piece_score *out) {
  number n = {.at = text, .negative = *text == '-'};
  if (n.negative) n.at++;
  if (n.at[0] == '0' && n.at[1] >= '0' && n.at[1] <= '9') return 0;
  if (!read_digits(&n, false)) return 0;
  if (*n.at == '.') {
    n.at++;
    if (!read_digits(&n, true)) return 0;
  }
  if (*n.at == 'e' || *n.at == 'E') {
    n.at++;
    if (!read_exponent(&n)) return 0;
  }
  n.digits[n.count] = '\0';
  return scale_as_library(&n, &out->of_library) && round_correctly(&n, &out->nearest) ? (size_t)(n.at - text) : 0;
}
