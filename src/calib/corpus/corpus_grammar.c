/* corpus_grammar.c - texts out of rules and words.
 *
 * Random numbers: splitmix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom number generators"), integers
 * alone, hence the same texts on every machine. Of 16 words 7 come from a
 * stretch of WINDOW neighbours in the subject's list, drawn once a text, so that a text keeps to few things; 5 from the
 * whole list; 3 from the general subject; 1 from any. Deeper than DEPTH a rule takes its first alternative, which ends.
 */
#include "calib/corpus/corpus_grammar.h"

#include <stdbool.h>
#include <string.h>

#include "calib/corpus/corpus_data.h"
#include "calib/corpus/corpus_forms.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"

#define SLOTS 1024U
#define DEPTH 10U
#define WINDOW 16U

typedef struct span {
  const char *text;
  uint32_t length;
} span;

typedef struct symbol {
  const char *name;
  uint32_t first, count; /* choices */
  bool rule;             /* otherwise words */
} symbol;

struct aq_grammar {
  span *choices;
  symbol *symbols;       /* the parts of each domain first, then lists of words, then rules */
  const span **kept;     /* a symbol's choice that stays for the text, or NULL */
  uint32_t *marks;       /* of a part: where its stretch begins; of a rule: what it took last */
  uint16_t slots[SLOTS]; /* hash of a name: 1 + index in symbols; parts are not there */
  uint32_t symbol_count, choice_count;
  uint32_t domain;
  uint64_t state;
  aq_buffer raw; /* before "~" and "^" are resolved */
};

/* ---- the index ---- */

static uint32_t hash_name(const char *name, size_t length) { /* FNV-1a */
  uint32_t h = 2166136261U;
  for (size_t i = 0; i < length; i++) h = (h ^ (uint8_t)name[i]) * 16777619U;
  return h;
}

static uint32_t count_choices(const char *text, char separator) {
  uint32_t n = 1;
  for (const char *p = text; *p != 0; p++) n += *p == separator;
  return n;
}

static void add_choices(aq_grammar *g, const char *name, const char *text, bool rule) {
  symbol *s = &g->symbols[g->symbol_count++];
  *s = (symbol){.name = name, .first = g->choice_count, .rule = rule};
  const char separator = rule ? '|' : ' ';
  for (const char *p = text;;) {
    const char *end = strchr(p, separator);
    const size_t length = end != NULL ? (size_t)(end - p) : strlen(p);
    g->choices[g->choice_count++] = (span){p, (uint32_t)length};
    if (end == NULL) break;
    p = end + 1;
  }
  s->count = g->choice_count - s->first;
}

static void add_slot(aq_grammar *g, uint32_t index) {
  const char *name = g->symbols[index].name;
  uint32_t at = hash_name(name, strlen(name)) % SLOTS;
  while (g->slots[at] != 0) at = (at + 1) % SLOTS;
  g->slots[at] = (uint16_t)(index + 1);
}

static void fill(aq_grammar *g) {
  static const char *const parts[] = {"n", "m", "p", "v", "i", "a"};
  for (size_t d = 0; d < aq_corpus_domain_count; d++) {
    for (size_t k = 0; k < AQ_CORPUS_PARTS; k++) add_choices(g, parts[k], aq_corpus_domains[d].words[k], false);
  }
  const uint32_t first = g->symbol_count;
  for (size_t i = 0; i < aq_corpus_word_count; i++) {
    add_choices(g, aq_corpus_words[i].name, aq_corpus_words[i].text, false);
  }
  for (size_t i = 0; i < aq_corpus_phrase_count; i++) {
    add_choices(g, aq_corpus_phrases[i].name, aq_corpus_phrases[i].text, true);
  }
  for (size_t i = 0; i < aq_corpus_language_count; i++) {
    add_choices(g, aq_corpus_languages[i].name, aq_corpus_languages[i].text, true);
  }
  for (uint32_t i = first; i < g->symbol_count; i++) add_slot(g, i);
}

static size_t count_all(void) {
  size_t n = 0;
  for (size_t d = 0; d < aq_corpus_domain_count; d++) {
    for (size_t k = 0; k < AQ_CORPUS_PARTS; k++) n += count_choices(aq_corpus_domains[d].words[k], ' ');
  }
  for (size_t i = 0; i < aq_corpus_word_count; i++) n += count_choices(aq_corpus_words[i].text, ' ');
  for (size_t i = 0; i < aq_corpus_phrase_count; i++) n += count_choices(aq_corpus_phrases[i].text, '|');
  for (size_t i = 0; i < aq_corpus_language_count; i++) n += count_choices(aq_corpus_languages[i].text, '|');
  return n;
}

aq_status aq_grammar_create(aq_grammar **out, aq_error *err) {
  *out = NULL;
  const size_t symbols = aq_corpus_domain_count * AQ_CORPUS_PARTS + aq_corpus_word_count + aq_corpus_phrase_count +
                         aq_corpus_language_count;
  aq_grammar *g = aq_calloc(1, sizeof *g);
  if (g == NULL) return aq_fail_memory(err, sizeof *g);
  const size_t choices = count_all();
  g->choices = aq_calloc(choices, sizeof *g->choices);
  g->symbols = aq_calloc(symbols, sizeof *g->symbols);
  g->kept = aq_calloc(symbols, sizeof *g->kept);
  g->marks = aq_calloc(symbols, sizeof *g->marks);
  if (g->choices == NULL || g->symbols == NULL || g->kept == NULL || g->marks == NULL) {
    aq_grammar_free(g);
    return aq_fail_memory(err, choices * sizeof *g->choices);
  }
  fill(g);
  *out = g;
  return AQ_OK;
}

void aq_grammar_free(aq_grammar *grammar) {
  if (grammar == NULL) return;
  aq_free(grammar->choices);
  aq_free(grammar->symbols);
  aq_free(grammar->kept);
  aq_free(grammar->marks);
  aq_buffer_reset(&grammar->raw);
  aq_free(grammar);
}

/* ---- drawing ---- */

uint32_t aq_grammar_draw(aq_grammar *grammar, uint32_t n) {
  return (uint32_t)(((aq_splitmix_next(&grammar->state) >> 32) * n) >> 32);
}

void aq_grammar_begin(aq_grammar *grammar, uint64_t seed) {
  grammar->state = seed;
  (void)aq_splitmix_next(&grammar->state);
  grammar->domain = aq_grammar_draw(grammar, (uint32_t)aq_corpus_domain_count);
  memset(grammar->marks, 0xFF, grammar->symbol_count * sizeof *grammar->marks);
  memset(grammar->kept, 0, grammar->symbol_count * sizeof *grammar->kept);
  for (uint32_t k = 0; k < AQ_CORPUS_PARTS; k++) {
    const symbol *s = &grammar->symbols[grammar->domain * AQ_CORPUS_PARTS + k];
    grammar->marks[grammar->domain * AQ_CORPUS_PARTS + k] = aq_grammar_draw(grammar, s->count);
  }
}

/* A word of the part from the text's subject, or another. */
static const span *draw_part(aq_grammar *g, uint32_t part) {
  const uint32_t domains = (uint32_t)aq_corpus_domain_count, way = aq_grammar_draw(g, 16);
  const bool window = way < 7;
  const uint32_t domain = way < 12 ? g->domain : way < 15 ? domains - 1 : aq_grammar_draw(g, domains);
  const symbol *s = &g->symbols[domain * AQ_CORPUS_PARTS + part];
  if (!window) return &g->choices[s->first + aq_grammar_draw(g, s->count)];
  const uint32_t start = g->marks[domain * AQ_CORPUS_PARTS + part];
  return &g->choices[s->first + (start + aq_grammar_draw(g, AQ_MIN(WINDOW, s->count))) % s->count];
}

/* ---- expanding ---- */

typedef struct reference {
  uint32_t symbol; /* a part: that of the first domain */
  bool part, kept;
  char form;
} reference;

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static char lower(char c) { return is_upper(c) ? (char)(c - 'A' + 'a') : c; }

static bool find_symbol(const aq_grammar *g, const char *name, size_t length, reference *out) {
  char lowered[16];
  if (length == 0 || length >= sizeof lowered) return false;
  out->kept = true;
  for (size_t i = 0; i < length; i++) {
    out->kept = out->kept && is_upper(name[i]);
    lowered[i] = lower(name[i]);
  }
  const char *key = out->kept ? lowered : name;
  const char *part = length == 1 ? strchr(AQ_CORPUS_PART_NAMES, key[0]) : NULL;
  out->part = part != NULL;
  if (part != NULL) {
    out->symbol = (uint32_t)(part - AQ_CORPUS_PART_NAMES);
    return true;
  }
  for (uint32_t at = hash_name(key, length) % SLOTS; g->slots[at] != 0; at = (at + 1) % SLOTS) {
    const symbol *s = &g->symbols[g->slots[at] - 1];
    out->symbol = g->slots[at] - 1U;
    if (strlen(s->name) == length && memcmp(s->name, key, length) == 0) return true;
  }
  return false;
}

/* Reads name and form behind an at sign; returns how many bytes they take, 0 when there is no such name. */
static size_t read_reference(const aq_grammar *g, const char *text, size_t length, reference *out) {
  size_t n = 0;
  while (n < length && (is_lower(text[n]) || is_upper(text[n]) || is_digit(text[n]))) n++;
  *out = (reference){0};
  if (!find_symbol(g, text, n, out)) return 0;
  if (n + 1 < length && text[n] == '_' && strchr("s3dng", text[n + 1]) != NULL &&
      (n + 2 == length || !(is_lower(text[n + 2]) || text[n + 2] == '_'))) {
    out->form = text[n + 1];
    n += 2;
  }
  return n < length && text[n] == '`' ? n + 1 : n;
}

/* An alternative, not the same twice running in a text. */
static const span *draw_alternative(aq_grammar *g, uint32_t index, uint32_t depth) {
  const symbol *s = &g->symbols[index];
  uint32_t chosen = depth > DEPTH ? 0 : aq_grammar_draw(g, s->count);
  if (depth <= DEPTH && chosen == g->marks[index]) chosen = aq_grammar_draw(g, s->count);
  g->marks[index] = chosen;
  return &g->choices[s->first + chosen];
}

static const span *draw_choice(aq_grammar *g, const reference *ref, uint32_t depth) {
  if (ref->kept && g->kept[ref->symbol] != NULL) return g->kept[ref->symbol];
  const symbol *s = &g->symbols[ref->symbol];
  const span *chosen = ref->part ? draw_part(g, ref->symbol)
                       : s->rule ? draw_alternative(g, ref->symbol, depth)
                                 : &g->choices[s->first + aq_grammar_draw(g, s->count)];
  if (ref->kept) g->kept[ref->symbol] = chosen;
  return chosen;
}

static aq_status expand(aq_grammar *g, const char *text, size_t length, uint32_t depth, aq_error *err) {
  for (size_t i = 0; i < length;) {
    const char *at = memchr(text + i, '@', length - i);
    const size_t plain = at != NULL ? (size_t)(at - text) - i : length - i;
    AQ_TRY(aq_buffer_append(&g->raw, text + i, plain, err));
    i += plain + 1;
    if (at == NULL) break;
    if (i < length && (text[i] == '@' || text[i] == '!')) {
      AQ_TRY(aq_buffer_append_byte(&g->raw, text[i] == '@' ? '@' : '|', err));
      i++;
      continue;
    }
    reference ref;
    const size_t used = read_reference(g, text + i, length - i, &ref);
    AQ_FAIL_IF(used == 0, AQ_ERR_INTERNAL, "the grammar has no rule for '@%.*s'", (int)AQ_MIN(length - i, 16),
               text + i);
    i += used;
    const span *chosen = draw_choice(g, &ref, depth);
    if (!ref.part && g->symbols[ref.symbol].rule) {
      AQ_TRY(expand(g, chosen->text, chosen->length, depth + 1, err));
    } else {
      AQ_TRY(aq_form_append(&g->raw, chosen->text, chosen->length, ref.form, err));
    }
  }
  return AQ_OK;
}

/* What "~" becomes, which stands before `rest`. */
static size_t write_article(uint8_t *out, const uint8_t *rest, size_t size, bool capital) {
  size_t skipped = 0;
  while (skipped < size && (rest[skipped] == ' ' || rest[skipped] == '"')) skipped++;
  out[0] = capital ? 'A' : 'a';
  out[1] = 'n';
  return aq_form_takes_an((const char *)rest + skipped, size - skipped) ? 2 : 1;
}

/* Copies raw to out, with articles and capitals. */
static aq_status finish(const aq_buffer *raw, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_reserve(out, 2 * raw->size, err));
  uint8_t *to = out->data + out->size;
  bool capital = false;
  for (size_t i = 0; i < raw->size; i++) {
    const char c = (char)raw->data[i];
    if (c == '^') {
      capital = true;
    } else if (c == '~') {
      to += write_article(to, raw->data + i + 1, raw->size - i - 1, capital);
      capital = false;
    } else {
      *to++ = (uint8_t)(capital && is_lower(c) ? c - 'a' + 'A' : c);
      capital = capital && !is_lower(c) && !is_upper(c) && !is_digit(c) && (uint8_t)c < 0x80;
    }
  }
  out->size = (size_t)(to - out->data);
  return AQ_OK;
}

aq_status aq_grammar_append(aq_grammar *grammar, const char *name, aq_buffer *out, aq_error *err) {
  char text[20];
  const size_t length = strlen(name);
  AQ_FAIL_IF(length + 1 >= sizeof text, AQ_ERR_INTERNAL, "the grammar has no rule '%s'", name);
  text[0] = '@';
  memcpy(text + 1, name, length);
  grammar->raw.size = 0;
  AQ_TRY(expand(grammar, text, length + 1, 0, err));
  return finish(&grammar->raw, out, err);
}
