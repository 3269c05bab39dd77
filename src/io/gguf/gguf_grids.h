/* gguf_grids.h - the points of the grids that the IQ1, IQ2 and IQ3 types choose from, as ggml fixes them.
 *
 * A point of IQ1 and IQ2 has eight coordinates of two bits, one of IQ3 four of three bits, the first in the lowest
 * bits. A coordinate numbers a value of the type: -1, 0, 1 in IQ1; 8, 25, 43 in IQ2; eight steps in IQ3. */
#ifndef AQ_IO_GGUF_GGUF_GRIDS_H
#define AQ_IO_GGUF_GGUF_GRIDS_H

#include <stdint.h>

extern const uint16_t aq_gguf_grid_iq1[2048];
extern const uint16_t aq_gguf_grid_iq2_xxs[256];
extern const uint16_t aq_gguf_grid_iq2_xs[512];
extern const uint16_t aq_gguf_grid_iq2_s[1024];
extern const uint16_t aq_gguf_grid_iq3_xxs[256];
extern const uint16_t aq_gguf_grid_iq3_s[512];

#endif
