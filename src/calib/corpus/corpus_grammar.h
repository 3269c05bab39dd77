/* corpus_grammar.h - texts out of rules and words, drawn by a random number generator of its own.
 *
 * Notation of a rule's text, beside letters that stand for themselves:
 *
 *   @name      one of the words of a list, or an expansion of another rule; n, m, p, v, i, a: words of the subject
 *   @NAME      the same, but the first choice stays for the whole text (only lists of words)
 *   @name_f    in form f (corpus_forms.h); a backtick ends a name that letters follow
 *   ~  ^       "a" or "an", whichever goes with what follows; the next letter is a capital
 *   @@  @!     an at sign, a vertical bar
 */
#ifndef AQ_CALIB_CORPUS_CORPUS_GRAMMAR_H
#define AQ_CALIB_CORPUS_CORPUS_GRAMMAR_H

#include "arrowquant.h"
#include "core/buffer.h"

typedef struct aq_grammar aq_grammar;

AQ_MUST_CHECK aq_status aq_grammar_create(aq_grammar **out, aq_error *err);
void aq_grammar_free(aq_grammar *grammar);

/* Starts a text: draws its subject. Everything after depends on the seed alone. */
void aq_grammar_begin(aq_grammar *grammar, uint64_t seed);

/* A number below n, n > 0. */
uint32_t aq_grammar_draw(aq_grammar *grammar, uint32_t n);

/* Appends an expansion of a rule or a word of a list. A name that is unknown is AQ_ERR_INTERNAL. */
AQ_MUST_CHECK aq_status aq_grammar_append(aq_grammar *grammar, const char *name, aq_buffer *out, aq_error *err);

#endif
