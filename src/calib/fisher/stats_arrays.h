/* stats_arrays.h - all arrays of the statistics by number: what makes room for them, finishes, saves and loads walks
 * over them. */
#ifndef AQ_CALIB_FISHER_STATS_ARRAYS_H
#define AQ_CALIB_FISHER_STATS_ARRAYS_H

#include "calib/fisher/stats.h"

/* What sums are divided by. A layer that is run several times has inputs in each run. */
typedef enum aq_stats_mean {
  AQ_MEAN_OF_TEXTS,
  AQ_MEAN_OF_TOKENS,
  AQ_MEAN_OF_FIRST_INPUTS, /* texts times runs of a layer */
  AQ_MEAN_OF_INPUTS,       /* tokens times runs of a layer */
  AQ_MEAN_NONE
} aq_stats_mean;

typedef struct aq_stats_array {
  float **values;     /* NULL in there: in the scratch file, at `at` */
  uint64_t *at;       /* NULL: always in memory */
  size_t tensor;      /* the weights that it is about */
  const char *ending; /* of its name */
  size_t n;
  bool matrix; /* n x n and symmetric, as a lower triangle; otherwise n values */
  aq_stats_mean mean;
} aq_stats_array;

size_t aq_stats_array_count(const aq_stats *stats);
/* i in 0 .. count - 1; of a linear's arrays, those that it does not share. */
aq_stats_array aq_stats_array_at(aq_stats *stats, size_t i);
size_t aq_stats_array_floats(const aq_stats_array *array); /* as it is held */

/* Between memory or the scratch file and the caller's memory. */
AQ_MUST_CHECK aq_status aq_stats_array_read(const aq_stats *stats, const aq_stats_array *array, float *to,
                                            aq_error *err);
AQ_MUST_CHECK aq_status aq_stats_array_write(const aq_stats *stats, const aq_stats_array *array, const float *from,
                                             aq_error *err);

/* Makes room, zeroed, for all arrays of layer_count layers from first_layer on. scratch: as in aq_stats_options, or
 * NULL; what is there has to be written. */
AQ_MUST_CHECK aq_status aq_stats_create(aq_stats *out, const aq_model *model, uint32_t first_layer,
                                        uint32_t layer_count, aq_scratch *scratch, aq_error *err);
/* Makes means of the sums in memory, by the counts of the statistics; AQ_ERR_NONFINITE when one is no number. */
AQ_MUST_CHECK aq_status aq_stats_divide(aq_stats *stats, aq_pool *pool, aq_error *err);

/* With a scratch file, around what adds to the sums of a layer, or with AQ_NO_LAYER of the linear behind the tables:
 * they are in memory, zeroed at first; at the end they become means and are written. Without one nothing happens, and
 * aq_stats_divide has the rest. */
AQ_MUST_CHECK aq_status aq_stats_enter_layer(aq_stats *stats, uint32_t layer, aq_error *err);
AQ_MUST_CHECK aq_status aq_stats_leave_layer(aq_stats *stats, uint32_t layer, aq_pool *pool, aq_error *err);

/* Bytes of such room in memory. scratch: whether there is a scratch file. */
uint64_t aq_stats_bytes(const aq_model *model, uint32_t first_layer, uint32_t layer_count, bool scratch);

#endif
