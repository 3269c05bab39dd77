/* outputs.h - how far two sets of embeddings of the same texts are apart: what a change of the weights did to what the
 * model is for. */
#ifndef AQ_MEASURE_OUTPUTS_H
#define AQ_MEASURE_OUTPUTS_H

#include "arrowquant.h"
#include "core/pool.h"

/* Neighbours of a text that are looked at, and the most texts whose pairs are. Of more texts, evenly spaced ones are
 * taken: pairs grow with the square. */
#define AQ_OUTPUT_NEIGHBOURS ((size_t)10)
#define AQ_OUTPUT_SAMPLE ((size_t)2000)

/* Of `texts` embeddings r (reference) and o (other):
 *   mean, p1, min  of the cosines of r_i and o_i; the percentile lies between two neighbours (distribution.c)
 *   overlap        the share of the 10 nearest neighbours of a text among r that are so among o, mean over the texts.
 *                  Near is a large cosine; of equally near ones the first is nearer; a text is no neighbour of itself.
 *                  Of n texts there are at most n - 1 neighbours
 *   spearman       rank correlation of the cosines of all pairs among r with those among o
 * A figure over nothing (one text has no neighbours) is NaN. Cosines are those of metrics.h, but 0 when an embedding
 * holds NaN or an infinity. The same at any number of threads. */
typedef struct aq_output_figures {
  size_t texts;
  double mean, p1, min;
  size_t worst;               /* the text with the smallest cosine, the first of equals */
  size_t sampled, neighbours; /* texts and neighbours of each that overlap and spearman are about */
  double overlap, spearman;
} aq_output_figures;

/* reference, other: texts x dimension. cosines: one a text, out. */
AQ_MUST_CHECK aq_status aq_output_compare(const float *reference, const float *other, size_t texts, size_t dimension,
                                          aq_pool *pool, double *cosines, aq_output_figures *out, aq_error *err);

/* Cosine of vectors 2i and 2i + 1, for each pair i. */
void aq_output_pairs(const float *vectors, size_t pairs, size_t dimension, double *cosines);

#endif
