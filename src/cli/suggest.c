/* suggest.c - the name that was probably meant.
 *
 * Distance: insertions, deletions, changes and swaps of neighbours (optimal string alignment, L. Boytsov 2011, section
 * 2.1), over names of bounded length. A name that begins with what was typed is near too ("--group" for
 * "--group-size"). */
#include "suggest.h"

#include <string.h>

#define MAX_NAME 32
#define MIN_PREFIX 3

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* Both are at most MAX_NAME long. */
static size_t distance(const char *a, const char *b) {
  const size_t na = strlen(a), nb = strlen(b);
  size_t rows[3][MAX_NAME + 1]; /* of i - 2, i - 1 and i, in turn */
  for (size_t j = 0; j <= nb; j++) rows[0][j] = j;
  for (size_t i = 1; i <= na; i++) {
    const size_t *before = rows[(i + 1) % 3], *above = rows[(i - 1) % 3];
    size_t *row = rows[i % 3];
    row[0] = i;
    for (size_t j = 1; j <= nb; j++) {
      const size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = min_size(change, min_size(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = min_size(row[j], before[j - 2] + 1);
    }
  }
  return rows[na % 3][nb];
}

void cli_suggest_begin(cli_suggestion *s, const char *typed) {
  s->typed = typed;
  s->best = NULL;
  s->distance = strlen(typed) / 3 + 1; /* what is as far as this was not meant */
  if (s->distance < 2) s->distance = 2;
}

void cli_suggest_try(cli_suggestion *s, const char *name) {
  const size_t typed = strlen(s->typed), length = strlen(name);
  if (typed > MAX_NAME || length > MAX_NAME) return;
  size_t d = distance(s->typed, name);
  if (typed >= MIN_PREFIX && typed < length && strncmp(s->typed, name, typed) == 0) d = 1;
  if (d < s->distance) {
    s->distance = d;
    s->best = name;
  }
}
