/* tuning_texts.h - texts to choose settings by, when the caller has none. */
#ifndef AQ_MEASURE_TUNING_TEXTS_H
#define AQ_MEASURE_TUNING_TEXTS_H

#include <stddef.h>

extern const char *const aq_tuning_texts[]; /* UTF-8, zero-terminated; static storage */
extern const size_t aq_tuning_text_count;

#endif
