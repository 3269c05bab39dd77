/* corpus_builtin.c - the built-in corpus: which kinds of texts it has, how many of each, and that none comes twice.
 *
 * Text i is of the kind that place i mod 100 of a fixed order of the mixture names, and depends on nothing but i and on
 * the texts before it that it must differ from. A text is drawn again when it was met before, letters compared without
 * case, or is one of those that models are judged by or settings chosen by: they count as met from the beginning. */
#include <stdbool.h>
#include <string.h>

#include "calib/corpus/corpus.h"
#include "calib/corpus/corpus_grammar.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "measure/builtin_texts.h"
#include "measure/tuning_texts.h"

#define CYCLE 100U
#define STRIDE 37U /* no divisor of CYCLE: neighbours are of different kinds */
#define DRAWS 8U   /* after as many a short text becomes a sentence */
#define SEED UINT64_C(0x6171636F72707573)
#define MIX UINT64_C(0xD1342543DE82EF95)

typedef struct kind {
  uint32_t share;                  /* of CYCLE */
  const char *open, *body, *close; /* rules; NULL: none */
  uint32_t least, most;            /* words that body is repeated up to */
} kind;

static const kind kinds[] = {
    /* words, short phrases, questions */
    {6, "word", NULL, NULL, 0, 0},
    {3, "rareword", NULL, NULL, 0, 0},
    {5, "phrase", NULL, NULL, 0, 0},
    {3, "query", NULL, NULL, 0, 0},
    {7, "q", NULL, NULL, 0, 0},
    /* sentences */
    {13, "s2", "s2", NULL, 0, 20},
    {3, "quote", NULL, NULL, 0, 0},
    {3, "imp", NULL, NULL, 0, 0},
    {7, "term", NULL, NULL, 0, 0},
    {3, "gear", NULL, NULL, 0, 0},
    {3, "head", NULL, NULL, 0, 0},
    {3, "rev", "rev", NULL, 0, 20},
    {3, "news", NULL, NULL, 0, 0},
    {1, "number", NULL, NULL, 0, 0},
    {1, "list", NULL, NULL, 0, 0},
    /* paragraphs */
    {3, "essay", "essay", NULL, 30, 75},
    {3, "story", "story", NULL, 30, 75},
    {3, "wiki", "wiki", NULL, 30, 75},
    {3, "news", "news", NULL, 30, 75},
    {1, "howto", "howto", NULL, 30, 75},
    {2, "rev", "rev", NULL, 30, 75},
    {1, "mailopen", "mail", "mailend", 30, 75},
    {2, "chat", "chat", NULL, 30, 75},
    /* long texts */
    {2, "news", "news", NULL, 130, 330},
    {1, "story", "story", NULL, 130, 330},
    {1, "essay", "essay", NULL, 130, 330},
    {1, "wiki", "wiki", NULL, 130, 330},
    /* code, other languages */
    {4, "code", NULL, NULL, 0, 0},
    {2, "ident", NULL, NULL, 0, 0},
    {3, "place", NULL, NULL, 0, 0},
    {3, "lang1", NULL, NULL, 0, 0},
    {1, "euro", NULL, NULL, 0, 0},
};
static const kind fallback = {0, "s", "s", NULL, 0, 30};

/* ---- texts that were met ---- */

typedef struct met {
  uint64_t *hashes; /* open addressing; 0: free */
  size_t capacity;  /* a power of two */
} met;

static uint64_t hash_text(const char *text, size_t length) { /* FNV-1a of the lower-case letters */
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < length; i++) {
    const char c = text[i];
    h = (h ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c)) * UINT64_C(1099511628211);
  }
  return h != 0 ? h : 1;
}

/* False when the text was there. */
static bool met_add(met *set, const char *text, size_t length) {
  const uint64_t h = hash_text(text, length);
  size_t at = (size_t)(h ^ (h >> 32)) & (set->capacity - 1);
  for (; set->hashes[at] != 0; at = (at + 1) & (set->capacity - 1)) {
    if (set->hashes[at] == h) return false;
  }
  set->hashes[at] = h;
  return true;
}

static aq_status met_start(met *set, size_t count, aq_error *err) {
  const size_t needed = 2 * (count + aq_builtin_text_count + aq_tuning_text_count);
  for (set->capacity = 1; set->capacity < needed;) set->capacity *= 2;
  set->hashes = aq_calloc(set->capacity, sizeof *set->hashes);
  if (set->hashes == NULL) return aq_fail_memory(err, set->capacity * sizeof *set->hashes);
  for (size_t i = 0; i < aq_builtin_text_count; i++) {
    (void)met_add(set, aq_builtin_texts[i].text, strlen(aq_builtin_texts[i].text));
  }
  for (size_t i = 0; i < aq_tuning_text_count; i++) {
    (void)met_add(set, aq_tuning_texts[i], strlen(aq_tuning_texts[i]));
  }
  return AQ_OK;
}

/* ---- texts ---- */

static const kind *kind_of(size_t index) {
  uint32_t place = (uint32_t)(index % CYCLE) * STRIDE % CYCLE;
  const kind *k = kinds;
  while (place >= k->share) place -= (k++)->share;
  return k;
}

static size_t count_spaces(const aq_buffer *bytes, size_t from) {
  size_t n = 0;
  for (size_t i = from; i < bytes->size; i++) n += bytes->data[i] == ' ';
  return n;
}

static aq_status append_text(aq_grammar *g, const kind *k, aq_buffer *out, aq_error *err) {
  const size_t goal = k->least + aq_grammar_draw(g, k->most - k->least + 1);
  size_t from = out->size, words = 1;
  AQ_TRY(aq_grammar_append(g, k->open, out, err));
  while (k->body != NULL && (words += count_spaces(out, from)) < goal) {
    from = out->size;
    AQ_TRY(aq_buffer_append_byte(out, ' ', err));
    AQ_TRY(aq_grammar_append(g, k->body, out, err));
  }
  if (k->close == NULL) return AQ_OK;
  AQ_TRY(aq_buffer_append_byte(out, ' ', err));
  return aq_grammar_append(g, k->close, out, err);
}

/* Appends text `index` and a zero, and says how long it is. */
static aq_status append_new(aq_grammar *g, met *set, size_t index, aq_buffer *out, size_t *length, aq_error *err) {
  const size_t from = out->size;
  const kind *k = kind_of(index);
  for (uint64_t draw = 0;; draw++) {
    aq_grammar_begin(g, SEED + MIX * (index + (draw << 40)));
    AQ_TRY(append_text(g, draw < DRAWS ? k : &fallback, out, err));
    *length = out->size - from;
    if (met_add(set, (const char *)out->data + from, *length)) break;
    out->size = from;
  }
  return aq_buffer_append_byte(out, 0, err);
}

static aq_status append_all(aq_grammar *g, met *set, aq_corpus *out, aq_error *err) {
  AQ_TRY(met_start(set, out->count, err));
  for (size_t i = 0; i < out->count; i++) {
    AQ_TRY(append_new(g, set, i, &out->bytes, &out->lengths[i], err));
  }
  const char *text = (const char *)out->bytes.data;
  for (size_t i = 0; i < out->count; i++) {
    out->texts[i] = text;
    text += out->lengths[i] + 1;
  }
  return AQ_OK;
}

aq_status aq_corpus_builtin(size_t count, aq_corpus *out, aq_error *err) {
  *out = (aq_corpus){.count = count};
  AQ_FAIL_IF(count > SIZE_MAX / 64, AQ_ERR_ARGUMENT, "%zu texts are too many", count);
  out->texts = aq_calloc(AQ_MAX(count, 1), sizeof *out->texts);
  out->lengths = aq_calloc(AQ_MAX(count, 1), sizeof *out->lengths);
  aq_grammar *g = NULL;
  met set = {0};
  aq_status status = out->texts != NULL && out->lengths != NULL ? aq_grammar_create(&g, err)
                                                                : aq_fail_memory(err, count * sizeof *out->texts);
  if (status == AQ_OK) status = append_all(g, &set, out, err);
  aq_grammar_free(g);
  aq_free(set.hashes);
  if (status != AQ_OK) aq_corpus_reset(out);
  return status;
}
