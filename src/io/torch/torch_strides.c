/* torch_strides.c - a range in C order is cut into boxes, and each is read in the order of the file.
 *
 * Element by element in C order, a transposed matrix would take a read of the file for each. So a box is walked with
 * the largest stride outermost: its innermost dimensions lie close together, are read at once as far as they fit into
 * the window, and every element goes where it belongs in the result. */
#include "io/torch/torch_strides.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define WINDOW ((uint64_t)64 << 10)
/* Elements farther apart than this are read one by one. */
#define GAP_MAX ((uint64_t)4096)

/* A dimension of a box: how many elements, and how far apart in the file and in the result. */
typedef struct box_dim {
  uint64_t count, from, to; /* bytes */
} box_dim;

typedef struct box {
  box_dim dims[AQ_MAX_RANK]; /* of more than one element each, the largest `from` first */
  int32_t rank;
  uint64_t size; /* bytes of an element */
} box;

typedef struct reading {
  const aq_file *file;
  uint8_t *window;
} reading;

static void copy_element(const uint8_t *from, uint8_t *to, uint64_t size) {
  switch (size) {
    case 1:
      *to = *from;
      break;
    case 2:
      memcpy(to, from, 2);
      break;
    case 4:
      memcpy(to, from, 4);
      break;
    default:
      memcpy(to, from, 8);
  }
}

/* Copies the dimensions from `dim` on out of a window. */
static void copy_dims(const box *b, int32_t dim, const uint8_t *from, uint8_t *to) {
  if (dim == b->rank) {
    copy_element(from, to, b->size);
    return;
  }
  const box_dim *d = &b->dims[dim];
  for (uint64_t i = 0; i < d->count; i++) {
    const uint8_t *p = from + i * d->from;
    uint8_t *q = to + i * d->to;
    if (dim + 1 == b->rank) {
      copy_element(p, q, b->size);
    } else {
      copy_dims(b, dim + 1, p, q);
    }
  }
}

/* Bytes that the dimensions from `dim` on take in the file, from their first element to the end of their last. */
static uint64_t span_of(const box *b, int32_t dim) {
  uint64_t span = b->size;
  for (int32_t i = dim; i < b->rank; i++) span += (b->dims[i].count - 1) * b->dims[i].from;
  return span;
}

static aq_status read_dims(const reading *r, const box *b, int32_t dim, uint64_t at, uint8_t *out, aq_error *err) {
  const uint64_t span = span_of(b, dim);
  if (span <= WINDOW) {
    AQ_TRY(aq_file_read(r->file, at, (size_t)span, r->window, err));
    copy_dims(b, dim, r->window, out);
    return AQ_OK;
  }
  /* A dimension that is too long is read in pieces, of as many as fit where they lie close together. */
  const uint64_t inner = span_of(b, dim + 1), step = b->dims[dim].from;
  const uint64_t fit = inner <= WINDOW && step <= GAP_MAX && step > 0 ? (WINDOW - inner) / step + 1 : 1;
  box piece = *b;
  for (uint64_t i = 0; i < b->dims[dim].count; i += fit) {
    piece.dims[dim].count = AQ_MIN(fit, b->dims[dim].count - i);
    AQ_TRY(read_dims(r, &piece, fit > 1 ? dim : dim + 1, at + i * step, out + i * b->dims[dim].to, err));
  }
  return AQ_OK;
}

/* Puts a dimension where its stride belongs. */
static void add_dim(box *b, uint64_t count, uint64_t from, uint64_t to) {
  if (count == 1) return;
  int32_t i = b->rank++;
  for (; i > 0 && b->dims[i - 1].from < from; i--) b->dims[i] = b->dims[i - 1];
  b->dims[i] = (box_dim){count, from, to};
}

/* The largest box that begins at element `first` (in C order) and is the next part of `count` elements; returns how
 * many it has. *at is where its first element lies, relative to that of the tensor. */
static uint64_t next_box(const aq_torch_strides *s, uint64_t first, uint64_t count, box *b, uint64_t *at) {
  uint64_t index[AQ_MAX_RANK], rest = first, whole = 1, taken = 1;
  bool is_inner = true;
  *b = (box){.size = s->size};
  *at = 0;
  for (int32_t i = s->rank; i > 0; i--) {
    index[i - 1] = rest % s->shape[i - 1];
    rest /= s->shape[i - 1];
    *at += index[i - 1] * s->stride[i - 1];
  }
  for (int32_t i = s->rank; i > 0 && is_inner; i--) {
    const uint64_t n = AQ_MIN(s->shape[i - 1] - index[i - 1], count / whole);
    add_dim(b, n, s->stride[i - 1], whole * s->size);
    taken = whole * n;
    /* A dimension outside of this one follows only when this one is taken whole. */
    is_inner = n == s->shape[i - 1] && count / taken > 1;
    whole = taken;
  }
  return taken;
}

static aq_status read_elements(const reading *r, uint64_t begin, const aq_torch_strides *s, uint64_t first,
                               uint64_t count, uint8_t *out, aq_error *err) {
  while (count > 0) {
    box b;
    uint64_t at;
    const uint64_t taken = next_box(s, first, count, &b, &at);
    AQ_TRY(read_dims(r, &b, 0, begin + at, out, err));
    first += taken;
    count -= taken;
    out += taken * s->size;
  }
  return AQ_OK;
}

/* Bytes [skip, skip + size) of one element. */
static aq_status read_part(const reading *r, uint64_t begin, const aq_torch_strides *s, uint64_t element, size_t skip,
                           size_t size, uint8_t *out, aq_error *err) {
  uint8_t bytes[8];
  AQ_TRY(read_elements(r, begin, s, element, 1, bytes, err));
  memcpy(out, bytes + skip, size);
  return AQ_OK;
}

static aq_status read_bytes(const reading *r, uint64_t begin, const aq_torch_strides *s, uint64_t offset, size_t size,
                            uint8_t *out, aq_error *err) {
  const size_t skip = (size_t)(offset % s->size);
  if (skip != 0) {
    const size_t n = AQ_MIN(size, s->size - skip);
    AQ_TRY(read_part(r, begin, s, offset / s->size, skip, n, out, err));
    offset += n;
    out += n;
    size -= n;
  }
  const uint64_t first = offset / s->size, count = size / s->size;
  AQ_TRY(read_elements(r, begin, s, first, count, out, err));
  const size_t done = (size_t)count * s->size;
  return size > done ? read_part(r, begin, s, first + count, 0, size - done, out + done, err) : AQ_OK;
}

aq_status aq_torch_read_strided(const aq_file *file, uint64_t begin, const aq_torch_strides *strides, uint64_t offset,
                                size_t size, uint8_t *out, aq_error *err) {
  if (size == 0) return AQ_OK;
  const reading r = {file, aq_malloc(WINDOW)};
  if (r.window == NULL) return aq_fail_memory(err, WINDOW);
  const aq_status status = read_bytes(&r, begin, strides, offset, size, out, err);
  aq_free(r.window);
  return status;
}
