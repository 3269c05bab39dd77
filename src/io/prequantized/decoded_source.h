/* decoded_source.h - a source whose layers another tool quantized, as a source of their values. */
#ifndef AQ_IO_PREQUANTIZED_DECODED_SOURCE_H
#define AQ_IO_PREQUANTIZED_DECODED_SOURCE_H

#include "io/source.h"

/* Puts in the place of *source, when config.json names a scheme of layer_schemes.inc and the tensors are of it, a
 * source over it that owns it: each of its layers is one tensor of FP32, decoded as it is read; the tensors that it is
 * made of are gone, all others are the same. When no layer with codes is left, config.json reads without its words
 * about quantization. Leaves *source as it is, and adds a note with the reason, for a scheme that is not decoded; and
 * leaves alone tables and parts of a model. AQ_ERR_FORMAT, with *source to be closed all the same: tensors of a layer
 * contradict each other, or the configuration. */
AQ_MUST_CHECK aq_status aq_prequantized_decode(aq_source **source, aq_error *err);

#endif
