/* gathering.h - statistics from texts, whatever they are of: texts are cut, put into groups as large as memory allows,
 * and all groups go through one layer before the next, forward and then back: the parameters and the sums of one layer
 * are in memory, the hidden states before every layer in a file (core/scratch.h). What a step is, a kind says. */
#ifndef AQ_CALIB_FISHER_GATHERING_H
#define AQ_CALIB_FISHER_GATHERING_H

#include "calib/fisher/stats.h"
#include "calib/fisher/text_groups.h"

typedef struct aq_gathering aq_gathering;

/* Steps take the group at hand from its hidden states, or the gradients there, to the next: rows of tokens x hidden,
 * which are put into `state` and `gradient` before, and taken from there afterwards. */
typedef struct aq_gathering_kind {
  uint32_t max_tokens;        /* of a text, when the options say nothing */
  size_t group_tokens;        /* that run at once, memory permitting */
  aq_group_bytes count_bytes; /* ctx: the gathering, which has its texts and layers */
  /* Once, when group_tokens of the texts is known. */
  aq_status (*make_room)(aq_gathering *gathering, aq_error *err);
  /* Before each step of a group: so many texts from texts.first on. forward: the step is `embed` or `run_layer`. */
  aq_status (*begin)(aq_gathering *gathering, size_t texts, bool forward, aq_error *err);
  float *(*state)(const aq_gathering *gathering);
  float *(*gradient)(const aq_gathering *gathering);

  aq_status (*embed)(aq_gathering *gathering, aq_error *err); /* to the state before layer 0 */
  /* To the state behind it. A layer that is run several times is one for each run here and below: `run` is a number of
   * those. */
  aq_status (*run_layer)(aq_gathering *gathering, uint32_t run, aq_error *err);
  /* From the state before the last layer through it, to what is differentiated, and back: as return_layer. */
  aq_status (*turn)(aq_gathering *gathering, uint32_t run, aq_error *err);
  /* From the state before a layer and the gradient behind it to the gradient before it; what the layer's linears read
   * and what came back to them is added to the sums. */
  aq_status (*return_layer)(aq_gathering *gathering, uint32_t run, aq_error *err);
  aq_status (*return_input)(aq_gathering *gathering, aq_error *err); /* the same, of the tables and what follows them */
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

  aq_scratch *states; /* hidden states of all tokens before each layer, and their gradients behind the layer at hand */
  uint32_t runs, run; /* of layers: all, and the one at hand */
  size_t group_texts, group_tokens; /* of the group at hand */
  uint64_t first_token;             /* of it, in all texts */
  aq_progress *progress;            /* NULL: nobody is told */
  uint64_t passes, done, told;      /* over all texts; those that are done; tokens that were told */
};

/* As aq_stats_gather says. What the kind has of its own is the caller's to free, also after a failure. */
AQ_MUST_CHECK aq_status aq_gathering_run(aq_gathering *gathering, const int32_t *const *ids, const uint32_t *lengths,
                                         size_t texts, const aq_stats_options *options, aq_progress *progress,
                                         aq_error *err);

#endif
