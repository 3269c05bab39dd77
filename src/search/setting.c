/* setting.c - one setting for all codes. Its bytes are known, and its loss is predicted as for any other search; what
 * it is worth on texts is measured for a few of them. */
#include "search/setting.h"

#include "core/error.h"
#include "search/cost.h"
#include "search/format_choice.h"

typedef struct setting {
  const aq_code_choice *choice;
  double bits, loss; /* of all items */
} setting;

typedef struct setting_list {
  setting of[AQ_CODE_CHOICES_MAX]; /* by bits */
  size_t count;
} setting_list;

static void insert_setting(setting_list *list, const setting *s) {
  size_t at = list->count++;
  for (; at > 0 && list->of[at - 1].bits > s->bits; at--) list->of[at] = list->of[at - 1];
  list->of[at] = *s;
}

/* Those that all items can have. */
static aq_status list_settings(aq_search_problem *problem, setting_list *out, aq_error *err) {
  *out = (setting_list){.count = 0};
  for (size_t i = 0; i < problem->layout->choice_count; i++) {
    setting s = {.choice = &problem->layout->choices[i]};
    if (!aq_format_fits_all(problem, s.choice)) continue;
    problem->setting = s.choice;
    AQ_TRY(aq_search_problem_estimate(problem, 0, err));
    s.bits = aq_search_problem_bits(problem);
    for (size_t k = 0; k < problem->count; k++) s.loss += problem->items[k].loss;
    insert_setting(out, &s);
  }
  return AQ_OK;
}

/* What takes more bits has to lose less. */
static void drop_worse(setting_list *list) {
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++) {
    if (kept == 0 || list->of[i].loss < list->of[kept - 1].loss) list->of[kept++] = list->of[i];
  }
  list->count = kept;
}

static aq_status make_candidate(aq_search_problem *problem, aq_search_backend *backend, const setting *s,
                                double *similarity, aq_error *err) {
  problem->setting = s->choice;
  problem->lambda = 0;
  AQ_TRY(backend->ops->make_candidate(backend, err));
  return backend->ops->adjust != NULL ? backend->ops->adjust(backend, similarity, err) : AQ_OK;
}

aq_status aq_setting_search_size(aq_search_problem *problem, aq_search_backend *backend, const aq_budget *budget,
                                 const aq_quantize_options *options, aq_error *err) {
  setting_list list;
  double unused;
  size_t best = 0;
  AQ_TRY(list_settings(problem, &list, err));
  AQ_FAIL_IF(list.count == 0, AQ_ERR_INTERNAL, "the format has no setting that all matrices can have");
  if (list.of[0].bits > budget->bits) return aq_budget_fail_too_small(budget, options, list.of[0].bits, err);
  for (size_t i = 1; i < list.count && list.of[i].bits <= budget->bits; i++) {
    if (list.of[i].loss < list.of[best].loss) best = i;
  }
  return make_candidate(problem, backend, &list.of[best], &unused, err);
}

/* The first of the list that has the similarity on held-out texts, by halving; list->count: none. *last: the one that
 * was made last. */
static aq_status find_first(aq_search_problem *problem, aq_search_backend *backend, const setting_list *list,
                            double similarity, size_t *first, size_t *last, double *reached, aq_error *err) {
  size_t low = 0, high = list->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    AQ_TRY(make_candidate(problem, backend, &list->of[middle], reached, err));
    *last = middle;
    if (*reached >= similarity) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  *first = high;
  return AQ_OK;
}

aq_status aq_setting_search_quality(aq_search_problem *problem, aq_search_backend *backend, double similarity,
                                    double *reached, aq_error *err) {
  setting_list list;
  double held;
  size_t first, last = SIZE_MAX;
  *reached = -1;
  AQ_TRY(list_settings(problem, &list, err));
  drop_worse(&list);
  AQ_TRY(find_first(problem, backend, &list, similarity, &first, &last, reached, err));
  for (size_t i = first; i < list.count; i++) {
    if (last != i) AQ_TRY(make_candidate(problem, backend, &list.of[i], &held, err));
    last = i;
    AQ_TRY(backend->ops->confirm(backend, reached, err));
    if (*reached >= similarity) return AQ_OK;
  }
  return AQ_OK;
}
