/* corpus_data.h - what the built-in corpus is made of: words by subject, other words, rules. Static storage. */
#ifndef AQ_CALIB_CORPUS_CORPUS_DATA_H
#define AQ_CALIB_CORPUS_CORPUS_DATA_H

#include <stddef.h>

/* Words of one subject; "@n", "@m", ... in a rule. */
typedef enum aq_corpus_part {
  AQ_CORPUS_NOUN,    /* n: counted */
  AQ_CORPUS_MASS,    /* m: not counted */
  AQ_CORPUS_PERSON,  /* p */
  AQ_CORPUS_VERB,    /* v: with an object */
  AQ_CORPUS_VERB_IN, /* i: without */
  AQ_CORPUS_QUALITY, /* a: adjectives */
  AQ_CORPUS_PARTS
} aq_corpus_part;
#define AQ_CORPUS_PART_NAMES "nmpvia"

typedef struct aq_corpus_domain {
  const char *name;
  const char *words[AQ_CORPUS_PARTS]; /* separated by spaces */
} aq_corpus_domain;

typedef struct aq_corpus_list {
  const char *name;
  const char *text; /* words separated by spaces, or the alternatives of a rule separated by bars */
} aq_corpus_list;

extern const aq_corpus_domain aq_corpus_domains[]; /* the last is general: every subject uses its words */
extern const size_t aq_corpus_domain_count;
extern const aq_corpus_list aq_corpus_words[];
extern const size_t aq_corpus_word_count;
extern const aq_corpus_list aq_corpus_phrases[];
extern const size_t aq_corpus_phrase_count;
extern const aq_corpus_list aq_corpus_languages[];
extern const size_t aq_corpus_language_count;

#endif
