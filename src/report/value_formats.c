/* value_formats.c - the formats of templates; the table at the end has them all. words.c makes the numbers. */
#include "report/value_formats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "report/report.h"

typedef void (*write_value)(const json_t *value, const json_t *object, char *out);

static double real_of(const json_t *value) { return json_is_number(value) ? json_number_value(value) : NAN; }

static uint64_t count_of(const json_t *value) {
  const json_int_t count = json_integer_value(value);
  return count > 0 ? (uint64_t)count : 0;
}

static bool is_equal(const json_t *figures) { return aq_json_get_flag(figures, "equal"); }

/* ---- numbers ---- */

static void write_bytes(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)aq_text_bytes(count_of(value), out, AQ_FORMATTED_SIZE);
}

static void write_count(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)aq_text_count(count_of(value), out, AQ_FORMATTED_SIZE);
}

/* The number of elements. */
static void write_length(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)aq_text_count(json_array_size(value), out, AQ_FORMATTED_SIZE);
}

static void write_plural(const json_t *value, const json_t *object, char *out) {
  (void)object;
  const uint64_t count = json_is_array(value) ? json_array_size(value) : count_of(value);
  (void)snprintf(out, AQ_FORMATTED_SIZE, "%s", count == 1 ? "" : "s");
}

static void write_seconds(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)aq_text_seconds(real_of(value), out, AQ_FORMATTED_SIZE);
}

static void write_cosine(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)aq_text_cosine(real_of(value), out, AQ_FORMATTED_SIZE);
}

/* Errors span many magnitudes. */
static void write_scientific(const json_t *value, const json_t *object, char *out) {
  (void)object;
  (void)aq_text_scientific(real_of(value), out, AQ_FORMATTED_SIZE);
}

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

/* ---- bands ---- */

typedef struct band {
  double limit;
  const char *name;
} band;

static void write_cosine_band(const json_t *value, const json_t *object, char *out) {
  static const band bands[] = {{AQ_COSINE_EXCELLENT, "excellent"}, {0.85, "good"}, {0.70, "fair"}};
  (void)object;
  const char *name = isnan(real_of(value)) ? "-" : "poor";
  for (size_t i = AQ_COUNT_OF(bands); i-- > 0;) {
    if (real_of(value) >= bands[i].limit) name = bands[i].name;
  }
  (void)snprintf(out, AQ_FORMATTED_SIZE, "%s", name);
}

static void write_loss_band(const json_t *value, const json_t *object, char *out) {
  static const band bands[] = {{5, "excellent"}, {15, "good"}, {30, "fair"}};
  (void)object;
  const char *name = isnan(real_of(value)) ? "-" : "poor";
  for (size_t i = AQ_COUNT_OF(bands); i-- > 0;) {
    if (real_of(value) <= bands[i].limit) name = bands[i].name;
  }
  (void)snprintf(out, AQ_FORMATTED_SIZE, "%s", name);
}

/* ---- criteria: numbers with the unit of the object ---- */

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
  } else if (unit[0] != '\0') {
    (void)aq_text_fixed(real, 0, out, AQ_FORMATTED_SIZE); /* a count of what the criterion's words say */
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
  write_value write;
} formats[] = {
    {"bytes", write_bytes},       {"count", write_count},      {"length", write_length},       {"s", write_plural},
    {"seconds", write_seconds},   {"cosine", write_cosine},    {"error", write_scientific},    {"snr", write_snr},
    {"decibels", write_decibels}, {"band", write_cosine_band}, {"loss band", write_loss_band}, {"limit", write_limit},
    {"measured", write_measured}, {"shape", write_shape},      {"dtype", write_dtype},         {"upper", write_upper},
};

bool aq_format_value(const char *name, size_t size, const json_t *value, const json_t *object, char *out) {
  if (size == 2 && name[0] == '.' && name[1] >= '0' && name[1] <= '9') { /* decimals: ".2" */
    (void)aq_text_fixed(real_of(value), name[1] - '0', out, AQ_FORMATTED_SIZE);
    return true;
  }
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    if (strlen(formats[i].name) != size || memcmp(formats[i].name, name, size) != 0) continue;
    formats[i].write(value, object, out);
    return true;
  }
  return false;
}
