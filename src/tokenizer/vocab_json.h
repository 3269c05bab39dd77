/* vocab_json.h - the vocabulary of a tokenizer.json, read without building a tree of it where that can be. */
#ifndef AQ_TOKENIZER_VOCAB_JSON_H
#define AQ_TOKENIZER_VOCAB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"
#include "tokenizer/vocab.h"

/* Where "vocab" of "model" stands in the text, braces or brackets included. */
typedef struct aq_vocab_range {
  size_t start, end;
} aq_vocab_range;

/* Reads model.vocab of a text with a zero at its end into an empty vocabulary. False, with the vocabulary empty, when
 * the text is anything but what a well-formed tokenizer.json holds, or memory runs out: then the parser of the whole
 * text is to say what is wrong. True says nothing of the text outside the range. */
bool aq_vocab_read_json(aq_vocab *vocab, const char *text, size_t size, aq_vocab_range *range);

/* Reads it from a tree: an object of tokens and ids. */
AQ_MUST_CHECK aq_status aq_vocab_read_object(aq_vocab *vocab, const json_t *tokens, aq_error *err);

/* The same for a list of pieces and scores, [["a", -3.5], ...]: ids are the places of the list. Both readings of a
 * score are the nearest double then, because a tree has no digits. */
AQ_MUST_CHECK aq_status aq_vocab_read_pieces(aq_vocab *vocab, const json_t *pieces, aq_error *err);

#endif
