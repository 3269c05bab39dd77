/* panels.h - matrices in the layout that the dense kernels read (kernels.h, AQ_PANEL). */
#ifndef AQ_MODEL_NN_PANELS_H
#define AQ_MODEL_NN_PANELS_H

#include <stddef.h>
#include <stdint.h>

/* Rows of a matrix with n of them, filled up to whole panels. */
size_t aq_panel_rows(size_t n);

/* Puts rows [first, first + rows) of a matrix, `stride` apart at `w`, into its panels of k columns. Different rows may
 * be put by different threads. */
void aq_panels_put_f32(float *panels, size_t k, size_t first, size_t rows, const float *w, size_t stride);
void aq_panels_put_s8(int8_t *panels, size_t k, size_t first, size_t rows, const int8_t *w, size_t stride);

/* Panels of codes of 4 bits, which `w` holds a byte each. Rows r and r + 8 of 16 share bytes, which are zero at first:
 * rows of one 16 may not be put by different threads. */
void aq_panels_put_s4(uint8_t *panels, size_t k, size_t first, size_t rows, const int8_t *w, size_t stride);

/* Puts the transpose of a matrix of n columns and k rows, `stride` apart at `w`: n rows of k in panels, filled up. */
void aq_panels_put_transposed(float *panels, size_t k, size_t n, const float *w, size_t stride);

/* Zeroes rows [first, aq_panel_rows(first)), which fill up the last panel. */
void aq_panels_fill_f32(float *panels, size_t k, size_t first);

#endif
