/* source_fixture.h - sources in memory, made a line a tensor. */
#ifndef AQ_TESTS_SOURCE_FIXTURE_H
#define AQ_TESTS_SOURCE_FIXTURE_H

#include "check.h"
#include "io/source.h"

/* An FP32 tensor; columns 0: a vector of `rows`. The values must outlive the source. */
static inline void add_f32(aq_source *source, const char *name, int64_t rows, int64_t columns, const float *values) {
  aq_error err;
  aq_tensor_info info = {.name = name, .dtype = AQ_F32, .rank = columns > 0 ? 2 : 1, .shape = {rows, columns}};
  assert_ok(aq_source_add(source, &info, values, &err));
}

static inline aq_source *make_source(void) {
  aq_error err;
  aq_source *source;
  assert_ok(aq_source_create(&source, &err));
  return source;
}

/* Has a source say of itself which tensors are tied. */
static inline void tie_source(aq_source *source) {
  aq_error err;
  aq_tensor_info *tied;
  assert_ok(aq_source_find_ties(source, &tied, &err));
  for (size_t i = 0; i < source->tensor_count; i++) source->tensors[i].alias_of = tied[i].alias_of;
  aq_free(tied);
}

/* `count` numbers in [-1, 1), the same everywhere. */
static inline void fill_noise(float *values, size_t count, uint32_t seed) {
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525U + 1013904223U;
    values[i] = (float)(int32_t)(seed >> 8) * 0x1p-23F - 1;
  }
}

#endif
