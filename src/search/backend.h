/* backend.h - what tells a search how much an error of each tensor matters, and how candidates are made of it: texts
 * that an encoder is run on (calibrated), or the tensors alone (data-free). The search (search/bit_allocation.h) finds
 * lambda and knows nothing else of either; a further backend is a further file and a line in backends.c. */
#ifndef AQ_SEARCH_BACKEND_H
#define AQ_SEARCH_BACKEND_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "core/progress.h"
#include "quant/encoded.h"
#include "search/problem.h"

typedef struct aq_search_backend aq_search_backend;

/* What a search is given; all of it outlives the backend. */
typedef struct aq_search_setup {
  aq_source *source;
  const aq_quantize_options *options;
  aq_plan *plan;
  const aq_encoded *encoded; /* one per tensor: those that are finished before the search begins, by gptq */
  aq_progress *progress;     /* asked between matrices whether to go on */
} aq_search_setup;

typedef struct aq_search_backend_ops {
  double slack;    /* part of a size that may stay unused */
  uint32_t rounds; /* candidates that are made for a size, at most */

  /* Makes the problem: entries of the plan that the backend excludes are settled, its items are those that are open
   * then, with all that a backend sets. The problem outlives the backend, also after a failure. */
  aq_status (*begin)(aq_search_backend *backend, const aq_search_setup *setup, aq_search_problem *problem,
                     aq_error *err);

  /* A candidate at the problem's lambda, in the place of the one before: bits and losses of the items are those of what
   * the file would have. */
  aq_status (*make_candidate)(aq_search_backend *backend, aq_error *err);

  /* Makes the entries of the plan say what the candidate is, and moves what the plan and the source do not give into
   * encoded, one per tensor. target: for the entries' rules. Tied entries are left to the search. Nothing can be asked
   * afterwards. */
  aq_status (*finish)(aq_search_backend *backend, const char *target, aq_encoded *encoded, aq_error *err);

  /* Adds what is known of the candidate, for the operation's report. */
  aq_status (*report)(aq_search_backend *backend, json_t *report, aq_error *err);
  void (*free)(aq_search_backend *backend); /* accepts one of which nothing was begun */

  /* A backend that runs the model; else they are NULL: */

  /* Once for a candidate: adjusts what is not planned to it, and measures it on held-out texts. */
  aq_status (*adjust)(aq_search_backend *backend, double *similarity, aq_error *err);
  /* On texts that nothing was decided by. */
  aq_status (*confirm)(const aq_search_backend *backend, double *similarity, aq_error *err);
  /* The candidate of a table that an earlier search wrote, adjusted as it was; the problem's lambda becomes 0. */
  aq_status (*resume)(aq_search_backend *backend, const char *table, aq_error *err);
  /* Gradient descent from the candidate on, for as long as the options say. too_large: it takes more bits than the
   * budget (0: none), and is to be given up for what was before. */
  aq_status (*tune)(aq_search_backend *backend, double budget, bool *too_large, aq_error *err);
  /* Adds the second moments (cols x cols) of the inputs of all layers whose weights are this tensor, or are tied to it;
   * *known: false when there is none. Before `begin` only. */
  aq_status (*add_input_moments)(const aq_search_backend *backend, const aq_source *source, size_t tensor,
                                 float *moments, bool *known, aq_error *err);
} aq_search_backend_ops;

struct aq_search_backend {
  const aq_search_backend_ops *ops;
  aq_pool *pool;
  char *why_not_run; /* of a data-free one: why the model is not run; owned; NULL: nobody asked for it */
};

/* The first backend that a search can have. texts: the model is to be run when it can be; without, only when the
 * options name texts or statistics. output: as in aq_calibration_open. The source and the options outlive the backend.
 */
AQ_MUST_CHECK aq_status aq_search_backend_open(const aq_source *source, const aq_quantize_options *options, bool texts,
                                               const char *output, aq_search_backend **out, aq_error *err);
void aq_search_backend_free(aq_search_backend *backend); /* accepts NULL */

/* What backends.c lists. *out: NULL when this backend is not asked for, or cannot be had and nobody insists; *why_not
 * then says why not, in words to be freed with aq_free, or is NULL as before. A backend may take *why_not over. */
typedef aq_status (*aq_search_backend_opener)(const aq_source *source, const aq_quantize_options *options, bool texts,
                                              const char *output, aq_search_backend **out, char **why_not,
                                              aq_error *err);
AQ_MUST_CHECK aq_status aq_calibrated_backend_open(const aq_source *source, const aq_quantize_options *options,
                                                   bool texts, const char *output, aq_search_backend **out,
                                                   char **why_not, aq_error *err);
AQ_MUST_CHECK aq_status aq_data_free_backend_open(const aq_source *source, const aq_quantize_options *options,
                                                  bool texts, const char *output, aq_search_backend **out,
                                                  char **why_not, aq_error *err);

#endif
