/* fingerprint.c - what tells models apart.
 *
 * It samples: reading all of a large model would take longer than most of what is done with it. Whether bytes were
 * damaged is for checksums to say. */
#include "io/fingerprint.h"

#include <string.h>
#include <xxhash.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/source_segments.h"

/* Bytes [offset, offset + size) of a tensor; of its values as FP32 when it is in parts whose codes do not join. Both
 * are multiples of 4 then. */
static aq_status read_sample(const aq_source *source, size_t index, bool values, uint64_t offset, size_t size,
                             float *room, aq_error *err) {
  if (!values) return aq_source_read_bytes(source, index, offset, size, room, err);
  return aq_source_read_f32(source, index, offset / sizeof *room, size / sizeof *room, room, err);
}

/* Hashes up to 16 samples of a tensor's bytes, the first and the last among them. */
static aq_status hash_samples(XXH3_state_t *state, const aq_source *source, size_t index, aq_error *err) {
  enum { SAMPLE = 4096, SAMPLES = 16 };
  float room[SAMPLE / sizeof(float)];
  const bool values = !aq_segments_join_bytes(source, index);
  const aq_tensor_info *t = &source->tensors[index];
  const uint64_t total = values ? t->num_params * sizeof(float) : t->data_bytes;
  const uint64_t step = total / SAMPLES;
  for (uint64_t i = 0; i < SAMPLES; i++) {
    const uint64_t last = total > SAMPLE ? total - SAMPLE : 0;
    const uint64_t wanted = i == SAMPLES - 1 ? last : AQ_MIN(i * step, last);
    const uint64_t offset = values ? wanted / sizeof(float) * sizeof(float) : wanted;
    const size_t size = (size_t)AQ_MIN((uint64_t)SAMPLE, total - offset);
    AQ_TRY(read_sample(source, index, values, offset, size, room, err));
    (void)XXH3_128bits_update(state, room, size);
    if (total <= SAMPLE) break;
  }
  return AQ_OK;
}

static aq_status hash_tensor(XXH3_state_t *state, const aq_source *source, size_t index, aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  (void)XXH3_128bits_update(state, t->name, strlen(t->name) + 1);
  const char *dtype = aq_dtype_name(t->dtype), *type = aq_quant_type_name(t->quant_type);
  (void)XXH3_128bits_update(state, dtype, strlen(dtype) + 1);
  (void)XXH3_128bits_update(state, type, strlen(type) + 1);
  (void)XXH3_128bits_update(state, t->shape, (size_t)t->rank * sizeof t->shape[0]);
  return hash_samples(state, source, index, err);
}

/* In the order of bytes that xxHash prints. */
static void write_digest(XXH128_hash_t hash, char out[33]) {
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, hash);
  for (size_t i = 0; i < sizeof digest.digest; i++) {
    out[2 * i] = "0123456789abcdef"[digest.digest[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[digest.digest[i] & 15];
  }
  out[32] = '\0';
}

void aq_digest_of(const void *bytes, size_t size, char out[33]) { write_digest(XXH3_128bits(bytes, size), out); }

aq_status aq_source_fingerprint(const aq_source *source, char out[33], aq_error *err) {
  XXH3_state_t *state = XXH3_createState();
  if (state == NULL) return aq_fail_memory(err, 1024);
  (void)XXH3_128bits_reset(state);
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < source->tensor_count; i++) {
    status = hash_tensor(state, source, i, err);
  }
  write_digest(XXH3_128bits_digest(state), out);
  (void)XXH3_freeState(state);
  return status;
}
