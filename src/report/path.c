/* path.c - one value of a report by its path: "totals.bits_per_weight", "tensors[3].cosine".
 *
 * A path is a name, then names after dots and indices in brackets. Names are taken up to the next dot or bracket, so
 * that a member whose own name has one of these is not reachable. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "report/report.h"

typedef struct walk {
  const char *path;
  size_t at; /* what is read so far; everything before it was found */
  const json_t *value;
} walk;

static int printed_length(const walk *w) { return (int)AQ_MIN(w->at, (size_t)100); }

/* The names of an object's members, as many as there is room for. */
static void list_members(const json_t *object, char *out, size_t size) {
  size_t used = 0;
  const char *name;
  json_t *value;
  out[0] = '\0';
  json_object_foreach((json_t *)object, name, value) {
    const char *comma = used > 0 ? ", " : "";
    if (used + strlen(comma) + strlen(name) + sizeof ", ..." > size) {
      (void)snprintf(out + used, size - used, "%s...", comma);
      return;
    }
    used += (size_t)snprintf(out + used, size - used, "%s%s", comma, name);
  }
}

static aq_status fail_missing_member(const walk *w, const char *name, size_t length, aq_error *err) {
  char members[200];
  if (!json_is_object(w->value)) {
    return aq_fail(err, AQ_ERR_NO_MATCH, "'%.*s' of the report has no members, and '%.*s' was asked for",
                   printed_length(w), w->path, (int)AQ_MIN(length, (size_t)60), name);
  }
  list_members(w->value, members, sizeof members);
  const bool is_root = w->at == 0;
  return aq_fail(err, AQ_ERR_NO_MATCH, "%s%.*s%s has no member '%.*s'; it has: %s", is_root ? "the report" : "'",
                 is_root ? 0 : printed_length(w), w->path, is_root ? "" : "' of the report",
                 (int)AQ_MIN(length, (size_t)60), name, members);
}

static aq_status fail_malformed(const walk *w, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "'%.100s' is not a path: it goes wrong after '%.*s'", w->path, printed_length(w),
                w->path);
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Write it like totals.params or tensors[3].cosine");
}

static aq_status enter_member(walk *w, aq_error *err) {
  const char *name = w->path + w->at + (w->path[w->at] == '.' ? 1 : 0);
  const size_t length = strcspn(name, ".[");
  char key[64];
  if (length == 0) return fail_malformed(w, err);
  const json_t *found = NULL;
  if (length < sizeof key) {
    memcpy(key, name, length);
    key[length] = '\0';
    found = json_object_get(w->value, key);
  }
  if (found == NULL) return fail_missing_member(w, name, length, err);
  w->value = found;
  w->at = (size_t)(name - w->path) + length;
  return AQ_OK;
}

static aq_status enter_element(walk *w, aq_error *err) {
  const char *digits = w->path + w->at + 1;
  const size_t length = strspn(digits, "0123456789");
  if (length == 0 || length > 18 || digits[length] != ']') return fail_malformed(w, err);
  size_t index = 0;
  for (size_t i = 0; i < length; i++) index = index * 10 + (size_t)(digits[i] - '0');
  AQ_FAIL_IF(!json_is_array(w->value), AQ_ERR_NO_MATCH,
             "'%.*s' of the report is no array, and element %zu was asked for", printed_length(w), w->path, index);
  AQ_FAIL_IF(index >= json_array_size(w->value), AQ_ERR_NO_MATCH,
             "'%.*s' of the report has %zu elements, and element %zu was asked for", printed_length(w), w->path,
             json_array_size(w->value), index);
  w->value = json_array_get(w->value, index);
  w->at += length + 2;
  return AQ_OK;
}

static aq_status find_value(const aq_report *report, const char *path, const json_t **out, aq_error *err) {
  aq_error_clear(err);
  AQ_FAIL_IF(report == NULL || path == NULL, AQ_ERR_ARGUMENT, "a report and a path are needed");
  walk w = {path, 0, report->root};
  do {
    AQ_TRY(w.at > 0 && path[w.at] == '[' ? enter_element(&w, err) : enter_member(&w, err));
  } while (path[w.at] != '\0');
  *out = w.value;
  return AQ_OK;
}

static aq_status fail_kind(const char *path, const char *expected, aq_error *err) {
  return aq_fail(err, AQ_ERR_ARGUMENT, "'%.200s' of the report is not %s", path, expected);
}

aq_status aq_report_number(const aq_report *report, const char *path, double *out, aq_error *err) {
  const json_t *value = NULL;
  *out = NAN;
  AQ_TRY(find_value(report, path, &value, err));
  if (json_is_number(value)) {
    *out = json_number_value(value);
  } else if (json_is_boolean(value)) {
    *out = json_is_true(value) ? 1 : 0;
  } else if (!json_is_null(value)) {
    return fail_kind(path, "a number", err);
  }
  return AQ_OK;
}

aq_status aq_report_text(const aq_report *report, const char *path, const char **out, aq_error *err) {
  const json_t *value = NULL;
  *out = NULL;
  AQ_TRY(find_value(report, path, &value, err));
  *out = json_string_value(value);
  return json_is_string(value) || json_is_null(value) ? AQ_OK : fail_kind(path, "a text", err);
}

aq_status aq_report_count(const aq_report *report, const char *path, size_t *out, aq_error *err) {
  const json_t *value = NULL;
  *out = 0;
  AQ_TRY(find_value(report, path, &value, err));
  *out = json_is_array(value) ? json_array_size(value) : json_object_size(value);
  return json_is_array(value) || json_is_object(value) ? AQ_OK : fail_kind(path, "an array or an object", err);
}
