/* gathering.h - statistics from texts, whatever they are of: texts are cut, put into groups as large as memory allows,
 * and go through the model group by group. What a group adds, a kind says. */
#ifndef AQ_CALIB_FISHER_GATHERING_H
#define AQ_CALIB_FISHER_GATHERING_H

#include "calib/fisher/stats.h"
#include "calib/fisher/text_groups.h"

typedef struct aq_gathering aq_gathering;

typedef struct aq_gathering_kind {
  uint32_t max_tokens;        /* of a text, when the options say nothing */
  size_t group_tokens;        /* that run at once, memory permitting */
  aq_group_bytes count_bytes; /* ctx: the gathering, which has its texts and layers */
  /* Once, when group_tokens of the texts is known. */
  aq_status (*make_room)(aq_gathering *gathering, aq_error *err);
  /* Adds all texts to the sums of `out`, in the order of the groups; what is counted of `progress`, which may be NULL,
   * is all texts and tokens. */
  aq_status (*add_texts)(aq_gathering *gathering, aq_progress *progress, aq_error *err);
} aq_gathering_kind;

/* What the gathering of each kind begins with. The caller sets the first group, the rest is set while it runs. */
struct aq_gathering {
  const aq_gathering_kind *kind;
  const aq_params *params;
  aq_pool *pool;
  aq_stats *out;

  aq_text_groups texts;
  uint32_t first_layer, layer_count;
  uint64_t seed;
  const aq_stats_options *options;
};

/* A step of the group of `texts` texts from texts.first on, which has `tokens` tokens. */
typedef aq_status (*aq_gathering_step)(aq_gathering *gathering, size_t texts, size_t tokens, aq_error *err);
AQ_MUST_CHECK aq_status aq_gathering_each_group(aq_gathering *gathering, aq_gathering_step step, aq_error *err);

/* As aq_stats_gather says. What the kind has of its own is the caller's to free, also after a failure. */
AQ_MUST_CHECK aq_status aq_gathering_run(aq_gathering *gathering, const int32_t *const *ids, const uint32_t *lengths,
                                         size_t texts, const aq_stats_options *options, aq_progress *progress,
                                         aq_error *err);

#endif
