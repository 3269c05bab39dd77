/* decoder_tape_buffers.h - what a pass of a decoder keeps: one block of memory, laid out anew for each group, and a
 * layer as the pass walks it. */
#ifndef AQ_MODEL_RUN_DECODER_TAPE_BUFFERS_H
#define AQ_MODEL_RUN_DECODER_TAPE_BUFFERS_H

#include "model/nn/gemm.h"
#include "model/run/decoder_tape.h"

/* The activations of a layer, a row per token each, in the order in which they are made. */
typedef enum aq_decoder_slot {
  AQ_DECODER_INPUT = 0,     /* the stream */
  AQ_DECODER_ATTENTION_IN,  /* normed */
  AQ_DECODER_QKV,           /* as the linears give them */
  AQ_DECODER_PLACED,        /* queries and keys normed and turned, and the values */
  AQ_DECODER_CONTEXT,       /* what attention gives */
  AQ_DECODER_ATTENTION_OUT, /* before a norm of its own */
  AQ_DECODER_MIDDLE,        /* the stream */
  AQ_DECODER_FFN_IN,        /* normed */
  AQ_DECODER_GATE_UP,       /* as the linears give them */
  AQ_DECODER_WIDE,          /* activation(gate) * up */
  AQ_DECODER_FFN_OUT,       /* before a norm of its own */
  AQ_DECODER_OUTPUT,        /* the stream */
  AQ_DECODER_SLOTS
} aq_decoder_slot;

/* Its linears, those that read the same activation as one. */
typedef enum aq_decoder_part {
  AQ_DECODER_PART_QKV = 0,
  AQ_DECODER_PART_ATTENTION_OUT,
  AQ_DECODER_PART_GATE_UP,
  AQ_DECODER_PART_DOWN,
  AQ_DECODER_PARTS
} aq_decoder_part;

typedef enum aq_decoder_gain {
  AQ_DECODER_GAIN_ATTENTION = 0,
  AQ_DECODER_GAIN_FFN,
  AQ_DECODER_GAIN_ATTENTION_POST,
  AQ_DECODER_GAIN_FFN_POST,
  AQ_DECODER_GAIN_QUERY,
  AQ_DECODER_GAIN_KEY,
  AQ_DECODER_GAINS
} aq_decoder_gain;

typedef struct aq_decoder_tape_buffers {
  /* one entry per layer and one more, and one per weight, for as many as there is room for */
  float **hidden;
  size_t layer_room;
  aq_tape_linear *linear;
  aq_decoder_norm *norm;
  size_t weight_room;
  size_t *first; /* text_room + 1 */
  size_t text_room;

  float *memory; /* `capacity` floats; all below is in it */
  size_t capacity;
  float *final;                      /* tokens x hidden */
  float *value[AQ_DECODER_SLOTS];    /* of the layer at hand; input and output are hidden states */
  float *gradient[AQ_DECODER_SLOTS]; /* input and output take turns. WIDE: none, a row block has it by itself */
  float *d_final;
  float *angles[AQ_ROPES_MAX][2]; /* by set of frequencies: positions x 2 half */
  float *gains;                   /* AQ_DECODER_GAINS of gain_stride, and the final norm's */
  size_t gain_stride;
  float *panels;  /* of a layer's products */
  float *scratch; /* of `scratch_stride` floats a thread */
  size_t scratch_stride;
  float *logits, *d_logits; /* a block of tokens x vocabulary */
} aq_decoder_tape_buffers;

/* A layer with its parameters. */
typedef struct aq_decoder_walk {
  const aq_decoder_tape *tape;
  const aq_params *params;
  aq_decoder_tape_buffers *buffers;
  const aq_kernels *kernels;
  uint32_t layer;
  const aq_layer_spec *spec;
  aq_gemm product[AQ_DECODER_PARTS];   /* forward or backward */
  const float *gain[AQ_DECODER_GAINS]; /* as the norm multiplies with; NULL: the model has no such norm */
  bool without_output;                 /* forward: what the backward pass reads is made, and that is not the output */
} aq_decoder_walk;

/* Roles of the parts and gains in a family that has them: of qkv the first, or the one of all. */
aq_role aq_decoder_part_role(const aq_model *model, uint32_t layer, aq_decoder_part part);
aq_role aq_decoder_gain_role(aq_decoder_gain gain);

/* Values of a token. */
size_t aq_decoder_slot_width(const aq_model *model, aq_decoder_slot slot);

/* A walk, and its products prepared for one direction. */
aq_decoder_walk aq_decoder_walk_of(const aq_decoder_tape *tape, const aq_params *params, uint32_t layer);
AQ_MUST_CHECK aq_status aq_decoder_walk_prepare(aq_decoder_walk *walk, bool backward, aq_error *err);

/* gain_stride floats from the parameters, with what is added to a gain. */
const float *aq_decoder_final_gain(const aq_decoder_tape *tape, const aq_params *params);

/* The layer's forward pass: value[INPUT] to value[OUTPUT]. */
AQ_MUST_CHECK aq_status aq_decoder_walk_forward(aq_decoder_walk *walk, aq_error *err);

/* Gradients at the last hidden states from a loss, into `out`, tokens x hidden. */
AQ_MUST_CHECK aq_status aq_decoder_head_backward(const aq_decoder_tape *tape, const aq_params *params,
                                                 const aq_decoder_loss *loss, float *out, aq_error *err);

/* Rows of a head that are prepared together, and columns of it in the backward pass with what is summed at a time. */
#define AQ_HEAD_ROWS ((size_t)128)
#define AQ_HEAD_DEPTH ((size_t)512)
size_t aq_decoder_head_scratch(const aq_model *model);

/* The tokens of a pass in blocks, for steps that treat each token by itself. */
size_t aq_decoder_blocks(const aq_decoder_tape *tape);
void aq_decoder_rows(const aq_decoder_tape *tape, size_t block, size_t *first, size_t *rows);

/* Cosines and sines of position `position` of a text of `length` tokens in the walk's layer; NULL: it has none. */
const float *aq_decoder_angles(const aq_decoder_walk *walk, size_t length, size_t position);

/* The text that a token of the group belongs to. */
size_t aq_decoder_text_of(const aq_decoder_tape *tape, size_t token);

static inline aq_decoder_tape_buffers *aq_decoder_buffers_of(const aq_decoder_tape *tape) { return tape->buffers; }

#endif
