/* pattern.c - tensor names against an exact name, a glob or a regular expression. The name itself is tried first, so
 * that a name with brackets in it can be written as it is. Globs are those of fnmatch(3) over the whole name: `*`
 * passes dots and slashes, and a backslash takes the next character literally. */
#include "quant/pattern.h"

#include <fnmatch.h>
#include <regex.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

struct aq_pattern {
  char *text;
  bool is_regex;
  regex_t regex;
};

static const char regex_prefix[] = "re:";

static aq_status compile(aq_pattern *pattern, aq_error *err) {
  const size_t skip = sizeof regex_prefix - 1;
  if (strncmp(pattern->text, regex_prefix, skip) != 0) return AQ_OK;
  AQ_FAIL_IF(pattern->text[skip] == '\0', AQ_ERR_ARGUMENT, "pattern '%s' has no regular expression", pattern->text);
  const int rc = regcomp(&pattern->regex, pattern->text + skip, REG_EXTENDED | REG_NOSUB);
  if (rc != 0) {
    char why[128];
    (void)regerror(rc, &pattern->regex, why, sizeof why);
    return aq_error_hint(err, aq_fail(err, AQ_ERR_ARGUMENT, "bad regular expression in '%s': %s", pattern->text, why),
                         "re: takes POSIX extended regular expressions");
  }
  pattern->is_regex = true;
  return AQ_OK;
}

aq_status aq_pattern_create(const char *text, aq_pattern **out, aq_error *err) {
  *out = NULL;
  AQ_FAIL_IF(text == NULL || text[0] == '\0', AQ_ERR_ARGUMENT, "an empty pattern");
  aq_pattern *pattern = aq_calloc(1, sizeof *pattern);
  if (pattern == NULL) return aq_fail_memory(err, sizeof *pattern);
  pattern->text = aq_strdup(text);
  const aq_status status = pattern->text == NULL ? aq_fail_memory(err, strlen(text) + 1) : compile(pattern, err);
  if (status != AQ_OK) {
    aq_pattern_free(pattern);
    return status;
  }
  *out = pattern;
  return AQ_OK;
}

bool aq_pattern_matches(const aq_pattern *pattern, const char *name) {
  if (pattern->is_regex) return regexec(&pattern->regex, name, 0, NULL, 0) == 0;
  return aq_pattern_is_exact(pattern, name) || fnmatch(pattern->text, name, 0) == 0;
}

bool aq_pattern_is_exact(const aq_pattern *pattern, const char *name) {
  return !pattern->is_regex && strcmp(pattern->text, name) == 0;
}

const char *aq_pattern_text(const aq_pattern *pattern) { return pattern->text; }

void aq_pattern_free(aq_pattern *pattern) {
  if (pattern == NULL) return;
  if (pattern->is_regex) regfree(&pattern->regex);
  aq_free(pattern->text);
  aq_free(pattern);
}
