/* safetensors_sink.h - one .safetensors file as a sink. The header comes first in that format, so every tensor and all
 * metadata are there before the first byte is written. */
#ifndef AQ_IO_SAFETENSORS_SAFETENSORS_SINK_H
#define AQ_IO_SAFETENSORS_SAFETENSORS_SINK_H

#include "io/sink.h"

/* Values only, in the order in which they were declared. Offsets of the data begin at a multiple of 8. */
extern const aq_sink_type aq_safetensors_sink;

#endif
