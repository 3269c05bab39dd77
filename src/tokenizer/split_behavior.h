/* split_behavior.h - what becomes of the matches of a pattern and of what lies between them when a text is cut. */
#ifndef AQ_TOKENIZER_SPLIT_BEHAVIOR_H
#define AQ_TOKENIZER_SPLIT_BEHAVIOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/pretoken.h"
#include "tokenizer/regex.h"

typedef enum aq_split_behavior {
  AQ_SPLIT_REMOVED,              /* matches are dropped */
  AQ_SPLIT_ISOLATED,             /* a pretoken each */
  AQ_SPLIT_MERGED_WITH_PREVIOUS, /* a match belongs to what is before it, unless that is a match */
  AQ_SPLIT_MERGED_WITH_NEXT,     /* a match belongs to what follows, unless that is a match */
  AQ_SPLIT_CONTIGUOUS            /* neighbouring matches are one pretoken */
} aq_split_behavior;

/* Member "behavior" of an object, a name of `tokenizers` ("MergedWithNext"). */
AQ_MUST_CHECK aq_status aq_split_behavior_read(const json_t *object, aq_split_behavior otherwise,
                                               aq_split_behavior *out, aq_error *err);

/* Puts the pieces of a text together. Set the first four members, the rest to zero. */
typedef struct aq_splitter {
  aq_split_behavior behavior;
  bool inverts; /* matches count as what is between them, and the other way round */
  const uint8_t *text;
  const aq_pretoken_sink *sink;
  size_t start, end; /* the piece that may still grow */
  bool was_match;    /* its last part is a match */
} aq_splitter;

/* The next part of the text, up to `end`; the parts follow each other without a gap, and are not empty. */
AQ_MUST_CHECK aq_status aq_splitter_add(aq_splitter *splitter, size_t end, bool is_match, aq_error *err);

/* To be called behind the last part. */
AQ_MUST_CHECK aq_status aq_splitter_end(aq_splitter *splitter, aq_error *err);

/* All parts of a span, as the matches of a pattern cut it. */
AQ_MUST_CHECK aq_status aq_splitter_run(aq_splitter *splitter, const aq_regex *regex, size_t size, aq_error *err);

#endif
