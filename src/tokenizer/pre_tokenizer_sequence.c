/* pre_tokenizer_sequence.c - {"type": "Sequence", "pretokenizers": [...]}: each cuts what the one before has left. The
 * pieces of one are handed to the next as they come, so that nothing is stored between them. */
#include "core/error.h"
#include "core/memory.h"
#include "tokenizer/pre_tokenizers.h"

#define MOST_STEPS 8

typedef struct sequence {
  aq_pre_tokenizer steps[MOST_STEPS];
  size_t count;
} sequence;

/* The sink of a step: the span that it cuts, and the steps that follow. */
typedef struct link {
  const aq_pre_tokenizer *next; /* `left` steps from here on */
  size_t left;
  const aq_pretoken_sink *sink; /* behind them all */
  const aq_text_span *span;
  size_t put; /* pieces so far */
} link;

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "pre_tokenizer.pretokenizers", AQ_KEY_HONOURED},
    {.key = NULL},
};

static void free_sequence(void *state) {
  sequence *s = state;
  for (size_t i = 0; s != NULL && i < s->count; i++) aq_pre_tokenizer_reset(&s->steps[i]);
  aq_free(s);
}

static aq_status read_steps(sequence *s, const json_t *listed, aq_error *err) {
  size_t i;
  const json_t *one;
  AQ_FAIL_IF(!json_is_array(listed), AQ_ERR_FORMAT, "the tokenizer's pre-tokenizer has no list 'pretokenizers'");
  json_array_foreach(listed, i, one) {
    AQ_FAIL_IF(s->count == MOST_STEPS, AQ_ERR_UNSUPPORTED, "the pre-tokenizer has more than %d steps", MOST_STEPS);
    AQ_TRY(aq_pre_tokenizer_read(&s->steps[s->count], one, err));
    s->count++;
    AQ_FAIL_IF(s->steps[s->count - 1].type == &aq_pre_tokenizer_sequence, AQ_ERR_UNSUPPORTED,
               "the pre-tokenizer is a Sequence in a Sequence");
  }
  return AQ_OK;
}

static aq_status configure_sequence(const json_t *object, void **state, aq_error *err) {
  sequence *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  const aq_status status = read_steps(s, json_object_get(object, "pretokenizers"), err);
  if (status == AQ_OK) {
    *state = s;
  } else {
    free_sequence(s);
  }
  return status;
}

/* ---- Cutting ---- */

static aq_status run_steps(const aq_pre_tokenizer *steps, size_t count, const aq_text_span *span,
                           const aq_pretoken_sink *sink, aq_error *err);

/* A piece is the first of the text when nothing of the span was dropped before it. A step that makes a text of its own
 * drops nothing. */
static bool is_first_piece(const link *l, const aq_pretoken *piece) {
  const uint8_t *start = l->span->text, *end = start + l->span->size;
  const bool is_within = piece->bytes >= start && piece->bytes < end;
  return l->span->is_first && l->put == 0 && (!is_within || piece->bytes == start);
}

static aq_status put_piece(void *context, const aq_pretoken *piece, aq_error *err) {
  link *l = context;
  const aq_text_span span = {piece->bytes, piece->size, is_first_piece(l, piece)};
  l->put++;
  return run_steps(l->next, l->left, &span, l->sink, err);
}

static aq_status run_steps(const aq_pre_tokenizer *steps, size_t count, const aq_text_span *span,
                           const aq_pretoken_sink *sink, aq_error *err) {
  link here = {.next = steps + 1, .left = count - 1, .sink = sink, .span = span};
  const aq_pretoken_sink linked = {put_piece, &here};
  return steps->type->split(steps->state, span, count > 1 ? &linked : sink, err);
}

static aq_status split_sequence(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink,
                                aq_error *err) {
  const sequence *s = state;
  if (s->count > 0) return run_steps(s->steps, s->count, span, sink, err);
  return aq_pre_tokenizer_none.split(NULL, span, sink, err);
}

const aq_pre_tokenizer_type aq_pre_tokenizer_sequence = {
    .base = {"Sequence", keys}, .configure = configure_sequence, .split = split_sequence, .free_state = free_sequence};
