/* spm_model.c - reading ModelProto. Fields that are not asked for are passed by, as protocol buffers do; of a field
 * that is there twice the last value counts. */
#include "tokenizer/spm_model.h"

#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/utf8.h"
#include "io/wire.h"
#include "tokenizer/vocab.h"

enum { UNIGRAM = 1, BPE = 2, WORD = 3, CHAR = 4 }; /* of model_type */

typedef struct reader {
  aq_wire wire;
  aq_spm_model *model;
  aq_spm_piece piece; /* the one that is being read */
} reader;

typedef aq_status (*field_fn)(reader *r, const aq_wire_field *field, aq_error *err);

void aq_spm_model_reset(aq_spm_model *model) {
  aq_buffer_reset(&model->pieces);
  *model = (aq_spm_model){.is_bpe = false};
}

/* ---- Values ---- */

static aq_status read_bytes(const reader *r, const aq_wire_field *field, const char *what, aq_spm_text *out,
                            aq_error *err) {
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_BYTES, what, err));
  *out = (aq_spm_text){(const char *)r->wire.memory + field->begin, (size_t)(field->end - field->begin)};
  return AQ_OK;
}

static aq_status read_text(const reader *r, const aq_wire_field *field, const char *what, aq_spm_text *out,
                           aq_error *err) {
  AQ_TRY(read_bytes(r, field, what, out, err));
  AQ_FAIL_IF(out->size > AQ_VOCAB_MAX_TOKEN, AQ_ERR_UNSUPPORTED, "%s has %zu bytes; at most %d are handled", what,
             out->size, AQ_VOCAB_MAX_TOKEN);
  const bool is_text = aq_utf8_valid((const uint8_t *)out->text, out->size) == out->size &&
                       (out->size == 0 || memchr(out->text, 0, out->size) == NULL);
  AQ_FAIL_IF(!is_text, AQ_ERR_FORMAT, "%s is not UTF-8 without zeros, at byte %llu", what,
             (unsigned long long)field->begin);
  return AQ_OK;
}

/* An int32 is written as 64 bits in two's complement. */
static aq_status read_id(const aq_wire_field *field, const char *what, int32_t *out, aq_error *err) {
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_VARINT, what, err));
  const int64_t value = (int64_t)field->value;
  AQ_FAIL_IF(value < INT32_MIN || value > INT32_MAX, AQ_ERR_FORMAT, "%s is %lld, which is no number of 32 bits", what,
             (long long)value);
  *out = (int32_t)value;
  return AQ_OK;
}

/* ---- Messages ---- */

static aq_status read_fields(reader *r, uint64_t begin, uint64_t end, field_fn read, aq_error *err) {
  for (uint64_t at = begin; at < end;) {
    aq_wire_field field;
    r->wire.at = at;
    AQ_TRY(aq_wire_next(&r->wire, end, &field, err));
    AQ_TRY(read(r, &field, err));
    at = field.end;
  }
  return AQ_OK;
}

static aq_status read_message(reader *r, const aq_wire_field *field, const char *what, field_fn read, aq_error *err) {
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_BYTES, what, err));
  return read_fields(r, field->begin, field->end, read, err);
}

static aq_status read_piece_field(reader *r, const aq_wire_field *field, aq_error *err) {
  switch (field->number) {
    case 1:
      return read_text(r, field, "a piece", &r->piece.text, err);
    case 2:
      AQ_TRY(aq_wire_expect(field, AQ_WIRE_32, "the score of a piece", err));
      r->piece.score = aq_bits_f32((uint32_t)field->value);
      return AQ_OK;
    case 3:
      AQ_TRY(aq_wire_expect(field, AQ_WIRE_VARINT, "the type of a piece", err));
      AQ_FAIL_IF(field->value < AQ_SPM_NORMAL || field->value > AQ_SPM_BYTE, AQ_ERR_UNSUPPORTED,
                 "the type of a piece is %llu; 1 to 6 are known", (unsigned long long)field->value);
      r->piece.type = (aq_spm_type)field->value;
      return AQ_OK;
    default:
      return AQ_OK;
  }
}

static aq_status read_piece(reader *r, const aq_wire_field *field, aq_error *err) {
  const size_t count = aq_spm_model_count(r->model);
  AQ_FAIL_IF(count >= AQ_SPM_MOST_PIECES, AQ_ERR_UNSUPPORTED, "the model has more than %zu pieces", AQ_SPM_MOST_PIECES);
  r->piece = (aq_spm_piece){.type = AQ_SPM_NORMAL};
  AQ_TRY(read_message(r, field, "a piece", read_piece_field, err));
  AQ_FAIL_IF(r->piece.text.size == 0, AQ_ERR_FORMAT, "piece %zu has no text, before byte %llu", count,
             (unsigned long long)field->end);
  AQ_FAIL_IF(!isfinite(r->piece.score), AQ_ERR_FORMAT, "the score of piece %zu is not finite, before byte %llu", count,
             (unsigned long long)field->end);
  return aq_buffer_append(&r->model->pieces, &r->piece, sizeof r->piece, err);
}

static aq_status read_model_type(reader *r, const aq_wire_field *field, aq_error *err) {
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_VARINT, "model_type", err));
  AQ_FAIL_IF(field->value != UNIGRAM && field->value != BPE, AQ_ERR_UNSUPPORTED,
             "model_type is %llu%s; 1 (Unigram) and 2 (BPE) are supported", (unsigned long long)field->value,
             field->value == WORD   ? " (words)"
             : field->value == CHAR ? " (characters)"
                                    : "");
  r->model->is_bpe = field->value == BPE;
  return AQ_OK;
}

static aq_status read_trainer_field(reader *r, const aq_wire_field *field, aq_error *err) {
  aq_spm_model *model = r->model;
  switch (field->number) {
    case 3:
      return read_model_type(r, field, err);
    case 35:
      AQ_TRY(aq_wire_expect(field, AQ_WIRE_VARINT, "byte_fallback", err));
      model->byte_fallback = field->value != 0;
      return AQ_OK;
    case 40:
      return read_id(field, "unk_id", &model->unknown, err);
    case 41:
      return read_id(field, "bos_id", &model->bos, err);
    case 42:
      return read_id(field, "eos_id", &model->eos, err);
    case 45:
      return read_text(r, field, "unk_piece", &model->unknown_piece, err);
    case 46:
      return read_text(r, field, "bos_piece", &model->bos_piece, err);
    case 47:
      return read_text(r, field, "eos_piece", &model->eos_piece, err);
    default:
      return AQ_OK;
  }
}

static aq_status read_normalizer_field(reader *r, const aq_wire_field *field, aq_error *err) {
  return field->number == 2 ? read_bytes(r, field, "precompiled_charsmap", &r->model->charsmap, err) : AQ_OK;
}

static aq_status read_model_field(reader *r, const aq_wire_field *field, aq_error *err) {
  switch (field->number) {
    case 1:
      return read_piece(r, field, err);
    case 2:
      return read_message(r, field, "trainer_spec", read_trainer_field, err);
    case 3:
      return read_message(r, field, "normalizer_spec", read_normalizer_field, err);
    default:
      return AQ_OK;
  }
}

aq_status aq_spm_model_read(const char *bytes, size_t size, aq_spm_model *model, aq_error *err) {
  reader r = {.model = model};
  *model = (aq_spm_model){.unknown = 0,
                          .bos = 1,
                          .eos = 2,
                          .unknown_piece = {"<unk>", 5},
                          .bos_piece = {"<s>", 3},
                          .eos_piece = {"</s>", 4}};
  aq_wire_init_memory(&r.wire, (const uint8_t *)bytes, size);
  aq_status status = read_fields(&r, 0, size, read_model_field, err);
  if (status == AQ_OK && aq_spm_model_count(model) == 0) {
    status = aq_fail(err, AQ_ERR_FORMAT, "the file holds no pieces, and so no model of SentencePiece");
    (void)aq_error_hint(err, status, "A tokenizer.model of tiktoken, which is lines of base64, is not supported");
  }
  if (status != AQ_OK) aq_spm_model_reset(model);
  return status;
}
