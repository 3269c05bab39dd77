/* corpus_forms.c - English words in their forms.
 *
 * Rules of spelling (y to ie, silent e, doubled consonant) with tables of the exceptions that the lists of words have.
 * Of several words a verb changes the first, a noun the last, or the one before "of". */
#include "calib/corpus/corpus_forms.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

/* base, past, participle */
/* clang-format off */
static const char *const irregular_verbs[][3] = {
    {"be", "was", "been"}, {"beat", "beat", "beaten"}, {"become", "became", "become"}, {"begin", "began", "begun"},
    {"bend", "bent", "bent"}, {"bet", "bet", "bet"}, {"bite", "bit", "bitten"}, {"bleed", "bled", "bled"},
    {"blow", "blew", "blown"}, {"break", "broke", "broken"}, {"breed", "bred", "bred"},
    {"broadcast", "broadcast", "broadcast"}, {"build", "built", "built"}, {"burst", "burst", "burst"},
    {"buy", "bought", "bought"}, {"cast", "cast", "cast"}, {"catch", "caught", "caught"},
    {"choose", "chose", "chosen"}, {"cost", "cost", "cost"}, {"cut", "cut", "cut"}, {"deal", "dealt", "dealt"},
    {"dig", "dug", "dug"}, {"draw", "drew", "drawn"}, {"drink", "drank", "drunk"}, {"drive", "drove", "driven"},
    {"eat", "ate", "eaten"}, {"fall", "fell", "fallen"}, {"feed", "fed", "fed"}, {"feel", "felt", "felt"},
    {"fight", "fought", "fought"}, {"find", "found", "found"}, {"fit", "fitted", "fitted"}, {"flee", "fled", "fled"},
    {"fly", "flew", "flown"}, {"forecast", "forecast", "forecast"}, {"forget", "forgot", "forgotten"},
    {"forgive", "forgave", "forgiven"}, {"freeze", "froze", "frozen"}, {"grind", "ground", "ground"},
    {"grow", "grew", "grown"}, {"hang", "hung", "hung"}, {"hide", "hid", "hidden"}, {"hit", "hit", "hit"},
    {"hold", "held", "held"}, {"hurt", "hurt", "hurt"}, {"keep", "kept", "kept"}, {"kneel", "knelt", "knelt"},
    {"knit", "knitted", "knitted"}, {"lay", "laid", "laid"}, {"lead", "led", "led"}, {"leave", "left", "left"},
    {"lend", "lent", "lent"}, {"lie", "lay", "lain"}, {"lose", "lost", "lost"}, {"make", "made", "made"},
    {"mean", "meant", "meant"}, {"melt", "melted", "melted"}, {"mow", "mowed", "mown"},
    {"overtake", "overtook", "overtaken"}, {"overthrow", "overthrew", "overthrown"},
    {"overwrite", "overwrote", "overwritten"}, {"panic", "panicked", "panicked"}, {"pay", "paid", "paid"},
    {"prove", "proved", "proven"}, {"put", "put", "put"}, {"read", "read", "read"}, {"rebuild", "rebuilt", "rebuilt"},
    {"ride", "rode", "ridden"}, {"ring", "rang", "rung"}, {"rise", "rose", "risen"}, {"run", "ran", "run"},
    {"say", "said", "said"}, {"seek", "sought", "sought"}, {"sell", "sold", "sold"}, {"set", "set", "set"},
    {"sew", "sewed", "sewn"}, {"shake", "shook", "shaken"}, {"shear", "sheared", "shorn"},
    {"shine", "shone", "shone"}, {"show", "showed", "shown"}, {"shrink", "shrank", "shrunk"},
    {"sing", "sang", "sung"}, {"sink", "sank", "sunk"}, {"sit", "sat", "sat"}, {"sleep", "slept", "slept"},
    {"sow", "sowed", "sown"}, {"speak", "spoke", "spoken"}, {"spend", "spent", "spent"}, {"spit", "spat", "spat"},
    {"split", "split", "split"}, {"spread", "spread", "spread"}, {"stand", "stood", "stood"},
    {"steal", "stole", "stolen"}, {"sting", "stung", "stung"}, {"sweep", "swept", "swept"}, {"swim", "swam", "swum"},
    {"take", "took", "taken"}, {"teach", "taught", "taught"}, {"tear", "tore", "torn"}, {"tell", "told", "told"},
    {"think", "thought", "thought"}, {"throw", "threw", "thrown"}, {"understand", "understood", "understood"},
    {"uphold", "upheld", "upheld"}, {"upset", "upset", "upset"}, {"wear", "wore", "worn"}, {"win", "won", "won"},
    {"withdraw", "withdrew", "withdrawn"}, {"write", "wrote", "written"},
};

static const char *const irregular_plurals[][2] = {
    {"person", "people"}, {"child", "children"}, {"foot", "feet"}, {"tooth", "teeth"}, {"goose", "geese"},
    {"mouse", "mice"}, {"sheep", "sheep"}, {"fish", "fish"}, {"salmon", "salmon"}, {"series", "series"},
    {"species", "species"}, {"spacecraft", "spacecraft"}, {"headquarters", "headquarters"}, {"leaf", "leaves"},
    {"half", "halves"}, {"shelf", "shelves"}, {"wolf", "wolves"}, {"thief", "thieves"}, {"calf", "calves"},
    {"scarf", "scarves"}, {"hoof", "hooves"}, {"elf", "elves"}, {"knife", "knives"}, {"wife", "wives"},
    {"bacterium", "bacteria"}, {"spectrum", "spectra"}, {"matrix", "matrices"}, {"vertex", "vertices"},
    {"nucleus", "nuclei"}, {"radius", "radii"}, {"potato", "potatoes"}, {"tomato", "tomatoes"}, {"hero", "heroes"},
    {"mosquito", "mosquitoes"}, {"volcano", "volcanoes"}, {"veto", "vetoes"}, {"stomach", "stomachs"},
    {"monarch", "monarchs"}, {"quiz", "quizzes"}, {"passer-by", "passers-by"}, {"barracks", "barracks"},
};
/* clang-format on */

/* Verbs of several syllables whose last consonant is doubled. */
static const char *const doubled[] = {
    "abet",  "acquit", "admit",  "babysit", "begin", "cancel", "commit",   "confer",   "control", "debug",  "distil",
    "emit",  "enrol",  "forget", "fuel",    "infer", "kidnap", "occur",    "overlap",  "permit",  "prefer", "quarrel",
    "rebel", "recur",  "refer",  "regret",  "repel", "submit", "transfer", "transmit", "travel",  "unwrap", "worship"};

static bool is(const char *word, size_t length, const char *other) {
  return strlen(other) == length && memcmp(word, other, length) == 0;
}

static bool is_vowel(char c) { return c != 0 && strchr("aeiou", c) != NULL; }

static bool ends(const char *word, size_t length, const char *end) {
  const size_t n = strlen(end);
  return length >= n && memcmp(word + length - n, end, n) == 0;
}

static bool consonant_y(const char *word, size_t length) {
  return length >= 2 && word[length - 1] == 'y' && !is_vowel(word[length - 2]);
}

/* One vowel letter in all, before one consonant at the end ("stop"), or in the table. */
static bool doubles(const char *word, size_t length) {
  for (size_t i = 0; i < AQ_COUNT_OF(doubled); i++) {
    if (is(word, length, doubled[i])) return true;
  }
  if (length < 3 || is_vowel(word[length - 1]) || strchr("wxy", word[length - 1]) != NULL) return false;
  size_t vowels = 0;
  for (size_t i = 0; i < length; i++) {
    const bool after_q = i > 0 && word[i - 1] == 'q';
    vowels += (is_vowel(word[i]) && !after_q) || (word[i] == 'y' && i > 0);
  }
  return vowels == 1 && is_vowel(word[length - 2]);
}

static aq_status append_two(aq_buffer *out, const char *word, size_t length, const char *end, aq_error *err) {
  AQ_TRY(aq_buffer_append(out, word, length, err));
  return aq_buffer_append(out, end, strlen(end), err);
}

static aq_status append_s(aq_buffer *out, const char *word, size_t length, bool verb, aq_error *err) {
  if (consonant_y(word, length)) return append_two(out, word, length - 1, "ies", err);
  if (ends(word, length, "sis")) return append_two(out, word, length - 2, "es", err);
  const bool hisses = ends(word, length, "s") || ends(word, length, "x") || ends(word, length, "z") ||
                      ends(word, length, "ch") || ends(word, length, "sh") ||
                      (verb && ends(word, length, "o") && !ends(word, length, "oo"));
  return append_two(out, word, length, hisses ? "es" : "s", err);
}

static aq_status append_plural(aq_buffer *out, const char *word, size_t length, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(irregular_plurals); i++) {
    if (is(word, length, irregular_plurals[i][0])) return append_two(out, "", 0, irregular_plurals[i][1], err);
  }
  if (ends(word, length, "man") && !is(word, length, "human") && !is(word, length, "shaman")) {
    return append_two(out, word, length - 2, "en", err);
  }
  return append_s(out, word, length, false, err);
}

static aq_status append_ed(aq_buffer *out, const char *word, size_t length, char form, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(irregular_verbs); i++) {
    if (is(word, length, irregular_verbs[i][0])) {
      return append_two(out, "", 0, irregular_verbs[i][form == 'd' ? 1 : 2], err);
    }
  }
  if (word[length - 1] == 'e') return append_two(out, word, length, "d", err);
  if (consonant_y(word, length)) return append_two(out, word, length - 1, "ied", err);
  if (doubles(word, length)) AQ_TRY(aq_buffer_append(out, word, length, err));
  return doubles(word, length) ? append_two(out, word + length - 1, 1, "ed", err)
                               : append_two(out, word, length, "ed", err);
}

static aq_status append_ing(aq_buffer *out, const char *word, size_t length, aq_error *err) {
  if (ends(word, length, "ie")) return append_two(out, word, length - 2, "ying", err);
  const bool silent = ends(word, length, "e") && !ends(word, length, "ee") && !ends(word, length, "ye") && length > 2;
  if (silent) return append_two(out, word, length - 1, "ing", err);
  if (doubles(word, length)) AQ_TRY(aq_buffer_append(out, word, length, err));
  return doubles(word, length) ? append_two(out, word + length - 1, 1, "ing", err)
                               : append_two(out, word, length, "ing", err);
}

static aq_status append_word(aq_buffer *out, const char *word, size_t length, char form, aq_error *err) {
  switch (form) {
    case 's':
      return append_plural(out, word, length, err);
    case '3':
      return is(word, length, "have") ? append_two(out, "has", 3, "", err) : append_s(out, word, length, true, err);
    case 'd':
    case 'n':
      return append_ed(out, word, length, form, err);
    case 'g':
      return append_ing(out, word, length, err);
    default:
      return aq_buffer_append(out, word, length, err);
  }
}

/* The word among several that changes: [*begin, *end). */
static void changing_word(const char *text, size_t length, char form, size_t *begin, size_t *end) {
  *begin = 0;
  *end = length;
  for (size_t i = 0; i < length; i++) {
    if (text[i] != '_') continue;
    const bool of = length - i > 3 && memcmp(text + i, "_of_", 4) == 0;
    if (form != 's' || of) {
      *end = i;
      return;
    }
    *begin = i + 1;
  }
}

aq_status aq_form_append(aq_buffer *out, const char *word, size_t length, char form, aq_error *err) {
  size_t begin, end;
  changing_word(word, length, form, &begin, &end);
  const size_t at = out->size;
  if (form == 0 || begin == end) {
    AQ_TRY(aq_buffer_append(out, word, length, err));
  } else {
    AQ_TRY(aq_buffer_append(out, word, begin, err));
    AQ_TRY(append_word(out, word + begin, end - begin, form, err));
    AQ_TRY(aq_buffer_append(out, word + end, length - end, err));
  }
  for (size_t i = at; i < out->size; i++) {
    if (out->data[i] == '_') out->data[i] = ' ';
  }
  return AQ_OK;
}

bool aq_form_takes_an(const char *text, size_t length) {
  static const char *const with_an[] = {"hour", "honest", "heir", "honour", "x-ray", "8", "11,", "18"};
  static const char *const with_a[] = {"uni", "use", "usu", "eu", "one", "once",
                                       "uto", "ura", "Uni", "Eu", "Ukr", "Uru"};
  for (size_t i = 0; i < AQ_COUNT_OF(with_an); i++) {
    if (length >= strlen(with_an[i]) && memcmp(text, with_an[i], strlen(with_an[i])) == 0) return true;
  }
  static const char *const again[] = {"unin", "unim", "uniden"}; /* "uni" as in "un-" */
  for (size_t i = 0; i < AQ_COUNT_OF(again); i++) {
    if (length >= strlen(again[i]) && memcmp(text, again[i], strlen(again[i])) == 0) return true;
  }
  for (size_t i = 0; i < AQ_COUNT_OF(with_a); i++) {
    if (length >= strlen(with_a[i]) && memcmp(text, with_a[i], strlen(with_a[i])) == 0) return false;
  }
  return length > 0 && text[0] != 0 && strchr("aeiouAEIOU", text[0]) != NULL;
}
