/* suggest.h - the name that was probably meant. */
#ifndef AQ_CLI_SUGGEST_H
#define AQ_CLI_SUGGEST_H

#include <stddef.h>

/* Collects the nearest of the names shown to it. */
typedef struct cli_suggestion {
  const char *typed;
  const char *best; /* NULL: none is near */
  size_t distance;
} cli_suggestion;

void cli_suggest_begin(cli_suggestion *s, const char *typed);
void cli_suggest_try(cli_suggestion *s, const char *name);

#endif
