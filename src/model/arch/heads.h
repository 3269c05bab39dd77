/* heads.h - heads for the classification of sequences: what makes scores ("logits") of a model's hidden states. They
 * are those of the classes *ForSequenceClassification of Hugging Face transformers, and a family says which one it has.
 */
#ifndef AQ_MODEL_ARCH_HEADS_H
#define AQ_MODEL_ARCH_HEADS_H

#include <stdbool.h>

/* One token, or the mean, goes through a dense layer as wide as the hidden states, its activation, in some a norm, and
 * then the classifier, a linear with an output for each label. Names are those of tensors, without ".weight". */
typedef struct aq_head {
  const char *dense;
  bool of_encoder;        /* the name of the dense layer has what stands before the encoder's names ("bert.") */
  const char *activation; /* of the dense layer; NULL: that of the key `activation_key` */
  const char *activation_key, *bias_key, *pooling_key; /* keys of config.json that the head reads; NULL: none */
  const char *norm;                                    /* behind the activation; NULL: none */
  const char *classifier;
} aq_head;

extern const aq_head aq_head_pooler;     /* BERT's: the pooler, then the classifier */
extern const aq_head aq_head_albert;     /* the same under ALBERT's names */
extern const aq_head aq_head_roberta;    /* dense and tanh in the classifier */
extern const aq_head aq_head_electra;    /* the same with gelu */
extern const aq_head aq_head_distilbert; /* dense and relu before the classifier */
extern const aq_head aq_head_deberta;    /* a pooler outside of the encoder */
extern const aq_head aq_head_modernbert; /* that of its language model, a norm included, then the classifier */

#endif
