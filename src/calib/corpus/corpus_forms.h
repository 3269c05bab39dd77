/* corpus_forms.h - English words in their forms: plural, third person, past, participles; "a" or "an". */
#ifndef AQ_CALIB_CORPUS_CORPUS_FORMS_H
#define AQ_CALIB_CORPUS_CORPUS_FORMS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Appends the form of a word that a letter names: s plural of a noun, 3 third person, d past, n past participle,
 * g -ing; 0 the word itself. Underscores become spaces. */
AQ_MUST_CHECK aq_status aq_form_append(aq_buffer *out, const char *word, size_t length, char form, aq_error *err);

/* Does "an" go before the text? */
bool aq_form_takes_an(const char *text, size_t length);

#endif
