/* added_vocabulary.c - the added tokens of a tokenizer while they are added.
 *
 * The rules (AddedVocabulary of `tokenizers`): a token that the vocabulary has keeps that id; another one gets the id
 * after the largest of the added ones, or the number of tokens in the vocabulary if that is larger. A token that is
 * added again with other flags takes these, and is searched for once more; but among the special tokens each text is
 * there once, as normalized or not as when it was added first. */
#include "tokenizer/added_vocabulary.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

void aq_added_vocabulary_reset(aq_added_vocabulary *added) {
  aq_vocab_reset(&added->seen);
  aq_free(added->entries);
  *added = (aq_added_vocabulary){.model = NULL};
}

const aq_added_entry *aq_added_vocabulary_find(const aq_added_vocabulary *added, const char *content) {
  const int32_t at = aq_vocab_find(&added->seen, content, strlen(content));
  return at >= 0 ? &added->entries[at] : NULL;
}

int32_t aq_added_vocabulary_id(const aq_added_vocabulary *added, const char *content) {
  const aq_added_entry *entry = aq_added_vocabulary_find(added, content);
  return entry != NULL ? (int32_t)entry->spec.id : aq_token_model_id_of(added->model, content, strlen(content));
}

static aq_status choose_id(const aq_added_vocabulary *added, const aq_token_spec *spec, int32_t *id, aq_error *err) {
  const int32_t known = aq_added_vocabulary_id(added, spec->content);
  const int64_t size = (int64_t)aq_token_model_count(added->model);
  const int64_t next = added->count > 0 && added->largest >= size ? (int64_t)added->largest + 1 : size;
  const int64_t chosen = known >= 0 ? known : next;
  AQ_FAIL_IF(chosen >= AQ_VOCAB_MAX_ID, AQ_ERR_UNSUPPORTED, "there are too many added tokens");
  AQ_FAIL_IF(spec->id >= 0 && known >= 0 && known != spec->id, AQ_ERR_FORMAT,
             "the added token '%.60s' has the id %lld, but %d in the vocabulary", spec->content, (long long)spec->id,
             (int)known);
  AQ_FAIL_IF(spec->id >= 0 && chosen != spec->id, AQ_ERR_FORMAT,
             "the added token '%.60s' has the id %lld, but the vocabulary goes on with %lld", spec->content,
             (long long)spec->id, (long long)chosen);
  *id = (int32_t)chosen;
  return AQ_OK;
}

static aq_status add_entry(aq_added_vocabulary *added, const aq_token_spec *spec, int32_t id, aq_error *err) {
  if (added->count == added->capacity) {
    const size_t capacity = AQ_MAX(added->capacity * 2, (size_t)16);
    aq_added_entry *bigger = aq_realloc_array(added->entries, capacity, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, capacity * sizeof *bigger);
    added->entries = bigger;
    added->capacity = capacity;
  }
  AQ_TRY(aq_vocab_add(&added->seen, spec->content, strlen(spec->content), (int64_t)added->count, err));
  added->entries[added->count++] = (aq_added_entry){.spec = *spec};
  added->largest = added->count == 1 ? id : AQ_MAX(added->largest, id);
  return AQ_OK;
}

aq_status aq_added_vocabulary_add(aq_added_vocabulary *added, const aq_token_spec *spec, aq_error *err) {
  if (spec->content[0] == '\0') return AQ_OK;
  int32_t id = -1;
  AQ_TRY(choose_id(added, spec, &id, err));
  int32_t at = aq_vocab_find(&added->seen, spec->content, strlen(spec->content));
  if (at < 0) {
    at = (int32_t)added->count;
    AQ_TRY(add_entry(added, spec, id, err));
  }
  aq_added_entry *entry = &added->entries[at];
  entry->spec = *spec;
  entry->spec.id = id;
  entry->special = entry->special || spec->special;
  return AQ_OK;
}
