/* evaluation_pairs.c - pairs of texts: those of lines with a tab, or each text with others. */
#include "ops/evaluate/evaluation_pairs.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

static bool is_pair(const char *text, size_t length) {
  const char *tab = memchr(text, '\t', length);
  return tab != NULL && memchr(tab + 1, '\t', length - (size_t)(tab + 1 - text)) == NULL;
}

static bool are_pairs(const aq_evaluation_texts *texts) {
  for (size_t i = 0; i < texts->plain; i++) {
    if (!is_pair(texts->texts[i], texts->lengths[i])) return false;
  }
  return texts->plain > 0;
}

static aq_status make_room(aq_evaluation_pairs *p, size_t count, aq_error *err) {
  p->texts = aq_calloc(count, 2 * sizeof *p->texts);
  p->lengths = aq_calloc(count, 2 * sizeof *p->lengths);
  p->queries = aq_calloc(count, sizeof *p->queries);
  const bool whole = p->texts != NULL && p->lengths != NULL && p->queries != NULL;
  return whole ? AQ_OK : aq_fail_memory(err, count * 2 * sizeof *p->texts);
}

static void split_texts(const aq_evaluation_texts *t, aq_evaluation_pairs *p) {
  for (size_t i = 0; i < t->plain; i++) {
    const char *text = t->texts[i], *tab = memchr(text, '\t', t->lengths[i]);
    const size_t first = (size_t)(tab - text), at = 2 * i;
    p->texts[at] = text;
    p->lengths[at] = first;
    p->texts[at + 1] = tab + 1;
    p->lengths[at + 1] = t->lengths[i] - first - 1;
    const bool same = i > 0 && p->lengths[at - 2] == first && memcmp(p->texts[at - 2], text, first) == 0;
    p->query_count += same ? 0 : 1;
    p->queries[i] = (uint32_t)p->query_count - 1;
  }
  p->count = t->plain;
}

/* Documents of text i: the text behind it, and from there on every so many further, around the end. */
static void combine_texts(const aq_evaluation_texts *t, size_t documents, aq_evaluation_pairs *p) {
  const size_t n = t->plain, step = (n - 1) / documents;
  p->query_count = AQ_MIN(n, AQ_PAIR_QUERIES);
  for (size_t i = 0; i < p->query_count; i++) {
    for (size_t k = 0; k < documents; k++, p->count++) {
      const size_t document = (i + 1 + k * step) % n;
      p->texts[2 * p->count] = t->texts[i];
      p->lengths[2 * p->count] = t->lengths[i];
      p->texts[2 * p->count + 1] = t->texts[document];
      p->lengths[2 * p->count + 1] = t->lengths[document];
      p->queries[p->count] = (uint32_t)i;
    }
  }
}

aq_status aq_evaluation_pairs_make(const aq_evaluation_texts *texts, aq_evaluation_pairs *out, aq_error *err) {
  *out = (aq_evaluation_pairs){.texts = NULL};
  const bool given = are_pairs(texts);
  AQ_FAIL_IF(!given && texts->plain < 2, AQ_ERR_ARGUMENT,
             "scores are judged by pairs of texts, and there is one text; give lines of a query, a tab and a text, or "
             "more texts");
  const size_t documents = given ? 1 : AQ_MIN(texts->plain - 1, AQ_PAIR_DOCUMENTS);
  const aq_status status =
      make_room(out, given ? texts->plain : AQ_MIN(texts->plain, AQ_PAIR_QUERIES) * documents, err);
  if (status != AQ_OK) {
    aq_evaluation_pairs_reset(out);
  } else if (given) {
    split_texts(texts, out);
  } else {
    combine_texts(texts, documents, out);
  }
  return status;
}

void aq_evaluation_pairs_reset(aq_evaluation_pairs *pairs) {
  aq_free((void *)pairs->texts);
  aq_free(pairs->lengths);
  aq_free(pairs->queries);
  *pairs = (aq_evaluation_pairs){.texts = NULL};
}
