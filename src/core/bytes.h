/* bytes.h - little-endian numbers at any address. */
#ifndef AQ_CORE_BYTES_H
#define AQ_CORE_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrowquant needs a little-endian machine"
#endif

static inline uint16_t aq_load_u16(const void *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline uint32_t aq_load_u32(const void *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline uint64_t aq_load_u64(const void *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline float aq_load_f32(const void *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline double aq_load_f64(const void *p) {
  double v;
  memcpy(&v, p, sizeof v);
  return v;
}
static inline void aq_store_u16(void *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void aq_store_u32(void *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void aq_store_u64(void *p, uint64_t v) { memcpy(p, &v, sizeof v); }
static inline void aq_store_f32(void *p, float v) { memcpy(p, &v, sizeof v); }
static inline uint32_t aq_f32_bits(float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  return u;
}
static inline double aq_bits_f64(uint64_t u) {
  double d;
  memcpy(&d, &u, sizeof d);
  return d;
}

static inline float aq_bits_f32(uint32_t u) {
  float v;
  memcpy(&v, &u, sizeof v);
  return v;
}

#endif
