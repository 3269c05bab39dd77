/* coded_matrix.h - a matrix of codes, scales or zero points of a layer that another tool quantized: how its numbers lie
 * in a tensor, and reading a part of it as FP32.
 *
 * A matrix is stored as lines, the first dimension of its tensor, of numbers, or of codes that are packed into words of
 * 32 bits along one of the two dimensions. */
#ifndef AQ_IO_PREQUANTIZED_CODED_MATRIX_H
#define AQ_IO_PREQUANTIZED_CODED_MATRIX_H

#include "io/prequantized/line_cache.h"
#include "io/source.h"

#define AQ_NO_TENSOR SIZE_MAX

typedef enum aq_code_packing {
  AQ_PACKED_NUMBERS,   /* not packed: numbers of a dtype */
  AQ_PACKED_EXPONENTS, /* bytes of which each is an E8M0: 2^(byte - 127), and NaN for 255 */
  AQ_PACKED_STREAM,    /* a stream of bits, lowest first: a code may begin in one word and end in the next */
  AQ_PACKED_WORDS,     /* as many whole codes as a word holds, lowest bits first */
  AQ_PACKED_AWQ,       /* eight codes of 4 bits a word; from the lowest bits on 0, 2, 4, 6, 1, 3, 5, 7 */
  AQ_PACKED_HIGH_FIRST /* two codes of 4 bits a byte, the first in the upper half */
} aq_code_packing;

typedef struct aq_coded_matrix {
  size_t tensor; /* of the source that stores it; AQ_NO_TENSOR: there is none */
  aq_code_packing packing;
  aq_dtype dtype;         /* of AQ_PACKED_NUMBERS */
  uint32_t bits;          /* of a code: 1 to 8 */
  bool is_transposed;     /* its lines are the columns */
  bool packs_lines;       /* words hold codes of several lines */
  uint64_t rows, columns; /* in numbers, as they are read */
  uint64_t line_bytes;    /* of a line of the tensor; see aq_coded_matrix_lines */
  aq_line_cache *cache;   /* borrowed; NULL: none. Of codes that are read by rows and stored by columns */
} aq_coded_matrix;

typedef struct aq_coded_part {
  uint64_t row, column;
  size_t rows, columns;
} aq_coded_part;

/* Memory that grows as it is needed. Zero-initialise; free bytes with aq_free. */
typedef struct aq_coded_room {
  void *bytes;
  size_t size;
} aq_coded_room;

AQ_MUST_CHECK aq_status aq_coded_room_need(aq_coded_room *room, size_t count, size_t size, aq_error *err);

/* The two dimensions of the tensor that stores the matrix; sets line_bytes. False when they cannot be counted, and
 * where codes do not fill the words of a packing that has no others. */
bool aq_coded_matrix_lines(aq_coded_matrix *matrix, uint64_t dims[2]);

/* A part of matrix number `index` of those that lie one after another in the tensor, row by row. The part lies in the
 * matrix, and the tensor has the bytes. Any thread. */
AQ_MUST_CHECK aq_status aq_coded_matrix_read(const aq_source *source, const aq_coded_matrix *matrix, uint64_t index,
                                             const aq_coded_part *part, aq_coded_room *room, float *out, aq_error *err);

#endif
