/* words.c - numbers as people read them.
 *
 * printf("%f") takes the decimal sign from the locale of the process; these do not, so that a report reads the same
 * everywhere. They round to nearest, halves up, and go to the next unit where rounding reaches it: 999,950 bytes are
 * "1.0 MB" and not "1000.0 kB". */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "report/report.h"

const char *aq_text_bytes(uint64_t bytes, char *out, size_t size) {
  static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) {
    (void)snprintf(out, size, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
    return out;
  }
  uint64_t unit = 1000;
  size_t u = 0;
  uint64_t tenths;
  for (;;) {
    /* Whole units and the rest apart: bytes * 10 need not fit. */
    tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
    if (tenths < 10000 || u + 1 == AQ_COUNT_OF(units)) break;
    unit *= 1000;
    u++;
  }
  (void)snprintf(out, size, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[u]);
  return out;
}

const char *aq_text_count(uint64_t count, char *out, size_t size) {
  char digits[AQ_WORD_SIZE], grouped[AQ_WORD_SIZE];
  const int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
  size_t used = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) grouped[used++] = ',';
    grouped[used++] = digits[i];
  }
  grouped[used] = '\0';
  (void)snprintf(out, size, "%s", grouped);
  return out;
}

/* n / 10^decimals. */
static void print_scaled(bool negative, uint64_t n, int decimals, char *out, size_t size) {
  uint64_t unit = 1;
  for (int i = 0; i < decimals; i++) unit *= 10;
  const char *sign = negative && n > 0 ? "-" : "";
  if (decimals == 0) {
    (void)snprintf(out, size, "%s%" PRIu64, sign, n);
  } else {
    (void)snprintf(out, size, "%s%" PRIu64 ".%0*" PRIu64, sign, n / unit, decimals, n % unit);
  }
}

const char *aq_text_fixed(double value, int decimals, char *out, size_t size) {
  if (isnan(value)) {
    (void)snprintf(out, size, "-");
  } else if (isinf(value)) {
    (void)snprintf(out, size, value > 0 ? "inf" : "-inf");
  } else {
    const int places = AQ_MIN(AQ_MAX(decimals, 0), 9);
    const double scaled = fabs(value) * pow(10, places);
    if (scaled < 9e18) {
      print_scaled(value < 0, (uint64_t)floor(scaled + 0.5), places, out, size);
    } else {
      (void)snprintf(out, size, "%.0e", value); /* no decimal sign in it */
    }
  }
  return out;
}

const char *aq_text_cosine(double cosine, char *out, size_t size) {
  if (!isfinite(cosine)) return aq_text_fixed(cosine, 6, out, size);
  const double scaled = fabs(cosine) * 1e6;
  /* What was 0.9 in a file may be 0.8999999999 here. */
  print_scaled(cosine < 0, (uint64_t)floor(fmin(scaled, 9e15) * (1 + 1e-15)), 6, out, size);
  return out;
}

const char *aq_text_scientific(double value, char *out, size_t size) {
  if (!isfinite(value)) return aq_text_fixed(value, 2, out, size);
  if (fabs(value) < 1e-300) { /* no error of FP32 values is that small */
    (void)snprintf(out, size, "0");
    return out;
  }
  int exponent = (int)floor(log10(fabs(value)));
  if (fabs(value) / pow(10, exponent) >= 9.995) exponent++; /* 10.00e-03 is 1.00e-02 */
  char mantissa[AQ_WORD_SIZE];
  (void)snprintf(out, size, "%se%+03d", aq_text_fixed(value / pow(10, exponent), 2, mantissa, sizeof mantissa),
                 exponent);
  return out;
}

const char *aq_text_seconds(double seconds, char *out, size_t size) {
  char number[AQ_WORD_SIZE];
  if (!(seconds >= 0) || isinf(seconds)) {
    (void)snprintf(out, size, "-");
  } else if (seconds < 0.9995) {
    (void)snprintf(out, size, "%s ms", aq_text_fixed(seconds * 1000, 0, number, sizeof number));
  } else if (seconds < 59.95) {
    (void)snprintf(out, size, "%s s", aq_text_fixed(seconds, 1, number, sizeof number));
  } else {
    const uint64_t whole = (uint64_t)floor(fmin(seconds, 1e15) + 0.5);
    if (whole < 3600) {
      (void)snprintf(out, size, "%" PRIu64 " min %" PRIu64 " s", whole / 60, whole % 60);
    } else {
      (void)snprintf(out, size, "%" PRIu64 " h %" PRIu64 " min", whole / 3600, whole % 3600 / 60);
    }
  }
  return out;
}
