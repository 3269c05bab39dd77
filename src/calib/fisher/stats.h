/* stats.h - what calibration texts say about a model: how much its outputs feel an error of each weight.
 *
 * Of an encoder, for text t let g = d(v . embedding)/dy at the output y of a linear, v ~ N(0, I), and x its input; X, G
 * the rows of all tokens of the text. Then a = mean over texts of X^T (G G^T) X    in x in g = mean over texts of G^T
 * (X X^T) G out x out and an error E of the weights loses about tr(g E a E^T) / (2 tr a) of cosine
 * (docs/CALIBRATION.md). Cross-token terms are kept. Of a layer that is run several times, sums are over its runs, and
 * terms between runs are left out. What a decoder's are, calib/fisher/decoder_stats.h says. All
 * matrices are symmetric, and held as lower triangles (calib/fisher/triangle.h). */
#ifndef AQ_CALIB_FISHER_STATS_H
#define AQ_CALIB_FISHER_STATS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "core/progress.h"
#include "core/scratch.h"
#include "model/params.h"

typedef struct aq_linear_stats {
  float *a, *g;           /* as above. g of a decoder's linear is the diagonal alone, `out` values */
  float *moments, *first; /* mean over tokens, and over first tokens, of x x^T / |x|^2; in x in. Linears that read the
                             same activation share them: all point to those of the first. Of decoders there is no
                             `first` */
  uint64_t a_at, g_at, moments_at, first_at; /* in the scratch file, when there is one: the matrices are NULL then, but
                                                while their layer is being added to */
} aq_linear_stats;

typedef struct aq_stats {
  uint64_t texts, tokens;
  uint32_t longest;       /* tokens of the longest text: later positions have no gradient */
  const char *texts_from; /* "built-in", "list", "file" or "self"; NULL: nobody said. It is saved with the statistics */
  const aq_model *model;  /* outlives the statistics */
  uint32_t first_layer, layer_count; /* those whose linears have statistics */
  aq_scratch *scratch;               /* that has the matrices of linears, and outlives this; NULL: memory has */
  aq_linear_stats *linear;           /* by weight of the model's list; NULLs for what is none of those linears */
  /* encoders: width of the tables squared, mean over texts of D^T D, D = gradient at the sum of a token's rows;
   * decoders: mean over tokens of d d^T, d = gradient at the row of the table. NULL without the first layer */
  float *word_g;
  float *word_counts;  /* vocabulary: how often a token occurred; the sum is that of all texts that were counted */
  float *position_g;   /* encoders: positions: mean over texts of |D|^2 at the token that took that row of the table.
                          NULL without such a table, and as word_g */
  float *word_squares; /* decoders: vocabulary: the sum of |d|^2 over where a token occurred. NULL as word_g */
  /* decoders, of the head: hidden x hidden, and vocabulary. NULL without the last layer */
  float *head_a, *head_rows;
} aq_stats;

typedef struct aq_stats_options {    /* zeroes are defaults */
  uint32_t max_tokens;               /* texts are cut there: 96, never more than the model has positions */
  uint32_t first_layer, layer_count; /* only the linears of these layers; count 0: of all that follow */
  uint64_t max_memory; /* with the parameters; 0: no limit. Otherwise fewer texts at a time; sums are rounded
                          differently then */
  uint64_t seed;       /* of v */
  aq_scratch *scratch; /* for the statistics; NULL: they stay in memory */
  const char *beside;  /* a path in whose folder a temporary file may be; NULL: see core/scratch.h */
} aq_stats_options;

/* ids, lengths: the texts as token ids. NULL options: defaults. In `progress`, which may be NULL, a text counts as a
 * tensor and a token as a byte. The result does not depend on the number of threads. AQ_ERR_MEMORY when the parameters,
 * the statistics and one text take more than max_memory: what a model has of all layers together may be taken a few
 * layers at a time, the same texts running again for each. AQ_ERR_NONFINITE when the model gives NaN or infinity. */
AQ_MUST_CHECK aq_status aq_stats_gather(const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                                        size_t texts, const aq_stats_options *options, aq_pool *pool,
                                        aq_progress *progress, aq_stats *out, aq_error *err);
void aq_stats_reset(aq_stats *stats);

/* Whether a weight of the list is a linear of those layers, or the one behind the tables, which comes with the first.
 */
bool aq_stats_has_linear(const aq_stats *stats, uint32_t weight);

/* Copies an array of a linear, which has it, from memory or the scratch file: triangles of its columns, and of `g` as
 * it is held. */
AQ_MUST_CHECK aq_status aq_stats_read_a(const aq_stats *stats, uint32_t weight, float *to, aq_error *err);
AQ_MUST_CHECK aq_status aq_stats_read_g(const aq_stats *stats, uint32_t weight, float *to, aq_error *err);
AQ_MUST_CHECK aq_status aq_stats_read_moments(const aq_stats *stats, uint32_t weight, float *to, aq_error *err);
AQ_MUST_CHECK aq_status aq_stats_read_first(const aq_stats *stats, uint32_t weight, float *to, aq_error *err);

/* Counts words in these texts instead of in those that were run: counting costs next to nothing, and what a row of the
 * word table is worth is known the better the more texts are counted. AQ_ERR_ARGUMENT for ids that the model has not.
 */
AQ_MUST_CHECK aq_status aq_stats_count_words(aq_stats *stats, const int32_t *const *ids, const uint32_t *lengths,
                                             size_t texts, aq_error *err);

/* As a safetensors file (tensor names: those of the weights with ".a", ".g", ...; metadata: counts, a checksum and the
 * fingerprint of the model), and back: refused when it is of another model (AQ_ERR_NO_MATCH) or damaged. Statistics of
 * some layers only are not saved. scratch: as in the options. */
AQ_MUST_CHECK aq_status aq_stats_save(const aq_stats *stats, const char *path, bool force, aq_error *err);
AQ_MUST_CHECK aq_status aq_stats_load(const char *path, const aq_model *model, aq_scratch *scratch, aq_stats *out,
                                      aq_error *err);

#endif
