/* text_groups.h - the texts that statistics are gathered from, cut to a length, in groups that run together. */
#ifndef AQ_CALIB_FISHER_TEXT_GROUPS_H
#define AQ_CALIB_FISHER_TEXT_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_text_groups {
  const int32_t *const *ids;
  uint32_t *lengths; /* cut */
  size_t texts;
  uint64_t tokens; /* of all texts */
  uint32_t longest;
  size_t group_tokens; /* at most in a group */
  size_t first;        /* text of the group at hand */
} aq_text_groups;

/* ids outlive it. AQ_ERR_ARGUMENT when there are no texts, or for one without tokens. To be reset, also after a
 * failure. */
AQ_MUST_CHECK aq_status aq_text_groups_cut(aq_text_groups *groups, const int32_t *const *ids, const uint32_t *lengths,
                                           size_t texts, uint32_t most, aq_error *err);
void aq_text_groups_reset(aq_text_groups *groups);

/* Bytes that all takes with groups of so many tokens. */
typedef aq_status (*aq_group_bytes)(const void *ctx, size_t group_tokens, uint64_t *bytes, aq_error *err);

/* Sets group_tokens: `tokens`, or less so that all fits into max_memory bytes (0: no limit), but one text at least.
 * AQ_ERR_MEMORY when that does not fit; the message is about statistics of layer_count of `layers` layers. */
AQ_MUST_CHECK aq_status aq_text_groups_fit(aq_text_groups *groups, size_t tokens, uint64_t max_memory,
                                           aq_group_bytes count_bytes, const void *ctx, uint32_t layer_count,
                                           uint32_t layers, aq_error *err);

/* Texts of the group that begins at `first`, and their tokens; 0 behind the last. */
size_t aq_text_groups_count(const aq_text_groups *groups, size_t *tokens);

#endif
