/* text_groups.c - texts in groups, as many at a time as memory allows. */
#include "calib/fisher/text_groups.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

aq_status aq_text_groups_cut(aq_text_groups *groups, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                             uint32_t most, aq_error *err) {
  *groups = (aq_text_groups){.ids = ids, .texts = texts};
  AQ_FAIL_IF(texts == 0, AQ_ERR_ARGUMENT, "there are no texts to gather statistics from");
  groups->lengths = aq_calloc(texts, sizeof *groups->lengths);
  if (groups->lengths == NULL) return aq_fail_memory(err, texts * sizeof *groups->lengths);
  for (size_t t = 0; t < texts; t++) {
    AQ_FAIL_IF(lengths[t] == 0, AQ_ERR_ARGUMENT, "text %zu has no tokens", t);
    groups->lengths[t] = AQ_MIN(lengths[t], most);
    groups->tokens += groups->lengths[t];
    groups->longest = AQ_MAX(groups->longest, groups->lengths[t]);
  }
  return AQ_OK;
}

void aq_text_groups_reset(aq_text_groups *groups) {
  aq_free(groups->lengths);
  *groups = (aq_text_groups){0};
}

aq_status aq_text_groups_fit(aq_text_groups *groups, size_t tokens, uint64_t max_memory, aq_group_bytes count_bytes,
                             const void *ctx, uint32_t layer_count, uint32_t layers, aq_error *err) {
  groups->group_tokens = (size_t)AQ_MAX(AQ_MIN((uint64_t)tokens, groups->tokens), (uint64_t)groups->longest);
  if (max_memory == 0) return AQ_OK;
  uint64_t needed;
  AQ_TRY(count_bytes(ctx, groups->group_tokens, &needed, err));
  while (groups->group_tokens > groups->longest && needed > max_memory) {
    groups->group_tokens = AQ_MAX(groups->group_tokens / 2, groups->longest);
    AQ_TRY(count_bytes(ctx, groups->group_tokens, &needed, err));
  }
  if (needed <= max_memory) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_MEMORY, "the statistics of %u of %u layers take %llu bytes of memory, the limit is %llu",
                layer_count, layers, (unsigned long long)needed, (unsigned long long)max_memory);
  return aq_error_hint(err, AQ_ERR_MEMORY, "Use `max_memory=%lluMiB` or more%s",
                       (unsigned long long)((needed >> 20) + 1),
                       layer_count > 1 ? ", or take fewer layers at a time" : "");
}

size_t aq_text_groups_count(const aq_text_groups *groups, size_t *tokens) {
  size_t count = 0;
  *tokens = 0;
  while (groups->first + count < groups->texts &&
         *tokens + groups->lengths[groups->first + count] <= groups->group_tokens) {
    *tokens += groups->lengths[groups->first + count++];
  }
  return count;
}
