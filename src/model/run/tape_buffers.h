/* tape_buffers.h - what a pass keeps: one block of memory, laid out anew for each group, and the arrays that point
 * there.
 *
 * A layer that is run several times is kept once for each run: `run` is a number of those, from 0 on. */
#ifndef AQ_MODEL_RUN_TAPE_BUFFERS_H
#define AQ_MODEL_RUN_TAPE_BUFFERS_H

#include "model/nn/attention.h"
#include "model/nn/gemm.h"
#include "model/run/tape.h"

typedef struct aq_tape_layer_buffers {
  float *value[AQ_SLOTS]; /* tokens x width of the slot. What the norm of a sum reads becomes its z */
  /* By what a norm writes: its z, tokens x hidden, and the factor in it, tokens */
  float *z[AQ_SLOTS], *scale[AQ_SLOTS];
} aq_tape_layer_buffers;

typedef struct aq_tape_buffers {
  /* one entry per run (hidden: one more), and one per weight, for as many as there is room for */
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
  float *embedding_z, *embedding_scale; /* of the norm behind the tables; tokens x width of the tables, tokens */
  float *embedded;                      /* what it gives: hidden[0], unless that is projected */
  float *final, *final_z, *final_scale; /* of the norm behind the layers; without it, final: what the last gives */
  float *embeddings, *factors;          /* texts x hidden, texts: see pooling.h */
  float *angles;                        /* 2 x the longest text x width of a head: of rotary positions; NULL without */
  size_t longest;
  float *d_input, *d_embedded, *d_final;
  float *gradient[AQ_SLOTS]; /* of the layer at hand, as wide as the values. That at its input is what a step of a pass
                                begins and ends with, and is copied to its output; an activation's and a sum's are
                                changed in place */
  float *panels;             /* of a stage */
  float *scratch;            /* of `scratch_stride` floats a thread, for attention */
  size_t scratch_stride;
  float *columns, *rows; /* for the gradient of a linear: x as panels, dy transposed */
} aq_tape_buffers;

/* Points tape->linear and tape->norm of the run's layer to its values, and where the pass goes back, to gradients. */
void aq_tape_show_layer(const aq_tape *tape, uint32_t run);

/* The tokens of a pass in blocks, for steps that treat each token by itself: an even number for every thread, each
 * small enough for a core's cache. */
size_t aq_tape_blocks(const aq_tape *tape);
void aq_tape_block(const aq_tape *tape, size_t block, size_t *first, size_t *rows);

/* Whether what a step writes is not kept, but made again from what is when the backward pass comes by. */
static inline bool aq_tape_recomputes(const aq_step *step) {
  return step->kind == AQ_STEP_ACTIVATION || step->kind == AQ_STEP_GATE || step->kind == AQ_STEP_NORM ||
         (step->kind == AQ_STEP_ADD_NORM && step->out != AQ_SLOT_OUTPUT);
}

/* Rows of a token block of an activation: those from `first` on. */
static inline float *aq_tape_rows(const aq_model *model, float *const values[AQ_SLOTS], aq_slot slot, size_t first) {
  return values[slot] + first * aq_slot_width(model, slot);
}

static inline aq_tape_buffers *aq_tape_buffers_of(const aq_tape *tape) { return tape->buffers; }

/* ---- steps that both passes run (tape_steps.c) ---- */

/* Rows of a step that is neither a linear nor attention, nor the norm of a sum. */
void aq_tape_make_rows(const aq_tape *tape, const aq_params *params, uint32_t run, const aq_step *step, size_t first,
                       size_t rows);

/* A head over a text, as it is run. */
aq_head aq_tape_head(const aq_tape *tape, const aq_params *params, uint32_t run, size_t text, size_t head);

/* Fills `angles`. */
void aq_tape_find_angles(const aq_tape *tape, const aq_params *params);
/* Of the first token of a text in a run's layer; NULL: its positions are not rotary. */
const float *aq_tape_angles(const aq_tape *tape, uint32_t run);

#endif
