/* validate_words.c - what a validation's numbers are called. */
#include "report/validate_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

const char *aq_type_word(const json_t *object, char *out) {
  (void)snprintf(out, AQ_WORD_SIZE, "%s", aq_json_get_string(object, "type"));
  for (char *c = out; *c != '\0'; c++) {
    if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
  }
  return out;
}

/* Limits are round numbers: "0.85" and not "0.850000". */
static const char *limit_word(double value, const char *unit, char *out) {
  char number[AQ_WORD_SIZE];
  (void)aq_text_fixed(value, 6, number, sizeof number);
  size_t length = strlen(number);
  if (strchr(number, '.') != NULL) {
    while (length > 0 && number[length - 1] == '0') length--;
    if (length > 0 && number[length - 1] == '.') length--;
  }
  const bool worded = strcmp(unit, "s") == 0 || strcmp(unit, "%") == 0;
  (void)snprintf(out, AQ_WORD_SIZE, "%.*s%s%s", (int)length, number, worded ? " " : "",
                 worded || strcmp(unit, "x") == 0 ? unit : "");
  return out;
}

const char *aq_criterion_word(const json_t *criterion, const char *key, char *out) {
  const double value = aq_json_get_real(criterion, key);
  const char *unit = aq_json_get_string(criterion, "unit");
  char number[AQ_WORD_SIZE];
  if (strcmp(key, "limit") == 0) return limit_word(value, unit, out);
  if (isnan(value)) {
    (void)snprintf(out, AQ_WORD_SIZE, "-");
  } else if (strcmp(unit, "s") == 0) {
    (void)aq_text_seconds(value, out, AQ_WORD_SIZE);
  } else if (strcmp(unit, "x") == 0) {
    (void)snprintf(out, AQ_WORD_SIZE, "%sx", aq_text_fixed(value, 2, number, sizeof number));
  } else if (strcmp(unit, "%") == 0) {
    (void)snprintf(out, AQ_WORD_SIZE, "%s %%", aq_text_fixed(value, 3, number, sizeof number));
  } else if (unit[0] != '\0') {
    (void)aq_text_fixed(value, 0, out, AQ_WORD_SIZE); /* a count of what the criterion's words say */
  } else {
    (void)aq_text_cosine(value, out, AQ_WORD_SIZE);
  }
  return out;
}

aq_status aq_append_verdict(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *verdict = aq_json_get(root, "verdict"), *failed = aq_json_get(verdict, "failed");
  if (aq_json_get_flag(verdict, "passed")) return aq_buffer_printf(out, err, "ALL ACCEPTANCE CRITERIA PASSED");
  AQ_TRY(aq_buffer_printf(out, err, "%zu OF %llu ACCEPTANCE CRITERIA FAILED: ", json_array_size(failed),
                          (unsigned long long)aq_json_get_count(verdict, "criteria")));
  size_t i;
  json_t *id;
  json_array_foreach(failed, i, id) {
    AQ_TRY(aq_buffer_printf(out, err, "%s%s", i > 0 ? ", " : "", json_string_value(id)));
  }
  return AQ_OK;
}

typedef struct band {
  double limit;
  const char *name;
} band;

const char *aq_cosine_band(double cosine) {
  static const band bands[] = {{AQ_COSINE_EXCELLENT, "excellent"}, {0.85, "good"}, {0.70, "fair"}};
  for (size_t i = 0; i < AQ_COUNT_OF(bands); i++) {
    if (cosine >= bands[i].limit) return bands[i].name;
  }
  return isnan(cosine) ? "-" : "poor";
}

const char *aq_loss_band(double percent) {
  static const band bands[] = {{5, "excellent"}, {15, "good"}, {30, "fair"}};
  for (size_t i = 0; i < AQ_COUNT_OF(bands); i++) {
    if (percent <= bands[i].limit) return bands[i].name;
  }
  return isnan(percent) ? "-" : "poor";
}
