/* validate_words.h - what a validation's numbers are called, on the terminal and in its summary. */
#ifndef AQ_REPORT_VALIDATE_WORDS_H
#define AQ_REPORT_VALIDATE_WORDS_H

#include "report/report.h"

/* "INT8" from an object's "type". Into out, AQ_WORD_SIZE bytes; returns out. */
const char *aq_type_word(const json_t *object, char *out);

/* A criterion's "measured" or "limit", with its unit: "3.97x", "0.999951", "412 ms", "0"; limits as "0.85", "60 s". */
const char *aq_criterion_word(const json_t *criterion, const char *key, char *out);

/* "ALL ACCEPTANCE CRITERIA PASSED", or "2 OF 14 ACCEPTANCE CRITERIA FAILED: int8_compression, ...". */
aq_status aq_append_verdict(const json_t *root, aq_buffer *out, aq_error *err);

/* Bands of the mean cosine and of the precision loss: "excellent", "good", "fair", "poor"; "-" for NaN. */
const char *aq_cosine_band(double cosine);
const char *aq_loss_band(double percent);

/* "excellent" above this. */
#define AQ_COSINE_EXCELLENT 0.95

#endif
