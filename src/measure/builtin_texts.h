/* builtin_texts.h - texts to judge the outputs of a model by, when the caller has none. */
#ifndef AQ_MEASURE_BUILTIN_TEXTS_H
#define AQ_MEASURE_BUILTIN_TEXTS_H

#include <stddef.h>

/* Texts of one kind follow each other. Static storage. */
typedef struct aq_builtin_text {
  const char *kind; /* "words", "questions", "sentences", "paragraphs", "code", "languages", "numbers" */
  const char *text; /* UTF-8, one line or several */
} aq_builtin_text;

extern const aq_builtin_text aq_builtin_texts[];
extern const size_t aq_builtin_text_count;

#endif
