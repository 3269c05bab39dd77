/* solve.c - finding lambda for a size or a similarity: secants on a scale where the curve is nearly straight, kept
 * inside a bracket that shrinks.
 *
 * A position t runs towards what keeps to the target: t = ln lambda for a size, -ln lambda for a similarity. A height y
 * falls with t and is nearly straight where rates are high: size / target, since a factor 4 of lambda is one bit a
 * weight; and ln((1 - similarity) / (1 - target)), since the loss is about proportional to lambda. The target is y <=
 * goal; aimed at is the middle of what the slack allows. Every point that was evaluated either keeps to the target or
 * does not, so the bracket (one of each) is right however noisy the curve is.
 *
 * Lambdas have 12 significant bits: the last bits of a machine's logarithm must not decide a byte of a file. */
#include "search/solve.h"

#include <math.h>

#include "core/error.h"

typedef struct point {
  double lambda, t, y, value;
} point;

typedef struct track {
  const aq_solve_options *search;
  aq_solve_fn fn;
  void *ctx;
  double sign;        /* of ln lambda in t */
  double goal, floor; /* heights: the target, and the lowest that uses it well enough */
  double slope;       /* of y over t, < 0: assumed first, then that of the last two points */
  double first, last; /* the ends of t: nothing of the target is kept to before first; the best is at last */
  point over, under;  /* nearest so far that does not, and that does keep to the target */
  bool has_over, has_under;
  uint32_t evaluations;
  uint32_t slow; /* steps in a row that shrank the bracket by less than half */
} track;

static const double assumed_slope_size = -.25, assumed_slope_loss = -1;
static const double widest_step = 4, first_width = 1; /* of ln lambda: one and two bits per weight are 1.4 and 2.8 */
static const double edge = .05;                       /* steps keep this part of the bracket away from its ends */
static const double tiniest_loss = 1e-12;

void aq_solve_options_init(aq_solve_options *search) {
  *search = (aq_solve_options){.lowest = 1e-14, .highest = 1, .slack = .03, .most = 12};
}

static double round_lambda(double lambda) {
  int exponent;
  const double fraction = frexp(lambda, &exponent);
  return ldexp(rint(ldexp(fraction, 12)), exponent - 12);
}

/* The ends of the interval are taken as they are. */
static double lambda_at(const track *k, double t) {
  if (t >= k->last) return k->sign > 0 ? k->search->highest : k->search->lowest;
  const double lambda = round_lambda(exp(k->sign * t));
  return fmin(fmax(lambda, k->search->lowest), k->search->highest);
}

static double height_of(const track *k, double value) {
  if (k->sign > 0) return value / k->search->target;
  return log(fmax(1 - value, tiniest_loss) / (1 - k->search->target));
}

static aq_status evaluate_lambda(track *k, double lambda, point *out, aq_error *err) {
  double value = 0;
  AQ_TRY(k->fn(k->ctx, lambda, &value, err));
  AQ_FAIL_IF(!isfinite(value), AQ_ERR_INTERNAL, "lambda %g gives no finite value", lambda);
  ++k->evaluations;
  *out = (point){.lambda = lambda, .t = k->sign * log(lambda), .y = height_of(k, value), .value = value};
  return AQ_OK;
}

static void learn_slope(track *k, const point *a, const point *b) {
  if (a->t == b->t) return;
  const double slope = (b->y - a->y) / (b->t - a->t);
  if (slope < 0) k->slope = slope;
}

/* Puts a point into the bracket. */
static void add_to_bracket(track *k, const point *p) {
  const bool bracketed = k->has_over && k->has_under;
  const double width = k->under.t - k->over.t;
  if (k->has_over) learn_slope(k, &k->over, p);
  if (k->has_under) learn_slope(k, &k->under, p);
  if (p->y <= k->goal) {
    k->under = *p;
    k->has_under = true;
  } else {
    k->over = *p;
    k->has_over = true;
  }
  if (bracketed) k->slow = k->under.t - k->over.t > width / 2 ? k->slow + 1 : 0;
}

/* Inside the bracket: a straight line between its ends, or its middle when lines do not help. */
static double step_inside(const track *k, double aim) {
  const double width = k->under.t - k->over.t;
  if (k->slow >= 2) return k->over.t + width / 2;
  const double part = (k->over.y - aim) / (k->over.y - k->under.y);
  return k->over.t + width * fmin(fmax(part, edge), 1 - edge);
}

/* From one point on, where the other kind has not been seen. A miss by little still moves on by a little. */
static double step_outside(const track *k, double aim) {
  const point *from = k->has_under ? &k->under : &k->over;
  const double far = (double)k->evaluations * widest_step;
  const double length = fmin(fmax(fabs((aim - from->y) / k->slope), first_width / 16), far);
  return k->has_under ? fmax(from->t - length, k->first) : fmin(from->t + length, k->last);
}

/* The lambda to try next. False when none is left between those that were tried. */
static bool next_lambda(const track *k, double *lambda) {
  const double aim = (k->goal + k->floor) / 2;
  const bool last_chance = !k->has_under && k->evaluations + 1 == k->search->most;
  double t = k->has_over && k->has_under ? step_inside(k, aim) : step_outside(k, aim);
  if (last_chance) t = k->last;
  *lambda = lambda_at(k, t);
  return !(k->has_over && *lambda == k->over.lambda) && !(k->has_under && *lambda == k->under.lambda);
}

static aq_status check_options(const aq_solve_options *s, bool of_size, aq_error *err) {
  AQ_FAIL_IF(!(s->lowest > 0 && s->lowest <= s->highest && isfinite(s->highest)), AQ_ERR_ARGUMENT,
             "bounds of lambda %g and %g: they must be above 0 and in order", s->lowest, s->highest);
  AQ_FAIL_IF(of_size && !(s->target > 0 && isfinite(s->target)), AQ_ERR_ARGUMENT, "target size %g: it must be above 0",
             s->target);
  AQ_FAIL_IF(!of_size && !(s->target < 1 && isfinite(s->target)), AQ_ERR_ARGUMENT,
             "target similarity %g: it must be below 1", s->target);
  AQ_FAIL_IF(!(s->slack >= 0 && s->slack < 1), AQ_ERR_ARGUMENT, "slack %g: it must be from 0 to below 1", s->slack);
  AQ_FAIL_IF(s->most < 2, AQ_ERR_ARGUMENT, "%u evaluations are too few: at least 2", s->most);
  return AQ_OK;
}

static double first_lambda(const aq_solve_options *s) {
  const double wish = s->start > 0 ? s->start : sqrt(s->lowest) * sqrt(s->highest);
  return fmin(fmax(round_lambda(wish), s->lowest), s->highest);
}

static aq_status run_track(track *k, aq_solve_result *result, aq_error *err) {
  double lambda = first_lambda(k->search);
  do {
    point p;
    AQ_TRY(evaluate_lambda(k, lambda, &p, err));
    add_to_bracket(k, &p);
  } while (k->evaluations < k->search->most && !(k->has_under && k->under.y >= k->floor) && next_lambda(k, &lambda));
  const point *best = k->has_under ? &k->under : &k->over;
  *result = (aq_solve_result){k->has_under, best->lambda, best->value, k->evaluations};
  return AQ_OK;
}

aq_status aq_solve_size(const aq_solve_options *search, aq_solve_fn size, void *ctx, aq_solve_result *result,
                        aq_error *err) {
  AQ_TRY(check_options(search, true, err));
  track k = {.search = search, .fn = size, .ctx = ctx, .sign = 1, .slope = assumed_slope_size};
  k.goal = 1;
  k.floor = 1 - search->slack;
  k.first = log(search->lowest);
  k.last = log(search->highest);
  return run_track(&k, result, err);
}

aq_status aq_solve_quality(const aq_solve_options *search, aq_solve_fn similarity, void *ctx, aq_solve_result *result,
                           aq_error *err) {
  AQ_TRY(check_options(search, false, err));
  track k = {.search = search, .fn = similarity, .ctx = ctx, .sign = -1, .slope = assumed_slope_loss};
  k.goal = 0;
  k.floor = log1p(-search->slack);
  k.first = -log(search->highest);
  k.last = -log(search->lowest);
  return run_track(&k, result, err);
}
