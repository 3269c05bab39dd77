/* tape_gradient.c - gradients of an encoder's parameters: sums over the tokens of a pass. */
#include "core/compiler.h"
#include "model/run/tape_buffers.h"
#include "model/run/tape_linear_gradient.h"

aq_status aq_tape_linear_gradient(const aq_tape *tape, const aq_tape_linear *linear, bool add, float *dw, float *db,
                                  aq_error *err) {
  const aq_tape_buffers *b = aq_tape_buffers_of(tape);
  const aq_gradient_room room = {.turned = b->rows, .columns = b->columns};
  return aq_linear_gradient(linear, tape->tokens, &room, add, dw, db, tape->pool, err);
}

/* ---- norms ---- */

#define COLUMNS ((size_t)64) /* whose sums are held at a time */

void aq_tape_norm_gradient(const aq_tape *tape, const aq_tape_norm *norm, size_t n, bool add, float *d_gain,
                           float *d_shift) {
  for (size_t first = 0; first < n; first += COLUMNS) {
    const size_t columns = AQ_MIN(n - first, COLUMNS);
    double gain[COLUMNS] = {0}, shift[COLUMNS] = {0};
    for (size_t t = 0; t < tape->tokens; t++) {
      const float *dy = norm->dy + t * n + first, *z = norm->z + t * n + first;
      for (size_t i = 0; i < columns; i++) {
        gain[i] += (double)dy[i] * (double)z[i];
        shift[i] += (double)dy[i];
      }
    }
    for (size_t i = 0; i < columns; i++) {
      d_gain[first + i] = (add ? d_gain[first + i] : 0) + (float)gain[i];
      if (d_shift != NULL) d_shift[first + i] = (add ? d_shift[first + i] : 0) + (float)shift[i];
    }
  }
}
