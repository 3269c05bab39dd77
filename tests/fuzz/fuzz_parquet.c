/* fuzz_parquet.c - libFuzzer target: any bytes as a Parquet file, opened, verified and read in every way. Whatever the
 * bytes are, the reader must come back with an answer or an error, within its memory limit. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/compiler.h"
#include "core/memory.h"
#include "parquet/parquet.h"

#define MAX_MEMORY ((uint64_t)8 << 20)
#define MAX_ROWS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A value read whole and in pieces: when both work, they agree. */
static void read_bytes(aq_pq_reader *r, size_t group, size_t column, uint64_t row) {
  uint8_t piece[256];
  uint64_t value_size = 0, stored = 0;
  aq_pq_value value;
  const bool sized = aq_pq_value_size(r, group, column, row, &value_size, &stored, NULL) == AQ_OK;
  if (aq_pq_read_value(r, group, column, row, &value, NULL) != AQ_OK) return;
  if (sized && value_size != (value.data != NULL ? value.size : AQ_PQ_NULL_SIZE)) abort();
  for (uint64_t at = 0; value.data != NULL && at < value.size && at < sizeof piece * 4; at += sizeof piece) {
    const size_t take = (size_t)AQ_MIN(value.size - at, sizeof piece);
    if (aq_pq_read_value_range(r, group, column, row, at, take, piece, NULL) != AQ_OK) continue;
    for (size_t i = 0; i < take; i++) {
      if (piece[i] != value.data[at + i]) abort();
    }
  }
  aq_pq_value_reset(&value);
}

static void read_column(aq_pq_reader *r, size_t group, size_t column) {
  char **strings = NULL;
  int64_t *integers = NULL;
  uint8_t *valid = NULL;
  aq_pq_lists lists;
  aq_pq_check check;
  const aq_pq_kind kind = aq_pq_column_kind(r, column);
  const uint64_t rows = AQ_MIN(aq_pq_row_group_rows(r, group), MAX_ROWS);
  if (aq_pq_read_strings(r, group, column, &strings, NULL) == AQ_OK) aq_free(strings);
  if (aq_pq_read_integers(r, group, column, &integers, &valid, NULL) == AQ_OK) {
    aq_free(integers);
    aq_free(valid);
  }
  if (aq_pq_read_lists(r, group, column, &lists, NULL) == AQ_OK) aq_pq_lists_reset(&lists);
  for (uint64_t row = 0; row < rows && (kind == AQ_PQ_BINARY || kind == AQ_PQ_STRING); row++)
    read_bytes(r, group, column, row);
  if (aq_pq_verify_chunk(r, group, column, true, &check, NULL) != AQ_OK) return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  const int fd = memfd_create("fuzz", 0);
  if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  /* A mutated page rarely keeps its checksum: half of the inputs are read without. */
  const aq_pq_reader_options options = {.max_memory = MAX_MEMORY, .skip_checksums = size % 2 == 0};
  aq_pq_reader *r = NULL;
  aq_error err;
  if (aq_pq_reader_open(path, &options, &r, &err) == AQ_OK) {
    const size_t groups = AQ_MIN(aq_pq_row_group_count(r), 4), columns = AQ_MIN(aq_pq_column_count(r), 16);
    for (size_t i = 0; i < aq_pq_metadata_count(r); i++) {
      if (aq_pq_metadata_key(r, i) == NULL || aq_pq_metadata_value(r, i) == NULL) abort();
    }
    for (size_t g = 0; g < groups; g++) {
      for (size_t c = 0; c < columns; c++) read_column(r, g, c);
    }
    aq_pq_reader_close(r);
  }
  (void)close(fd);
  return 0;
}
