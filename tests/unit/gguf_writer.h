/* gguf_writer.h - GGUF files written number after number, whole or wrong. */
#ifndef AQ_TESTS_GGUF_WRITER_H
#define AQ_TESTS_GGUF_WRITER_H

#include "check.h"
#include "temp_folder.h"

#include "core/buffer.h"

static aq_error err;

/* Types of tensors and of metadata. */
enum { F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q8_1 = 9, Q6_K = 14, Q8_K = 15, IQ1_S = 19, I8 = 24 };
enum { UINT8 = 0, UINT16 = 2, UINT32 = 4, INT32 = 5, FLOAT32 = 6, BOOL = 7, STRING = 8, ARRAY = 9, UINT64 = 10 };

static aq_buffer file;

static inline void put_bytes(const void *bytes, size_t size) { assert_ok(aq_buffer_append(&file, bytes, size, &err)); }
static inline void put_u32(uint32_t value) { put_bytes(&value, sizeof value); }
static inline void put_u64(uint64_t value) { put_bytes(&value, sizeof value); }
static inline void put_string(const char *text) {
  put_u64(strlen(text));
  put_bytes(text, strlen(text));
}

static inline void begin_file(uint32_t version, uint64_t tensors, uint64_t pairs) {
  file.size = 0;
  put_bytes("GGUF", 4);
  put_u32(version);
  put_u64(tensors);
  put_u64(pairs);
}

static inline void put_key(const char *key, uint32_t type) {
  put_string(key);
  put_u32(type);
}

static inline void put_text(const char *key, const char *value) {
  put_key(key, STRING);
  put_string(value);
}

static inline void put_count(const char *key, uint16_t value) {
  put_key(key, UINT16);
  put_bytes(&value, sizeof value);
}

/* columns 0: a vector */
static inline void put_tensor(const char *name, uint64_t rows, uint64_t columns, uint32_t type, uint64_t offset) {
  put_string(name);
  put_u32(columns > 0 ? 2 : 1);
  if (columns > 0) put_u64(columns);
  put_u64(rows);
  put_u32(type);
  put_u64(offset);
}

static inline void align_file(size_t alignment) {
  while (file.size % alignment != 0) put_bytes("", 1);
}

/* Bytes that look random, in which a float of 16 bits is finite. */
static inline void put_noise(size_t size) {
  uint32_t seed = 7;
  for (size_t i = 0; i < size; i++) {
    seed = seed * 1664525U + 1013904223U;
    const uint8_t byte = (uint8_t)(seed >> 24) & 0xbf;
    put_bytes(&byte, 1);
  }
}

static inline const char *write_file(const char *name) { return temp_write(name, file.data, file.size); }

#endif
