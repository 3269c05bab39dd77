/* params.h - every parameter of a model as plain FP32 arrays that can be changed: what calibration, bias correction
 * and tuning work on. `aq_weights` is the same list prepared for running; this is the one to compute gradients with. */
#ifndef AQ_MODEL_PARAMS_H
#define AQ_MODEL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/description.h"
#include "model/nn/position_bias.h"
#include "model/nn/rope.h"

/* Reads the values of a weight of the list, aq_weight_floats of them. Any thread may call it. */
typedef struct aq_weight_reader {
  aq_status (*read)(const void *ctx, uint32_t weight, float *to, aq_error *err);
  const void *ctx;
} aq_weight_reader;

/* What is held at a time: a layer, by its number, or one of these. */
#define AQ_PART_TOKENS (UINT32_MAX - 1) /* the table of tokens, with the linear behind it, where there is one */
#define AQ_PART_HEAD (UINT32_MAX - 2)   /* the head, which may be the table of tokens */

/* Of parameters that are held a part at a time. */
typedef struct aq_held_part {
  aq_weight_reader reader;
  uint32_t *parts; /* by weight: the part that it belongs to; AQ_NO_LAYER: it is always in memory */
  float *memory;   /* of the part that is held */
  uint32_t part;   /* AQ_NO_LAYER: none is held */
} aq_held_part;

typedef struct aq_params {
  const aq_model *model; /* outlives the parameters */
  float **values;        /* one array a weight of the model's list, aq_weight_floats long; see `held` */
  const float *type;     /* of encoders: row 0 of the token types, as wide as the tables; zeros without them */
  float *memory;         /* what the above point into, in the order of the list; of an overlay, what is replaced */
  size_t count;          /* floats there */
  /* Of encoders that have it: the table of biases by distance as attention reads it. Made when the parameters are
   * loaded or copied; nobody changes that table afterwards. */
  aq_position_bias relative;
  aq_rope rope[2]; /* of encoders that have rotary positions: of layers that see the whole text, and of local ones */
  /* NULL: all values are in memory. Otherwise matrices and tables are there only while their part is held, and `values`
   * of the others are NULL; vectors always are. */
  aq_held_part *held;
} aq_params;

/* Reads all of them. Encoders that a tape does not know are AQ_ERR_UNSUPPORTED: those without layers, whose attention
 * knows distances (nn/disentangled.h), with another pooling than the mean or the first token, with modules behind it,
 * or truncated embeddings. */
AQ_MUST_CHECK aq_status aq_params_load(const aq_model *model, aq_pool *pool, aq_params *out, aq_error *err);
/* The same, but matrices and the table of tokens are read from the source each time that they are held: it takes the
 * memory of one part. */
AQ_MUST_CHECK aq_status aq_params_open(const aq_model *model, aq_pool *pool, aq_params *out, aq_error *err);
/* A copy with memory of its own; what `from` holds by part the copy does too, by the same reader. */
AQ_MUST_CHECK aq_status aq_params_copy(const aq_params *from, aq_params *out, aq_error *err);
/* The same with all values in memory; those that `from` holds by part are read. */
AQ_MUST_CHECK aq_status aq_params_copy_whole(const aq_params *from, aq_pool *pool, aq_params *out, aq_error *err);
/* The values of `from`, all in memory, which outlives it, but for the weights of the list that are `replaced`: they
 * have memory of their own, and begin as copies. So have those of their groups. */
AQ_MUST_CHECK aq_status aq_params_overlay(const aq_params *from, const bool *replaced, aq_params *out, aq_error *err);
void aq_params_reset(aq_params *params);

/* Makes the values of a part be in memory, in the place of those of the part that was held before; nothing when all
 * are. The calling thread's, between passes that use them. Errors are those of the reader. */
AQ_MUST_CHECK aq_status aq_params_hold(const aq_params *params, uint32_t part, aq_pool *pool, aq_error *err);
/* Frees the part that is held, if any. */
void aq_params_release(const aq_params *params);
/* From now on parts come from `reader`, whose ctx outlives the parameters, or the next reader. They are held by part.
 */
void aq_params_set_reader(aq_params *params, aq_weight_reader reader);
/* Reads one weight that is held by part, whichever part is. */
AQ_MUST_CHECK aq_status aq_params_read(const aq_params *params, uint32_t weight, float *to, aq_error *err);
/* Bytes of such parameters: what they always have in memory, and the largest part. */
uint64_t aq_params_open_bytes(const aq_model *model);
/* Of the matrices of the largest layer. */
uint64_t aq_params_layer_bytes(const aq_model *model);
/* Bytes of parameters of either kind, that are no overlay. */
static inline uint64_t aq_params_bytes(const aq_params *params) {
  return params->held != NULL ? aq_params_open_bytes(params->model) : params->count * sizeof(float);
}

/* The values of source tensor `tensor` in the parameters and their number; NULL when the model does not use it, or it
 * is held by part. Of the token types that is row 0 alone. */
float *aq_params_find(const aq_params *params, size_t tensor, size_t *count);

/* y = w x + b. w: out x in, row-major. b NULL: without. */
typedef struct aq_param_linear {
  uint32_t out, in;
  float *w, *b;
} aq_param_linear;

typedef struct aq_param_norm { /* as many values as the norm takes, each */
  float *gain, *shift;         /* shift NULL: without. The gain as it is stored (aq_decoder_config.gains_add_one); NULL:
                                  there is no such norm */
} aq_param_norm;

/* A linear of a layer; the model has it. */
aq_param_linear aq_params_linear(const aq_params *params, uint32_t layer, aq_role role);
/* The one with all linears that read the same activation as one, of which it is the first: query, key and value. */
aq_param_linear aq_params_joined(const aq_params *params, uint32_t layer, aq_role first);
aq_param_norm aq_params_norm(const aq_params *params, uint32_t layer, aq_role role);
/* A table outside of layers; NULL: the model has none. */
float *aq_params_table(const aq_params *params, aq_role role);
/* What a decoder makes its logits with: its head, or the table of tokens where it has none of its own. */
aq_param_linear aq_params_head(const aq_params *params);

#endif
