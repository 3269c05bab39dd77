/* spm_fixture.h - models of SentencePiece, written field by field. */
#ifndef AQ_TESTS_SPM_FIXTURE_H
#define AQ_TESTS_SPM_FIXTURE_H

#include "check.h"
#include "core/buffer.h"
#include "io/onnx/onnx_message.h"
#include "tokenizer/spm_model.h"

static inline void spm_put_piece(aq_buffer *model, const char *text, float score, int64_t type) {
  aq_error err;
  aq_buffer piece = {NULL, 0, 0};
  assert_ok(aq_onnx_put_text(&piece, 1, text, &err));
  assert_ok(aq_onnx_put_float(&piece, 2, score, &err));
  if (type != AQ_SPM_NORMAL) assert_ok(aq_onnx_put_number(&piece, 3, type, &err));
  assert_ok(aq_onnx_put_message(model, 1, &piece, &err));
}

/* A number of trainer_spec; messages of one field are joined by those who read them. */
static inline void spm_put_setting(aq_buffer *model, uint32_t field, int64_t value) {
  aq_error err;
  aq_buffer trainer = {NULL, 0, 0};
  assert_ok(aq_onnx_put_number(&trainer, field, value, &err));
  assert_ok(aq_onnx_put_message(model, 2, &trainer, &err));
}

static inline void spm_put_name(aq_buffer *model, uint32_t field, const char *text) {
  aq_error err;
  aq_buffer trainer = {NULL, 0, 0};
  assert_ok(aq_onnx_put_text(&trainer, field, text, &err));
  assert_ok(aq_onnx_put_message(model, 2, &trainer, &err));
}

static inline void spm_put_charsmap(aq_buffer *model, const void *bytes, size_t size) {
  aq_error err;
  aq_buffer normalizer = {NULL, 0, 0};
  assert_ok(aq_onnx_put_bytes(&normalizer, 2, bytes, size, &err));
  assert_ok(aq_onnx_put_message(model, 3, &normalizer, &err));
}

enum {
  SPM_MODEL_TYPE = 3,
  SPM_BYTE_FALLBACK = 35,
  SPM_UNK_ID = 40,
  SPM_BOS_ID = 41,
  SPM_EOS_ID = 42,
  SPM_UNK_PIECE = 45,
  SPM_BOS_PIECE = 46
};

#endif
