/* triangle_update.c - products on and below the diagonal, block by block. */
#include "calib/fisher/triangle_update.h"

#include "calib/fisher/triangle.h"
#include "core/compiler.h"
#include "kernels/kernels.h"

/* A block: rows that are a multiple of what the kernels take at once (14, 6), few enough that 1,000 columns of them
 * stay in the second-level cache while the panels pass by; columns so that small matrices still make work for several
 * threads. */
#define BLOCK_ROWS ((size_t)126)
#define BLOCK_COLUMNS ((size_t)8 * AQ_PANEL)

typedef struct update {
  const aq_triangle_product *products;
} update;

/* Blocks of a row of them that reaches up to column `columns`. */
static size_t blocks_across(size_t columns) { return (columns + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS; }

static size_t blocks_of(size_t n) {
  size_t count = 0;
  for (size_t row = 0; row < n; row += BLOCK_ROWS) count += blocks_across(AQ_MIN(row + BLOCK_ROWS, n));
  return count;
}

/* The block at row and column of a product. */
static void add_block(const aq_triangle_product *p, size_t row, size_t first_column) {
  const size_t rows = AQ_MIN(p->n - row, BLOCK_ROWS), end = AQ_MIN(row + rows, first_column + BLOCK_COLUMNS);
  float sums[BLOCK_ROWS * AQ_PANEL];
  for (size_t column = first_column; column < end; column += AQ_PANEL) {
    const size_t count = AQ_MIN(end - column, (size_t)AQ_PANEL);
    const size_t above = column > row ? column - row : 0; /* rows of the block that end before the column */
    const aq_dense_f32 d = {.m = rows - above,
                            .n = count,
                            .k = p->k,
                            .a = p->rows + (row + above) * p->ld,
                            .lda = p->ld,
                            .panels = p->panels + column * p->k,
                            .c = sums + above * AQ_PANEL,
                            .ldc = AQ_PANEL};
    aq_kernels_get()->dense_f32(&d);
    for (size_t i = above; i < rows; i++) {
      const size_t below = AQ_MIN(count, row + i + 1 - column);
      float *to = p->to + aq_triangle_row(row + i) + column;
      for (size_t j = 0; j < below; j++) to[j] += sums[i * AQ_PANEL + j];
    }
  }
}

static aq_status update_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_triangle_product *p = ((const update *)ctx)->products;
  size_t block = (size_t)item, row = 0;
  (void)worker;
  (void)err;
  while (block >= blocks_of(p->n)) block -= blocks_of(p++->n);
  while (block >= blocks_across(AQ_MIN(row + BLOCK_ROWS, p->n))) {
    block -= blocks_across(AQ_MIN(row + BLOCK_ROWS, p->n));
    row += BLOCK_ROWS;
  }
  add_block(p, row, block * BLOCK_COLUMNS);
  return AQ_OK;
}

aq_status aq_triangle_update(aq_pool *pool, const aq_triangle_product *products, size_t count, aq_error *err) {
  update u = {products};
  size_t blocks = 0;
  for (size_t i = 0; i < count; i++) blocks += blocks_of(products[i].n);
  return aq_pool_run(pool, blocks, update_item, &u, err);
}
