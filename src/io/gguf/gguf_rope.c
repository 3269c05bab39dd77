/* gguf_rope.c - divisors of frequencies, compared with those of the formula. */
#include "io/gguf/gguf_rope.h"

#include <math.h>

#include "core/compiler.h"
#include "core/error.h"

enum { MOST_DIVISORS = 512 }; /* half of the widest head that can be run */
#define PI 3.14159265358979323846
/* The file has what FP32 made of the formula, by other steps. */
#define TOLERANCE 1e-4

static double divisor_of(double frequency, double factor) {
  const double waves = AQ_GGUF_ROPE_ORIGINAL * frequency / (2 * PI); /* original / wavelength */
  if (waves > AQ_GGUF_ROPE_HIGH) return 1;
  if (waves < AQ_GGUF_ROPE_LOW) return factor;
  const double smooth = (waves - AQ_GGUF_ROPE_LOW) / (AQ_GGUF_ROPE_HIGH - AQ_GGUF_ROPE_LOW);
  return 1 / ((1 - smooth) / factor + smooth);
}

aq_status aq_gguf_rope_factor(const aq_file *file, const aq_gguf_entry *entry, double theta, int64_t width,
                              double *factor, aq_error *err) {
  float divisors[MOST_DIVISORS];
  const aq_gguf_type *type = aq_gguf_type_at(entry->type);
  const uint64_t count = entry->num_params;
  AQ_FAIL_IF(type->decode != NULL || type->dtype != AQ_F32 || count == 0 || count > MOST_DIVISORS ||
                 (int64_t)count != width / 2,
             AQ_ERR_UNSUPPORTED, "it has %llu values of %s; divisors of frequencies are %lld of F32",
             (unsigned long long)count, type->name, (long long)(width / 2));
  AQ_TRY(aq_file_read(file, entry->begin, (size_t)count * sizeof *divisors, divisors, err));
  *factor = (double)divisors[count - 1];
  AQ_FAIL_IF(!(*factor >= 1 && *factor <= 1e6), AQ_ERR_UNSUPPORTED, "the divisor of the lowest frequency is %g",
             *factor);
  for (size_t i = 0; i < count; i++) {
    const double frequency = pow(theta, -(double)(2 * i) / (double)width), expected = divisor_of(frequency, *factor);
    AQ_FAIL_IF(!(fabs((double)divisors[i] - expected) <= TOLERANCE * expected), AQ_ERR_UNSUPPORTED,
               "divisor %zu of the frequencies is %g, and %g with the parameters of Llama 3 (low_freq_factor %g, "
               "high_freq_factor %g, original_max_position_embeddings %d): a config.json cannot be made of it",
               i, (double)divisors[i], expected, AQ_GGUF_ROPE_LOW, AQ_GGUF_ROPE_HIGH, AQ_GGUF_ROPE_ORIGINAL);
  }
  return AQ_OK;
}
