/* tokenizer_pair.c - two texts into the ids and types of one input.
 *
 * Both are truncated as transformers does it with "longest_first", in the form of the library tokenizers. Of texts of n
 * and m ids, n <= m, with room for r: where that is enough the longer one is cut to r - n, but not below n; else both
 * are cut to r / 2, and the odd one goes to the longer, or to the second of two that are as long. */
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/tokenizer.h"

/* The lengths that two texts are cut to. */
static void share_room(size_t counts[2], size_t room) {
  const size_t shorter = counts[0] <= counts[1] ? 0 : 1, longer = 1 - shorter;
  if (counts[0] + counts[1] <= room) return;
  const size_t rest = counts[shorter] < room ? room - counts[shorter] : 0;
  counts[longer] = AQ_MAX(counts[shorter], rest);
  if (counts[0] + counts[1] <= room) return;
  counts[shorter] = room / 2;
  counts[longer] = room / 2 + room % 2;
}

static aq_status push_token(aq_token_ids *ids, aq_token_ids *types, int32_t id, int32_t type, aq_error *err) {
  AQ_TRY(aq_ids_push(ids, id, err));
  return aq_ids_push(types, type, err);
}

static aq_status push_place(const aq_tokenizer *t, aq_pair_place place, aq_token_ids *ids, aq_token_ids *types,
                            aq_error *err) {
  const aq_pair_frame *frame = &t->frame.pair;
  for (size_t i = 0; i < frame->counts[place]; i++) {
    AQ_TRY(push_token(ids, types, frame->ids[place][i], t->gives_types ? frame->types[place][i] : 0, err));
  }
  return AQ_OK;
}

/* Special tokens and bodies, in turns. */
static aq_status push_pair(const aq_tokenizer *t, const aq_token_ids bodies[2], aq_token_ids *ids, aq_token_ids *types,
                           aq_error *err) {
  const aq_pair_frame *frame = &t->frame.pair;
  for (size_t k = 0; k < 2; k++) {
    const int32_t usual = frame->is_set ? frame->text_types[k] : (int32_t)k, type = t->gives_types ? usual : 0;
    AQ_TRY(push_place(t, k == 0 ? AQ_PAIR_BEFORE : AQ_PAIR_BETWEEN, ids, types, err));
    for (size_t i = 0; i < bodies[k].count; i++) AQ_TRY(push_token(ids, types, bodies[k].ids[i], type, err));
  }
  return push_place(t, AQ_PAIR_AFTER, ids, types, err);
}

static aq_status encode_both(const aq_tokenizer *t, const char *const texts[2], const size_t lengths[2], size_t room,
                             aq_token_ids bodies[2], aq_error *err) {
  for (size_t k = 0; k < 2; k++) {
    bodies[k].count = 0;
    AQ_TRY(aq_tokenizer_encode_body(t, texts[k], lengths[k], room, &bodies[k], err));
  }
  return AQ_OK;
}

/* A length that reaches the room need not be known, but where both do and the room is odd: then the longer text has an
 * id more. */
static aq_status encode_bodies(const aq_tokenizer *t, const char *const texts[2], const size_t lengths[2], size_t room,
                               aq_token_ids bodies[2], aq_error *err) {
  AQ_TRY(encode_both(t, texts, lengths, room, bodies, err));
  const bool hides_longer = room % 2 == 1 && bodies[0].count == room && bodies[1].count == room;
  if (hides_longer) AQ_TRY(encode_both(t, texts, lengths, AQ_TOKENS_UNLIMITED, bodies, err));
  size_t counts[2] = {bodies[0].count, bodies[1].count};
  share_room(counts, room);
  for (size_t k = 0; k < 2; k++) aq_tokenizer_truncate(t, &bodies[k], 0, counts[k]);
  return AQ_OK;
}

aq_status aq_tokenizer_encode_pair(const aq_tokenizer *tokenizer, const char *const texts[2], const size_t lengths[2],
                                   uint32_t max_tokens, aq_token_ids *ids, aq_token_ids *types, aq_error *err) {
  const aq_pair_frame *frame = &tokenizer->frame.pair;
  const size_t special = frame->counts[0] + frame->counts[1] + frame->counts[2];
  const size_t start = ids->count, type_start = types->count;
  aq_error_clear(err);
  AQ_FAIL_IF(frame->unsupported != NULL, AQ_ERR_UNSUPPORTED, "the post-processor %s", frame->unsupported);
  AQ_FAIL_IF(max_tokens != 0 && max_tokens < special, AQ_ERR_ARGUMENT, AQ_TOO_FEW_TOKENS, max_tokens, special);
  const size_t room = max_tokens != 0 ? max_tokens - special : AQ_TOKENS_UNLIMITED;
  aq_token_ids bodies[2] = {{.ids = NULL}, {.ids = NULL}};
  aq_status status = encode_bodies(tokenizer, texts, lengths, room, bodies, err);
  if (status == AQ_OK) status = push_pair(tokenizer, bodies, ids, types, err);
  for (size_t k = 0; k < 2; k++) aq_free(bodies[k].ids);
  if (status == AQ_OK) return AQ_OK;
  ids->count = start;
  types->count = type_start;
  return status;
}
