/* tape_buffers.h - what a pass keeps: one block of memory, laid out anew for each group, and the arrays that point
 * there.
 */
#ifndef AQ_MODEL_RUN_TAPE_BUFFERS_H
#define AQ_MODEL_RUN_TAPE_BUFFERS_H

#include "model/nn/gemm.h"
#include "model/run/tape.h"

typedef struct aq_tape_layer_buffers {
  float *value[AQ_SLOTS]; /* tokens x width of the slot. What a norm reads becomes its z */
  float *scale[AQ_SLOTS]; /* of what a norm reads, tokens: 1 / deviation */
} aq_tape_layer_buffers;

typedef struct aq_tape_buffers {
  /* one entry per layer (hidden: one more), and one per weight, for as many as there is room for */
  aq_tape_layer_buffers *layers;
  float **hidden;
  size_t layer_room;
  aq_tape_linear *linear;
  aq_tape_norm *norm;
  size_t weight_room;
  size_t *first; /* text_room + 1 */
  size_t text_room;

  float *memory; /* `capacity` floats; all below and what the layers point to is in it */
  size_t capacity;
  float *embedding_z, *embedding_scale;
  float *embeddings, *factors; /* texts x hidden, texts: see pooling.h */
  float *d_input;
  float *gradient[AQ_SLOTS]; /* of the layer at hand, as wide as the values. That at its output turns into that at its
                                input, the output of the layer below; the activation's is changed in place */
  float *panels;             /* of a stage */
  float *scratch;            /* of `scratch_stride` floats a thread, for attention */
  size_t scratch_stride;
  float *columns, *rows; /* for the gradient of a linear: x as panels, dy transposed */
} aq_tape_buffers;

/* The tokens of a pass in blocks, for steps that treat each token by itself: an even number for every thread, each
 * small enough for a core's cache. */
size_t aq_tape_blocks(const aq_tape *tape);
void aq_tape_block(const aq_tape *tape, size_t block, size_t *first, size_t *rows);

/* Whether what a step writes is not kept, but made again from what is when the backward pass comes by. */
static inline bool aq_tape_recomputes(const aq_step *step) {
  return step->kind == AQ_STEP_ACTIVATION || (step->kind == AQ_STEP_ADD_NORM && step->out != AQ_SLOT_OUTPUT);
}

/* Rows of a token block of an activation: those from `first` on. */
static inline float *aq_tape_rows(const aq_model *model, float *const values[AQ_SLOTS], aq_slot slot, size_t first) {
  return values[slot] + first * aq_slot_width(model, slot);
}

static inline aq_tape_buffers *aq_tape_buffers_of(const aq_tape *tape) { return tape->buffers; }

#endif
