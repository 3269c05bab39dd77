/* heads.c - the table of the heads, one line each. */
#include "model/arch/heads.h"

#include <stddef.h>

const aq_head aq_head_pooler = {
    .dense = "pooler.dense", .of_encoder = true, .activation = "tanh", .classifier = "classifier"};
const aq_head aq_head_albert = {
    .dense = "pooler", .of_encoder = true, .activation = "tanh", .classifier = "classifier"};
const aq_head aq_head_roberta = {
    .dense = "classifier.dense", .activation = "tanh", .classifier = "classifier.out_proj"};
const aq_head aq_head_electra = {
    .dense = "classifier.dense", .activation = "gelu", .classifier = "classifier.out_proj"};
const aq_head aq_head_distilbert = {.dense = "pre_classifier", .activation = "relu", .classifier = "classifier"};
const aq_head aq_head_deberta = {
    .dense = "pooler.dense", .activation_key = "pooler_hidden_act", .classifier = "classifier"};
const aq_head aq_head_modernbert = {.dense = "head.dense",
                                    .activation_key = "classifier_activation",
                                    .bias_key = "classifier_bias",
                                    .pooling_key = "classifier_pooling",
                                    .norm = "head.norm",
                                    .classifier = "classifier"};
