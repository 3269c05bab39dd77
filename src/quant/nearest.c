/* nearest.c - approximate matching for error messages: the fewest edits that turn the pattern, its special characters
 * left out, into some part of a name (Sellers' algorithm: Levenshtein's, with a first row of zeros), so that "quary"
 * finds every "...query.weight". Among equals the shorter name, then the earlier one. */
#include "quant/nearest.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

enum { TEXT_MAX = 96, NAME_MAX_LENGTH = 256, NAMES_MAX = 20000, NEAREST = 3 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static size_t plain_text(const char *pattern, char out[TEXT_MAX]) {
  const bool regex = strncmp(pattern, "re:", 3) == 0;
  const char *special = regex ? "^$*+?()[]{}|\\" : "*?[]\\";
  size_t n = 0;
  for (const char *p = regex ? pattern + 3 : pattern; *p != '\0' && n < TEXT_MAX; p++) {
    if (strchr(special, *p) == NULL) out[n++] = lower(*p);
  }
  return n;
}

static unsigned edits(const char *text, size_t n, const char *name, size_t name_length) {
  unsigned row[TEXT_MAX + 1], best;
  for (size_t i = 0; i <= n; i++) row[i] = (unsigned)i;
  best = row[n];
  for (size_t j = 0; j < name_length; j++) {
    unsigned diagonal = row[0];
    for (size_t i = 1; i <= n; i++) {
      const unsigned swap = diagonal + (text[i - 1] != lower(name[j]));
      diagonal = row[i];
      row[i] = AQ_MIN(swap, AQ_MIN(row[i], row[i - 1]) + 1);
    }
    best = AQ_MIN(best, row[n]);
  }
  return best;
}

aq_status aq_hint_nearest(aq_error *err, aq_status status, const char *pattern, const aq_tensor_info *tensors,
                          size_t count) {
  struct {
    size_t cost;
    const char *name;
  } best[NEAREST + 1];
  char text[TEXT_MAX], list[3 * 80];
  size_t found = 0, used = 0;
  if (err == NULL) return status;
  const size_t n = plain_text(pattern, text);
  for (size_t t = 0; t < count && t < NAMES_MAX; t++) {
    const size_t length = AQ_MIN(strlen(tensors[t].name), (size_t)NAME_MAX_LENGTH);
    const size_t cost = edits(text, n, tensors[t].name, length) * (size_t)1024 + length;
    size_t at = found < NEAREST ? found++ : NEAREST;
    for (; at > 0 && best[at - 1].cost > cost; at--) best[at] = best[at - 1];
    best[at].cost = cost;
    best[at].name = tensors[t].name;
  }
  for (size_t i = 0; i < found && used < sizeof list; i++) {
    used += (size_t)snprintf(list + used, sizeof list - used, "%s'%s'", i > 0 ? ", " : "", best[i].name);
  }
  return found == 0 ? status : aq_error_hint(err, status, "Nearest names: %s", list);
}
