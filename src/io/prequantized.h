/* prequantized.h - weights that another tool quantized already. */
#ifndef AQ_IO_PREQUANTIZED_H
#define AQ_IO_PREQUANTIZED_H

#include "io/source.h"

/* Adds a note when tensors are the codes and scales of another tool, or when config.json says so of them. A second call
 * does nothing. */
AQ_MUST_CHECK aq_status aq_prequantized_note(aq_source *source, aq_error *err);

#endif
