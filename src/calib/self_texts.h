/* self_texts.h - windows of tokens that a language model writes itself, to calibrate it with where nobody has texts of
 * its kind (Williams and Aletras, Self-calibration for language model quantization and pruning, 2024).
 *
 * A window begins as a text of the model does: with the special tokens that its tokenizer puts in front of one, else
 * with its bos_token_id, else with the token that ends a text, behind which models have seen another begin; else with
 * any token. What follows is drawn from the model's predictions, as they are (temperature 1). Where it ends a text, the
 * window goes on with the next one. */
#ifndef AQ_CALIB_SELF_TEXTS_H
#define AQ_CALIB_SELF_TEXTS_H

#include "calib/text_windows.h"
#include "core/progress.h"
#include "model/description.h"

#define AQ_SELF_TEXTS_SEED 0

/* Each window has random numbers of its own: the first are the same, however many follow. */
typedef struct aq_self_texts {
  size_t count, length; /* windows, and tokens of each, at most as many as the model has positions */
  uint32_t threads;
  uint64_t max_memory; /* for the model in FP32 and what is kept of the texts; 0: a gigabyte of the latter */
} aq_self_texts;

/* Writes them with the model's weights in FP32, many at a time: as many as the memory has keys and values for. The same
 * tokens at any number of threads, with every instruction set, and in any memory (as far as sin, cos, and what
 * activation functions take of the C library, are the same in FP32). The model has its tokenizer. AQ_ERR_MEMORY when
 * not even one window fits; AQ_ERR_FORMAT when a text would begin with a token that the model has not;
 * AQ_ERR_NONFINITE. In *progress a window counts as a tensor and a token as a byte. Zero-initialise *out; reset it also
 * after a failure. */
AQ_MUST_CHECK aq_status aq_self_texts_write(const aq_model *model, const aq_self_texts *wanted, aq_progress *progress,
                                            aq_text_windows *out, aq_error *err);

#endif
