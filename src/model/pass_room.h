/* pass_room.h - what a pass keeps: one block of memory, laid out anew for each group, and the arrays that point there.
 */
#ifndef AQ_MODEL_PASS_ROOM_H
#define AQ_MODEL_PASS_ROOM_H

#include "model/pass.h"
#include "model/product.h"

typedef struct aq_room_norm {
  float *z, *dy; /* tokens x hidden */
  float *scale;  /* tokens: 1 / deviation */
} aq_room_norm;

/* Tokens x ...; hidden unless said otherwise. */
typedef struct aq_room_layer {
  float *qkv;                                     /* 3 x hidden */
  float *context;                                 /* what attention gives */
  float *middle;                                  /* after the attention norm */
  float *up, *active;                             /* inner: before and after the activation */
  float *d_qkv, *d_attention_out, *d_up, *d_down; /* gradients at the linears' outputs; as wide as those */
  aq_room_norm attention_norm, last_norm;
} aq_room_layer;

typedef struct aq_pass_room {
  /* one entry a layer (hidden: one more), for as many layers as `layer_room` */
  aq_room_layer *layers;
  aq_pass_layer *seen;
  float **hidden;
  size_t layer_room;
  size_t *first; /* text_room + 1 */
  size_t text_room;

  float *memory; /* `capacity` floats; all below and what the layers point to is in it */
  size_t capacity;
  aq_room_norm first_norm;
  float *embeddings, *factors; /* texts x hidden, texts: see pooling.h */
  float *d_input, *d_context;
  float *panels;  /* of a stage */
  float *scratch; /* of `scratch_stride` floats a thread, for attention */
  size_t scratch_stride;
  float *columns, *rows; /* for the gradient of a linear: x as panels, dy transposed */
} aq_pass_room;

/* Distance between the columns of dy transposed: whole cache lines, and not a power of two, at which columns would
 * displace each other. */
size_t aq_pass_column_stride(size_t tokens);

/* The tokens of a pass in blocks, for steps that treat each token by itself: an even number for every thread, each
 * small enough for a core's cache. */
size_t aq_pass_blocks(const aq_pass *pass);
void aq_pass_block(const aq_pass *pass, size_t block, size_t *first, size_t *rows);

static inline aq_pass_room *aq_pass_room_of(const aq_pass *pass) { return pass->room; }

#endif
