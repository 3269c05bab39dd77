/* gguf_merges.c - all ways to cut the tokens of a vocabulary into two of its tokens. */
#include "io/gguf/gguf_merges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

typedef struct merge_list {
  const aq_gguf_strings *tokens;
  const float *scores;
  aq_strmap ids;
  aq_gguf_merge *merges;
  size_t count, room;
} merge_list;

static aq_status add_merge(merge_list *list, const aq_gguf_merge *merge, aq_error *err) {
  if (list->count == list->room) {
    const size_t room = list->room == 0 ? 1024 : list->room * 2;
    aq_gguf_merge *bigger = aq_realloc_array(list->merges, room, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, room * sizeof *bigger);
    list->merges = bigger;
    list->room = room;
  }
  list->merges[list->count++] = *merge;
  return AQ_OK;
}

static bool begins_character(char c) { return ((unsigned char)c & 0xC0) != 0x80; }

static uint32_t count_characters(const char *text) {
  uint32_t count = 0;
  for (; *text != '\0'; text++) count += begins_character(*text);
  return count;
}

static aq_status cut_token(merge_list *list, size_t token, aq_error *err) {
  const char *text = aq_gguf_string(list->tokens, token);
  const size_t size = strlen(text);
  AQ_FAIL_IF(size > AQ_GGUF_CUT_MAX, AQ_ERR_UNSUPPORTED,
             "token %zu has %zu bytes; merges can be derived for tokens of up to %d", token, size, AQ_GGUF_CUT_MAX);
  char left[AQ_GGUF_CUT_MAX + 1];
  const uint32_t characters = count_characters(text);
  aq_gguf_merge m = {.token = (uint32_t)token, .score = list->scores != NULL ? list->scores[token] : -(float)token};
  AQ_FAIL_IF(!isfinite(m.score), AQ_ERR_FORMAT, "the score of token %zu is not finite", token);
  for (size_t cut = 1; cut < size; cut++) {
    left[cut - 1] = text[cut - 1];
    if (!begins_character(text[cut])) continue;
    left[cut] = '\0';
    m.left++;
    if (aq_strmap_get(&list->ids, left) < 0 || aq_strmap_get(&list->ids, text + cut) < 0) continue;
    m.cut = (uint32_t)cut;
    m.right = characters - m.left;
    AQ_TRY(add_merge(list, &m, err));
  }
  return AQ_OK;
}

static int compare_merges(const void *pa, const void *pb) {
  const aq_gguf_merge *a = pa, *b = pb;
  if (a->score > b->score || a->score < b->score) return a->score > b->score ? -1 : 1;
  if (a->left != b->left) return a->left > b->left ? -1 : 1;
  if (a->right != b->right) return a->right > b->right ? -1 : 1;
  return (a->token > b->token) - (a->token < b->token);
}

static aq_status add_ids(merge_list *list, aq_error *err) {
  for (size_t i = 0; i < list->tokens->count; i++) {
    int64_t existing = -1;
    AQ_TRY(aq_strmap_add(&list->ids, aq_gguf_string(list->tokens, i), (int64_t)i, &existing, err));
    AQ_FAIL_IF(existing >= 0, AQ_ERR_FORMAT, "tokens %lld and %zu are both '%.60s'", (long long)existing, i,
               aq_gguf_string(list->tokens, i));
  }
  return AQ_OK;
}

aq_status aq_gguf_merges_derive(const aq_gguf_strings *tokens, const float *scores, aq_gguf_merge **out, size_t *count,
                                aq_error *err) {
  merge_list list = {.tokens = tokens, .scores = scores};
  *out = NULL;
  *count = 0;
  aq_status status = add_ids(&list, err);
  for (size_t i = 0; i < tokens->count && status == AQ_OK; i++) status = cut_token(&list, i, err);
  aq_strmap_reset(&list.ids);
  if (status != AQ_OK) {
    aq_free(list.merges);
    return status;
  }
  if (list.count > 0) qsort(list.merges, list.count, sizeof *list.merges, compare_merges);
  *out = list.merges;
  *count = list.count;
  return AQ_OK;
}
