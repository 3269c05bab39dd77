/* value_formats.c - the formats of templates; the table at the end has them all. words.c makes the numbers. */
#include "report/value_formats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "report/report.h"

static double real_of(const json_t *value) { return json_is_number(value) ? json_number_value(value) : NAN; }

/* Of an array its length. */
static uint64_t count_of(const json_t *value) {
  const json_int_t count = json_integer_value(value);
  if (json_is_array(value)) return json_array_size(value);
  return count > 0 ? (uint64_t)count : 0;
}

static bool is_equal(const json_t *figures) { return aq_json_get_flag(figures, "equal"); }

/* ---- numbers ---- */

static const char *plural_of(uint64_t count, char *out, size_t size) {
  (void)snprintf(out, size, "%s", count == 1 ? "" : "s");
  return out;
}

static const char *cosine_band(double cosine, char *out, size_t size) {
  (void)snprintf(out, size, "%s",
                 isnan(cosine)                   ? "-"
                 : cosine >= AQ_COSINE_EXCELLENT ? "excellent"
                 : cosine >= 0.85                ? "good"
                 : cosine >= 0.70                ? "fair"
                                                 : "poor");
  return out;
}

static const char *loss_band(double percent, char *out, size_t size) {
  (void)snprintf(out, size, "%s",
                 isnan(percent)  ? "-"
                 : percent <= 5  ? "excellent"
                 : percent <= 15 ? "good"
                 : percent <= 30 ? "fair"
                                 : "poor");
  return out;
}

/* ---- values that depend on their neighbours in the object ---- */

/* A signal-to-noise ratio: "equal" rather than an infinite one. */
static void write_snr(const json_t *value, const json_t *object, char *out) {
  if (is_equal(object)) {
    (void)snprintf(out, AQ_FORMATTED_SIZE, "equal");
  } else {
    (void)aq_text_fixed(real_of(value), 2, out, AQ_FORMATTED_SIZE);
  }
}

static void write_decibels(const json_t *value, const json_t *object, char *out) {
  write_snr(value, object, out);
  if (!is_equal(object)) (void)snprintf(out + strlen(out), AQ_FORMATTED_SIZE - strlen(out), " dB");
}

/* Limits are round numbers: "0.85" and not "0.850000". */
static void write_limit(const json_t *value, const json_t *object, char *out) {
  const char *unit = aq_json_get_string(object, "unit");
  const bool is_word = strcmp(unit, "s") == 0 || strcmp(unit, "%") == 0;
  char number[AQ_WORD_SIZE];
  (void)aq_text_fixed(real_of(value), 6, number, sizeof number);
  size_t length = strlen(number);
  if (strchr(number, '.') != NULL) {
    while (length > 0 && number[length - 1] == '0') length--;
    if (length > 0 && number[length - 1] == '.') length--;
  }
  (void)snprintf(out, AQ_FORMATTED_SIZE, "%.*s%s%s", (int)length, number, is_word ? " " : "",
                 is_word || strcmp(unit, "x") == 0 ? unit : "");
}

static void write_measured(const json_t *value, const json_t *object, char *out) {
  const char *unit = aq_json_get_string(object, "unit");
  const double real = real_of(value);
  char number[AQ_WORD_SIZE];
  if (isnan(real)) {
    (void)snprintf(out, AQ_FORMATTED_SIZE, "-");
  } else if (strcmp(unit, "s") == 0) {
    (void)aq_text_seconds(real, out, AQ_FORMATTED_SIZE);
  } else if (strcmp(unit, "x") == 0) {
    (void)snprintf(out, AQ_FORMATTED_SIZE, "%sx", aq_text_fixed(real, 2, number, sizeof number));
  } else if (strcmp(unit, "%") == 0) {
    (void)snprintf(out, AQ_FORMATTED_SIZE, "%s %%", aq_text_fixed(real, 3, number, sizeof number));
  } else if (strcmp(unit, "nats") == 0) {
    (void)aq_text_fixed(real, 5, out, AQ_FORMATTED_SIZE);
  } else if (unit[0] != '\0') {
    (void)aq_text_fixed(real, 0, out, AQ_FORMATTED_SIZE); /* the count that the criterion names */
  } else {
    (void)aq_text_cosine(real, out, AQ_FORMATTED_SIZE);
  }
}

/* ---- words ---- */

/* "[30522, 384]"; "[]" for a scalar. */
static void write_shape(const json_t *value, const json_t *object, char *out) {
  (void)object;
  size_t used = (size_t)snprintf(out, AQ_FORMATTED_SIZE, "[");
  for (size_t i = 0; i < json_array_size(value) && used < AQ_FORMATTED_SIZE; i++) {
    const long long length = (long long)json_integer_value(json_array_get(value, i));
    used += (size_t)snprintf(out + used, AQ_FORMATTED_SIZE - used, "%s%lld", i > 0 ? ", " : "", length);
  }
  if (used < AQ_FORMATTED_SIZE) (void)snprintf(out + used, AQ_FORMATTED_SIZE - used, "]");
}

/* "float32" of "torch.float32". */
static void write_dtype(const json_t *value, const json_t *object, char *out) {
  (void)object;
  const char *dtype = json_is_string(value) ? json_string_value(value) : "", *dot = strchr(dtype, '.');
  (void)snprintf(out, AQ_FORMATTED_SIZE, "%s", dot != NULL ? dot + 1 : dtype);
}

/* "INT8" of "int8". */
static void write_upper(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)snprintf(out, AQ_FORMATTED_SIZE, "%s", json_is_string(value) ? json_string_value(value) : "");
  for (char *c = out; *c != '\0'; c++) {
    if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
  }
}

static const struct format {
  const char *name;
  const char *(*of_count)(uint64_t count, char *out, size_t size);
  const char *(*of_real)(double value, char *out, size_t size);
  void (*of_value)(const json_t *value, const json_t *object, char *out);
} formats[] = {
    {"bytes", aq_text_bytes, NULL, NULL},
    {"count", aq_text_count, NULL, NULL},
    {"s", plural_of, NULL, NULL}, /* the ending of a plural */
    {"seconds", NULL, aq_text_seconds, NULL},
    {"cosine", NULL, aq_text_cosine, NULL},
    {"error", NULL, aq_text_scientific, NULL}, /* errors span many magnitudes */
    {"band", NULL, cosine_band, NULL},
    {"loss band", NULL, loss_band, NULL},
    {"snr", NULL, NULL, write_snr},
    {"decibels", NULL, NULL, write_decibels},
    {"limit", NULL, NULL, write_limit},
    {"measured", NULL, NULL, write_measured},
    {"shape", NULL, NULL, write_shape},
    {"dtype", NULL, NULL, write_dtype},
    {"upper", NULL, NULL, write_upper},
};

bool aq_format_value(const char *name, size_t size, const json_t *value, const json_t *object, char *out) {
  if (size == 2 && name[0] == '.' && name[1] >= '0' && name[1] <= '9') { /* decimals: ".2" */
    (void)aq_text_fixed(real_of(value), name[1] - '0', out, AQ_FORMATTED_SIZE);
    return true;
  }
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    const struct format *f = &formats[i];
    if (strlen(f->name) != size || memcmp(f->name, name, size) != 0) continue;
    if (f->of_count != NULL) (void)f->of_count(count_of(value), out, AQ_FORMATTED_SIZE);
    if (f->of_real != NULL) (void)f->of_real(real_of(value), out, AQ_FORMATTED_SIZE);
    if (f->of_value != NULL) f->of_value(value, object, out);
    return true;
  }
  return false;
}
