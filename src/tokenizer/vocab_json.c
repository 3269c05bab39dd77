/* vocab_json.c - the vocabulary of a tokenizer.json, read without building a tree of it.
 *
 * Thirty thousand members are most of the file; a tree of them takes six times as long to build as the vocabulary
 * itself. This reads one object of strings and whole numbers (RFC 8259), or one list of pairs of a string and a number,
 * and finds it by counting braces; what it does not understand it leaves to the real parser, which has the words for
 * what is wrong. */
#include "tokenizer/vocab_json.h"

#include <stdint.h>
#include <string.h>

#include "core/error.h"
#include "core/json_escape.h"
#include "core/utf8.h"
#include "tokenizer/piece_score.h"

typedef struct reader {
  const uint8_t *at; /* the text ends with a zero, which nothing moves past */
} reader;

static void skip_space(reader *r) {
  while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') r->at++;
}

static bool take_character(reader *r, char wanted) {
  skip_space(r);
  if (*r->at != (uint8_t)wanted) return false;
  r->at++;
  return true;
}

/* Moves past a string, whatever its escapes; *start and *size tell what stands between the quotes. */
static bool take_raw_string(reader *r, const uint8_t **start, size_t *size) {
  if (!take_character(r, '"')) return false;
  *start = r->at;
  for (; *r->at != '"'; r->at++) {
    if (*r->at < 0x20) return false;
    if (*r->at == '\\' && *++r->at < 0x20) return false;
  }
  *size = (size_t)(r->at++ - *start);
  return true;
}

/* Moves past a value. Brackets are counted, not matched: the rest of the text is parsed again. */
static bool skip_value(reader *r) {
  const uint8_t *start;
  size_t size, depth = 0;
  do {
    skip_space(r);
    if (*r->at == '"') {
      if (!take_raw_string(r, &start, &size)) return false;
    } else if (*r->at == '{' || *r->at == '[') {
      depth++;
      r->at++;
    } else if (*r->at == '}' || *r->at == ']') {
      if (depth-- == 0) return false;
      r->at++;
    } else if (*r->at == ',' || *r->at == ':') {
      if (depth == 0) return false;
      r->at++;
    } else {
      const size_t length = strspn((const char *)r->at, "+-.0123456789Eaeflnrstu");
      if (length == 0) return false;
      r->at += length;
    }
  } while (depth > 0);
  return true;
}

/* Moves to the value of a member of the object that comes next. */
static bool find_member(reader *r, const char *name) {
  const uint8_t *key;
  size_t size;
  if (!take_character(r, '{')) return false;
  do {
    if (!take_raw_string(r, &key, &size) || !take_character(r, ':')) return false;
    if (size == strlen(name) && memcmp(key, name, size) == 0) return true;
    if (!skip_value(r)) return false;
  } while (take_character(r, ','));
  return false;
}

/* A token's text without its escapes; false when there is something else in it or it is too long. */
static bool plain_token(const uint8_t *raw, size_t raw_size, uint8_t *token, size_t *size) {
  *size = 0;
  for (size_t i = 0; i < raw_size;) {
    if (*size + 4 > AQ_VOCAB_MAX_TOKEN) return false;
    if (raw[i] != '\\') {
      token[(*size)++] = raw[i++];
      continue;
    }
    uint32_t c;
    const size_t length = aq_json_unescape(raw + i, raw_size - i, &c);
    if (length == 0 || c == 0 || (c >= 0xD800 && c <= 0xDFFF)) return false;
    *size += aq_utf8_put(c, token + *size);
    i += length;
  }
  return true;
}

/* A whole number of at most nine digits and no leading zero. */
static bool take_id(reader *r, int64_t *id) {
  skip_space(r);
  const size_t digits = strspn((const char *)r->at, "0123456789");
  if (digits == 0 || digits > 9 || (digits > 1 && *r->at == '0')) return false;
  *id = 0;
  for (size_t i = 0; i < digits; i++) *id = *id * 10 + (*r->at++ - '0');
  return *r->at == ',' || *r->at == '}' || *r->at <= ' ';
}

static bool take_tokens(reader *r, aq_vocab *vocab) {
  uint8_t token[AQ_VOCAB_MAX_TOKEN];
  if (!take_character(r, '{')) return false;
  do {
    const uint8_t *raw;
    size_t raw_size, size;
    int64_t id;
    if (!take_raw_string(r, &raw, &raw_size) || !take_character(r, ':') || !take_id(r, &id)) return false;
    if (!plain_token(raw, raw_size, token, &size)) return false;
    if (aq_vocab_add(vocab, (const char *)token, size, id, NULL) != AQ_OK) return false;
  } while (take_character(r, ','));
  return take_character(r, '}');
}

/* A list of pairs, each a piece and its score. */
static bool take_pieces(reader *r, aq_vocab *vocab) {
  uint8_t piece[AQ_VOCAB_MAX_TOKEN];
  if (!take_character(r, '[')) return false;
  do {
    const uint8_t *raw;
    size_t raw_size, size, length;
    aq_piece_score score;
    if (!take_character(r, '[') || !take_raw_string(r, &raw, &raw_size) || !take_character(r, ',')) return false;
    skip_space(r);
    length = aq_piece_score_read(r->at, &score);
    r->at += length;
    if (length == 0 || !take_character(r, ']') || !plain_token(raw, raw_size, piece, &size)) return false;
    if (aq_vocab_add_piece(vocab, (const char *)piece, size, &score, NULL) != AQ_OK) return false;
  } while (take_character(r, ','));
  return take_character(r, ']');
}

bool aq_vocab_read_json(aq_vocab *vocab, const char *text, size_t size, aq_vocab_range *range) {
  const uint8_t *bytes = (const uint8_t *)text;
  reader r = {bytes};
  if (aq_utf8_valid(bytes, size) != size || !find_member(&r, "model") || !find_member(&r, "vocab")) return false;
  skip_space(&r);
  range->start = (size_t)(r.at - bytes);
  if (*r.at == '[' ? !take_pieces(&r, vocab) : !take_tokens(&r, vocab)) {
    aq_vocab_reset(vocab);
    return false;
  }
  range->end = (size_t)(r.at - bytes);
  return true;
}

aq_status aq_vocab_read_object(aq_vocab *vocab, const json_t *tokens, aq_error *err) {
  const char *token;
  const json_t *id;
  AQ_FAIL_IF(!json_is_object(tokens), AQ_ERR_FORMAT, "model.vocab is not an object of tokens and ids");
  json_object_foreach((json_t *)(uintptr_t)tokens, token, id) {
    AQ_FAIL_IF(!json_is_integer(id), AQ_ERR_FORMAT, "the id of the token '%.60s' is not a whole number", token);
    AQ_TRY(aq_vocab_add(vocab, token, strlen(token), json_integer_value(id), err));
  }
  AQ_FAIL_IF(vocab->count == 0, AQ_ERR_FORMAT, "the vocabulary is empty");
  return AQ_OK;
}

aq_status aq_vocab_read_pieces(aq_vocab *vocab, const json_t *pieces, aq_error *err) {
  size_t i;
  const json_t *pair;
  AQ_FAIL_IF(!json_is_array(pieces), AQ_ERR_FORMAT, "model.vocab is not a list of pieces and scores");
  json_array_foreach(pieces, i, pair) {
    const char *piece = json_string_value(json_array_get(pair, 0));
    const json_t *number = json_array_get(pair, 1);
    AQ_FAIL_IF(piece == NULL || !json_is_number(number) || json_array_size(pair) != 2, AQ_ERR_FORMAT,
               "member %zu of model.vocab is not a piece and its score", i);
    const double nearest = json_number_value(number);
    AQ_TRY(aq_vocab_add_piece(vocab, piece, strlen(piece), &(aq_piece_score){nearest, nearest}, err));
  }
  AQ_FAIL_IF(vocab->count == 0, AQ_ERR_FORMAT, "the vocabulary is empty");
  return AQ_OK;
}
