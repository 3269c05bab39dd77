/* scale_grid.h - scales and zero points that another format stores without loss: what a fit is rounded to at its end.
 */
#ifndef AQ_QUANT_SCALE_GRID_H
#define AQ_QUANT_SCALE_GRID_H

#include <stdbool.h>

#include "arrowquant.h"

/* "fp16": scales are FP16 numbers. "whole-zeros": zero points are whole codes of the type. "fp16-whole-zeros": both,
 * and scales have seven significant bits, so that the product of a scale and a whole number from 0 to 15 is an FP16
 * number too. */
typedef enum aq_scale_grid {
  AQ_GRID_NONE = 0,
  AQ_GRID_F16,
  AQ_GRID_WHOLE_ZEROS,
  AQ_GRID_F16_WHOLE_ZEROS
} aq_scale_grid;

/* Scale and zero point of a span whose values lie in [min, max], moved to the nearest ones of the grid. A span without
 * a zero inside gets the scale of one that reaches to zero, because its zero point is a code. A scale beyond FP16 stays
 * as it is, which an export then refuses by name; one below its smallest number becomes that. */
void aq_scale_grid_round(aq_scale_grid grid, aq_quant_type type, float min, float max, float *scale, float *zero_point);

bool aq_scale_grid_has_whole_zeros(aq_scale_grid grid);
/* The code that is nearest to a zero point. */
float aq_scale_grid_whole_zero(aq_quant_type type, double zero_point);

/* The words of a plan; NULL of AQ_GRID_NONE, and false for words that are not known. */
const char *aq_scale_grid_name(aq_scale_grid grid);
bool aq_scale_grid_parse(const char *name, aq_scale_grid *out);

#endif
