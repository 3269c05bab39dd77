/* spm_model.h - a model of SentencePiece: ModelProto of its sentencepiece_model.proto, as far as ids depend on it.
 *
 *   ModelProto      1 pieces, repeated; 2 trainer_spec; 3 normalizer_spec
 *   SentencePiece   1 piece, text; 2 score, float; 3 type
 *   TrainerSpec     3 model_type; 35 byte_fallback; 40 unk_id; 41 bos_id; 42 eos_id; 45 unk_piece; 46 bos_piece;
 *                   47 eos_piece
 *   NormalizerSpec  2 precompiled_charsmap, bytes (charsmap.h)
 *
 * The other settings (a space before the text, spaces that go, lengths of pieces) are those of SentencePiece's own
 * program. The classes of transformers do not ask for them: they have stages of their own. */
#ifndef AQ_TOKENIZER_SPM_MODEL_H
#define AQ_TOKENIZER_SPM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_SPM_MOST_PIECES ((size_t)1 << 21)

/* A part of the model's bytes, without a zero at its end. */
typedef struct aq_spm_text {
  const char *text;
  size_t size;
} aq_spm_text;

typedef enum aq_spm_type {
  AQ_SPM_NORMAL = 1,
  AQ_SPM_UNKNOWN = 2,
  AQ_SPM_CONTROL = 3, /* "<s>": a special token */
  AQ_SPM_USER = 4,    /* defined by who trained the model: found in a text before it is cut */
  AQ_SPM_UNUSED = 5,
  AQ_SPM_BYTE = 6 /* "<0x0A>" */
} aq_spm_type;

typedef struct aq_spm_piece {
  aq_spm_text text; /* UTF-8 without zeros, of 1 to AQ_VOCAB_MAX_TOKEN bytes */
  float score;      /* finite */
  aq_spm_type type;
} aq_spm_piece;

/* Zero-initialise; aq_spm_model_reset frees. Texts lie in the bytes that were read. */
typedef struct aq_spm_model {
  aq_buffer pieces; /* of aq_spm_piece; at least one */
  bool is_bpe;      /* else Unigram */
  bool byte_fallback;
  int32_t unknown, bos, eos; /* ids; negative: there is none */
  aq_spm_text unknown_piece, bos_piece, eos_piece;
  aq_spm_text charsmap; /* size 0: there is none */
} aq_spm_model;

void aq_spm_model_reset(aq_spm_model *model);

static inline size_t aq_spm_model_count(const aq_spm_model *model) { return model->pieces.size / sizeof(aq_spm_piece); }
static inline const aq_spm_piece *aq_spm_model_piece(const aq_spm_model *model, size_t i) {
  return (const aq_spm_piece *)(const void *)model->pieces.data + i;
}

/* Reads the bytes of a .model file, which must outlive the model. AQ_ERR_FORMAT or AQ_ERR_CORRUPT when they are no such
 * model or a damaged one; AQ_ERR_UNSUPPORTED for a model_type other than Unigram and BPE, and for more pieces, or
 * longer ones, than are handled. On failure *model is empty. */
AQ_MUST_CHECK aq_status aq_spm_model_read(const char *bytes, size_t size, aq_spm_model *model, aq_error *err);

#endif
