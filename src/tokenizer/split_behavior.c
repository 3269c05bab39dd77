/* split_behavior.c - what becomes of the matches of a pattern and of what lies between them when a text is cut. */
#include "tokenizer/split_behavior.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"

static const char *const names[] = {[AQ_SPLIT_REMOVED] = "Removed",
                                    [AQ_SPLIT_ISOLATED] = "Isolated",
                                    [AQ_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                    [AQ_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
                                    [AQ_SPLIT_CONTIGUOUS] = "Contiguous"};

aq_status aq_split_behavior_read(const json_t *object, aq_split_behavior otherwise, aq_split_behavior *out,
                                 aq_error *err) {
  const char *name;
  AQ_TRY(aq_json_text(object, "behavior", names[otherwise], &name, err));
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    if (strcmp(name, names[i]) != 0) continue;
    *out = (aq_split_behavior)i;
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "'behavior' is '%.40s', which is not known", name);
}

static aq_status put_piece(aq_splitter *s, aq_error *err) {
  if (s->end == s->start) return AQ_OK;
  const aq_pretoken piece = aq_pretoken_of(s->text + s->start, s->end - s->start);
  return s->sink->put(s->sink->context, &piece, err);
}

static bool joins(const aq_splitter *s, bool is_match) {
  switch (s->behavior) {
    case AQ_SPLIT_MERGED_WITH_PREVIOUS:
      return is_match && !s->was_match;
    case AQ_SPLIT_MERGED_WITH_NEXT:
      return !is_match && s->was_match;
    case AQ_SPLIT_CONTIGUOUS:
      return is_match == s->was_match;
    default:
      return false;
  }
}

aq_status aq_splitter_add(aq_splitter *s, size_t end, bool is_match, aq_error *err) {
  const bool matches = is_match != s->inverts;
  if (s->end == s->start || !joins(s, matches)) {
    AQ_TRY(put_piece(s, err));
    s->start = s->end;
  }
  s->end = end;
  s->was_match = matches;
  if (matches && s->behavior == AQ_SPLIT_REMOVED) s->start = end;
  return AQ_OK;
}

aq_status aq_splitter_end(aq_splitter *s, aq_error *err) { return put_piece(s, err); }

aq_status aq_splitter_run(aq_splitter *s, const aq_regex *regex, size_t size, aq_error *err) {
  aq_regex_search search = {.regex = regex, .text = s->text, .size = size};
  aq_status status = AQ_OK;
  size_t done = 0, start = 0, end = 0;
  while (status == AQ_OK && done < size) {
    status = aq_regex_find(&search, done, &start, &end, err);
    if (status == AQ_OK && start > done) status = aq_splitter_add(s, start, false, err);
    if (status == AQ_OK && end > start) status = aq_splitter_add(s, end, true, err);
    done = end;
  }
  aq_regex_search_reset(&search);
  return status == AQ_OK ? aq_splitter_end(s, err) : status;
}
