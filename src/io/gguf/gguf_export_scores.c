/* gguf_export_scores.c - the merges of a tokenizer.json, compared with all ways to cut its tokens, and put in order. */
#include "io/gguf/gguf_export_scores.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "io/gguf/gguf_merges.h"

static const float found_before = -1000; /* the score of what is found before a text is cut */

typedef struct score_job {
  const aq_gguf_token_job *job;
  aq_strmap ids;         /* of the vocabulary; added tokens beside it are none of its */
  aq_gguf_merge *merges; /* of the file, in their order, without those that make an added token */
  size_t count;
  size_t *last; /* by id: one more than the place of the last merge that makes the token; 0: none does */
} score_job;

static bool is_added(const aq_gguf_token_job *job, size_t id) {
  return job->types[id] == AQ_GGUF_TOKEN_CONTROL || job->types[id] == AQ_GGUF_TOKEN_USER;
}

static aq_status refuse_order(aq_error *err) {
  return aq_gguf_export_refuse_tokens("merges in an order that scores of tokens do not give", err);
}

/* ---- the merges of the file ---- */

static uint32_t count_characters(const char *text, size_t size) {
  uint32_t count = 0;
  for (size_t i = 0; i < size; i++) count += ((unsigned char)text[i] & 0xC0) != 0x80;
  return count;
}

/* "LEFT RIGHT" or ["LEFT", "RIGHT"]: both joined in `text`, which is emptied first, and the bytes of the left one. */
static aq_status join_merge(const json_t *merge, aq_buffer *text, uint32_t *cut, aq_error *err) {
  const char *left = json_string_value(json_is_string(merge) ? merge : json_array_get(merge, 0));
  const char *space = json_is_string(merge) ? strchr(left, ' ') : NULL;
  const char *right = space != NULL ? space + 1 : json_string_value(json_array_get(merge, 1));
  AQ_FAIL_IF(left == NULL || right == NULL, AQ_ERR_FORMAT, "a merge is no pair of texts");
  const size_t size = space != NULL ? (size_t)(space - left) : strlen(left);
  text->size = 0;
  *cut = (uint32_t)AQ_MIN(size, (size_t)UINT32_MAX);
  AQ_TRY(aq_buffer_append(text, left, size, err));
  return aq_buffer_append(text, right, strlen(right) + 1, err);
}

static aq_status read_merge(score_job *j, const json_t *merge, aq_buffer *text, aq_error *err) {
  aq_gguf_merge m = {0};
  AQ_TRY(join_merge(merge, text, &m.cut, err));
  const char *joined = (const char *)text->data;
  const int64_t id = aq_strmap_get(&j->ids, joined);
  AQ_FAIL_IF(id < 0, AQ_ERR_FORMAT, "a merge makes '%.60s', which is no token", joined);
  if (is_added(j->job, (size_t)id)) return AQ_OK;
  m.token = (uint32_t)id;
  m.left = count_characters(joined, m.cut);
  m.right = count_characters(joined + m.cut, strlen(joined) - m.cut);
  j->merges[j->count++] = m;
  j->last[id] = j->count;
  return AQ_OK;
}

static aq_status read_merges(score_job *j, aq_error *err) {
  const json_t *merges = json_object_get(j->job->model, "merges");
  const size_t count = json_array_size(merges);
  aq_buffer text = {NULL, 0, 0};
  aq_status status = AQ_OK;
  j->merges = aq_calloc(count + 1, sizeof *j->merges);
  j->last = aq_calloc(j->job->count + 1, sizeof *j->last);
  if (j->merges == NULL || j->last == NULL) return aq_fail_memory(err, count * sizeof *j->merges);
  for (size_t i = 0; i < count && status == AQ_OK; i++) status = read_merge(j, json_array_get(merges, i), &text, err);
  aq_buffer_reset(&text);
  return status;
}

/* ---- all ways to cut a token ---- */

/* The vocabulary, and of each text the id. */
static aq_status list_texts(score_job *j, aq_gguf_strings *texts, uint32_t *ids, aq_error *err) {
  const char *text;
  json_t *id;
  texts->at = aq_calloc(j->job->count + 1, sizeof *texts->at);
  if (texts->at == NULL) return aq_fail_memory(err, j->job->count * sizeof *texts->at);
  json_object_foreach((json_t *)json_object_get(j->job->model, "vocab"), text, id) {
    const json_int_t n = json_integer_value(id);
    AQ_TRY(aq_strmap_add(&j->ids, text, (int64_t)n, NULL, err));
    if (is_added(j->job, (size_t)n) && strlen(text) > AQ_GGUF_CUT_MAX) continue; /* which is never cut */
    ids[texts->count] = (uint32_t)n;
    texts->at[texts->count++] = texts->text.size;
    AQ_TRY(aq_buffer_append(&texts->text, text, strlen(text) + 1, err));
  }
  return AQ_OK;
}

static int compare_cuts(const void *pa, const void *pb) {
  const aq_gguf_merge *a = pa, *b = pb;
  if (a->token != b->token) return a->token > b->token ? 1 : -1;
  return (a->cut > b->cut) - (a->cut < b->cut);
}

/* `cuts` are all that there are, of texts by the order of `ids`; they are sorted, and get ids. */
static aq_status compare_with(const score_job *j, aq_gguf_merge *cuts, size_t count, const uint32_t *ids,
                              aq_error *err) {
  size_t kept = 0;
  aq_gguf_merge *own = aq_calloc(j->count + 1, sizeof *own);
  if (own == NULL) return aq_fail_memory(err, j->count * sizeof *own);
  memcpy(own, j->merges, j->count * sizeof *own);
  for (size_t i = 0; i < count; i++) {
    cuts[i].token = ids[cuts[i].token];
    if (!is_added(j->job, cuts[i].token)) cuts[kept++] = cuts[i];
  }
  qsort(own, j->count, sizeof *own, compare_cuts);
  if (kept > 0) qsort(cuts, kept, sizeof *cuts, compare_cuts);
  bool same = kept == j->count;
  for (size_t i = 0; i < kept && same; i++) same = compare_cuts(&own[i], &cuts[i]) == 0;
  aq_free(own);
  return same ? AQ_OK : aq_gguf_export_refuse_tokens("merges that are not all ways to cut a token in two", err);
}

static aq_status check_cuts(const score_job *j, const aq_gguf_strings *texts, const uint32_t *ids, aq_error *err) {
  aq_gguf_merge *cuts;
  size_t count;
  AQ_TRY(aq_gguf_merges_derive(texts, NULL, &cuts, &count, err));
  const aq_status status = compare_with(j, cuts, count, ids, err);
  aq_free(cuts);
  return status;
}

/* ---- scores ---- */

/* Where the group of merges that begins at `first` ends: all merges of its tokens are in it. */
static size_t find_group_end(const score_job *j, size_t first) {
  size_t end = j->last[j->merges[first].token];
  for (size_t i = first; i < end; i++) end = AQ_MAX(end, j->last[j->merges[i].token]);
  return end;
}

/* Of tokens with one score merges are in the order of gguf_merges.h. */
static aq_status check_group(const score_job *j, size_t first, size_t end, aq_error *err) {
  bool is_one = true, is_ordered = true;
  for (size_t i = first + 1; i < end; i++) {
    const aq_gguf_merge *a = &j->merges[i - 1], *b = &j->merges[i];
    is_one = is_one && a->token == b->token;
    is_ordered = is_ordered && (a->left != b->left ? a->left > b->left : a->right >= b->right);
  }
  return is_one || is_ordered ? AQ_OK : refuse_order(err);
}

static aq_status set_scores(const score_job *j, float *scores, aq_error *err) {
  size_t groups = 0;
  for (size_t first = 0, end; first < j->count; first = end) {
    end = find_group_end(j, first);
    AQ_TRY(check_group(j, first, end, err));
    for (size_t i = first; i < end; i++) scores[j->merges[i].token] = -(float)groups;
    groups++;
  }
  for (size_t id = 0; id < j->job->count; id++) {
    if (j->last[id] > 0) continue;
    const bool is_byte = j->job->types[id] == AQ_GGUF_TOKEN_BYTE;
    scores[id] = is_added(j->job, id) ? found_before : is_byte ? 0 : -(float)groups++;
  }
  AQ_FAIL_IF(groups > (size_t)1 << 24, AQ_ERR_UNSUPPORTED, "there are %zu scores, and FP32 tells %d apart", groups,
             1 << 24);
  return AQ_OK;
}

static aq_status make_scores(score_job *j, aq_gguf_strings *texts, uint32_t *ids, float *scores, aq_error *err) {
  AQ_TRY(list_texts(j, texts, ids, err));
  AQ_TRY(read_merges(j, err));
  AQ_TRY(check_cuts(j, texts, ids, err));
  return set_scores(j, scores, err);
}

aq_status aq_gguf_export_scores(const aq_gguf_token_job *job, float *scores, aq_error *err) {
  score_job j = {.job = job};
  aq_gguf_strings texts = {.count = 0};
  uint32_t *ids = aq_calloc(job->count + 1, sizeof *ids);
  const aq_status status =
      ids != NULL ? make_scores(&j, &texts, ids, scores, err) : aq_fail_memory(err, job->count * sizeof *ids);
  aq_gguf_strings_reset(&texts);
  aq_strmap_reset(&j.ids);
  aq_free(j.merges);
  aq_free(j.last);
  aq_free(ids);
  return status;
}
