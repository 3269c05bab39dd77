/* regex_match.c - the machine that runs the program of a regular expression.
 *
 * It tries one way after another and keeps on a stack where else it could have gone. What a state (an instruction at a
 * place of the text) leads to does not depend on how it was reached, so a state that failed once fails always, in later
 * searches of the same text too. Patterns of tokenizers rarely come back to a state; a search that takes long begins to
 * remember those that fail, a bit for each branch and byte. From then on each is tried once, and what is tried beside
 * them lies on the way to a match: the time is at most instructions times bytes. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/regex_program.h"

/* Steps before failures are remembered. */
#define FREE_STEPS 4096
#define FREE_STEPS_A_BYTE 32

typedef enum entry_kind {
  OTHER_WAY, /* a SPLIT: go on at its second target */
  GIVE_BACK, /* a REPEAT: characters from low to at can be given back */
  POSSESSED, /* a POSSESS from low to at */
  FAILING    /* a SPLIT: both ways were tried */
} entry_kind;

typedef struct entry {
  entry_kind kind;
  uint32_t pc;
  size_t low, at;
} entry;

void aq_regex_search_reset(aq_regex_search *search) {
  aq_buffer_reset(&search->stack);
  aq_buffer_reset(&search->failed);
}

/* ---- What failed ---- */

static size_t state_of(const aq_regex_search *s, uint32_t branch, size_t at) { return branch * (s->size + 1) + at; }

static bool has_failed(const aq_regex_search *s, uint32_t branch, size_t at) {
  const size_t state = state_of(s, branch, at);
  return s->failed.size > 0 && (s->failed.data[state / 8] >> (state % 8) & 1) != 0;
}

static void note_failed(aq_regex_search *s, uint32_t branch, size_t at) {
  const size_t state = state_of(s, branch, at);
  if (s->failed.size > 0) s->failed.data[state / 8] |= (uint8_t)(1u << (state % 8));
}

static aq_status count_steps(aq_regex_search *s, size_t steps, aq_error *err) {
  s->steps += steps;
  if (AQ_LIKELY(s->failed.size > 0 || s->steps <= FREE_STEPS + (uint64_t)s->size * FREE_STEPS_A_BYTE)) return AQ_OK;
  AQ_FAIL_IF(s->size >= SIZE_MAX / 2 / AQ_REGEX_MAX_CODE, AQ_ERR_UNSUPPORTED, "the text is too long for the pattern");
  const size_t bytes = s->regex->branch_count * (s->size + 1) / 8 + 1;
  AQ_TRY(aq_buffer_reserve(&s->failed, bytes, err));
  memset(s->failed.data, 0, bytes);
  s->failed.size = bytes;
  return AQ_OK;
}

/* ---- The stack ---- */

static aq_status push_entry(aq_regex_search *s, entry_kind kind, uint32_t pc, size_t low, size_t at, aq_error *err) {
  const entry pushed = {kind, pc, low, at};
  return aq_buffer_append(&s->stack, &pushed, sizeof pushed, err);
}

static size_t character_before(const uint8_t *text, size_t at) {
  do at--;
  while ((text[at] & 0xC0) == 0x80);
  return at;
}

/* Goes back to the last place from which another way leads on. False when there is none above `base`. */
static bool take_other_way(aq_regex_search *s, size_t base, uint32_t *pc, size_t *at) {
  while (s->stack.size > base) {
    entry top;
    s->stack.size -= sizeof top;
    memcpy(&top, s->stack.data + s->stack.size, sizeof top);
    const aq_regex_code *code = &s->regex->code[top.pc];
    if (top.kind == FAILING) note_failed(s, code->z, top.at);
    for (size_t i = top.low; top.kind == POSSESSED && s->failed.size > 0 && i <= top.at; i++) {
      note_failed(s, code->y, i);
    }
    if (top.kind == FAILING || top.kind == POSSESSED) continue;
    if (top.kind == OTHER_WAY) {
      top.kind = FAILING;
      *pc = code->y;
      *at = top.at;
    } else {
      note_failed(s, code->y, top.at);
      if (top.at == top.low) continue;
      top.at = character_before(s->text, top.at);
      *pc = top.pc + 1;
      *at = top.at;
    }
    memcpy(s->stack.data + s->stack.size, &top, sizeof top); /* where it was */
    s->stack.size += sizeof top;
    return true;
  }
  return false;
}

/* ---- Instructions ---- */

/* The end of the characters of a class from `at` on, or where a state is that failed: *stopped. */
static size_t run_of_class(const aq_regex_search *s, const aq_regex_code *code, size_t at, bool *stopped) {
  const aq_regex_class *class = &s->regex->classes[code->x];
  *stopped = false;
  while (at < s->size) {
    size_t width;
    if (!aq_regex_class_has(class, aq_utf8_get(s->text + at, &width))) break;
    if (AQ_UNLIKELY(s->failed.size > 0) && has_failed(s, code->y, at + width)) {
      *stopped = true;
      break;
    }
    at += width;
  }
  return at;
}

static bool run_from(aq_regex_search *s, uint32_t pc, size_t at, size_t *end, aq_status *status, aq_error *err);

/* One instruction; false when it fails here. */
static bool step(aq_regex_search *s, uint32_t *pc, size_t *at, aq_status *status, aq_error *err) {
  const aq_regex_code *code = &s->regex->code[*pc];
  size_t width, start = *at;
  bool stopped;
  switch (code->op) {
    case AQ_REGEX_CLASS:
    case AQ_REGEX_OPTIONAL: {
      const bool has =
          start < s->size && aq_regex_class_has(&s->regex->classes[code->x], aq_utf8_get(s->text + start, &width));
      if (has) *at += width;
      ++*pc;
      return has || code->op == AQ_REGEX_OPTIONAL;
    }
    case AQ_REGEX_REPEAT:
    case AQ_REGEX_POSSESS:
      if (has_failed(s, code->y, start)) return false;
      *at = run_of_class(s, code, start, &stopped);
      *status = count_steps(s, *at - start, err);
      if (code->op == AQ_REGEX_POSSESS && stopped) return false;
      if (*status == AQ_OK) {
        *status = push_entry(s, code->op == AQ_REGEX_REPEAT ? GIVE_BACK : POSSESSED, *pc, start, *at, err);
      }
      ++*pc;
      return true;
    case AQ_REGEX_SPLIT:
      if (has_failed(s, code->z, start)) return false;
      *status = push_entry(s, OTHER_WAY, *pc, 0, start, err);
      *pc = code->x;
      return true;
    case AQ_REGEX_JUMP:
      *pc = code->x;
      return true;
    default: { /* a look ahead */
      size_t end;
      const bool found = run_from(s, *pc + 1, start, &end, status, err);
      *pc = code->x;
      return found == (code->op == AQ_REGEX_AHEAD);
    }
  }
}

/* Runs to MATCH or AHEAD_END; false when every way fails. The stack is as it was afterwards. */
static bool run_from(aq_regex_search *s, uint32_t pc, size_t at, size_t *end, aq_status *status, aq_error *err) {
  const size_t base = s->stack.size;
  bool found = true;
  while (s->regex->code[pc].op != AQ_REGEX_MATCH && s->regex->code[pc].op != AQ_REGEX_AHEAD_END) {
    *status = count_steps(s, 1, err);
    const bool goes_on = *status == AQ_OK && step(s, &pc, &at, status, err);
    if (*status != AQ_OK || (!goes_on && !take_other_way(s, base, &pc, &at))) {
      found = false;
      break;
    }
  }
  s->stack.size = base;
  *end = at;
  return found;
}

aq_status aq_regex_find(aq_regex_search *search, size_t from, size_t *start, size_t *end, aq_error *err) {
  aq_status status = AQ_OK;
  for (size_t at = from; at < search->size; at += aq_utf8_width(search->text[at])) {
    *start = at;
    if (run_from(search, 0, at, end, &status, err)) return AQ_OK;
    AQ_TRY(status);
  }
  *start = *end = search->size;
  return AQ_OK;
}
