/* prequantized.h - weights that another tool quantized already. */
#ifndef AQ_IO_PREQUANTIZED_H
#define AQ_IO_PREQUANTIZED_H

#include "io/source.h"

/* Adds notes when config.json beside the source's file has a quantization_config, or when tensors are named as the
 * codes and scales of other tools are. Their values are taken as they are stored. */
AQ_MUST_CHECK aq_status aq_prequantized_note(aq_source *source, aq_error *err);

#endif
