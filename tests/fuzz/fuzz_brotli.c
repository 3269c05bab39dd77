/* fuzz_brotli.c - any bytes through our Brotli encoder: libbrotlidec must give the same bytes back. The first byte of
 * an input says how many blocks the stream is made of, the second how often the rest is repeated, the third which bits
 * of each repetition are noise: long blocks with statistics of every kind from short inputs. */
#include <brotli/decode.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "parquet/codec/brotli/brotli_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Long blocks take a tenth of a second with the sanitizers: few inputs make them. */
enum { HEAD = 3, SHORT_BYTES = 1 << 10, LONG_BYTES = 1 << 15, MOST_BLOCKS = 3 };

/* `size` bytes, repeated; those after the first `size` with noise in the bits of the mask. */
static uint8_t *repeat_bytes(const uint8_t *bytes, size_t size, size_t total, uint8_t mask) {
  uint8_t *out = malloc(total + 1);
  uint32_t seed = mask;
  if (out == NULL) abort();
  for (size_t i = 0; i < total; i++) {
    seed = seed * 1664525U + 1013904223U;
    out[i] = (uint8_t)(i < size ? bytes[i] : bytes[i % size] ^ (seed >> 24 & mask));
  }
  return out;
}

static void add_byte(aq_buffer *out, uint8_t byte) {
  aq_error err;
  if (aq_buffer_append_byte(out, byte, &err) != AQ_OK) abort();
}

/* As a stream of this many blocks, the last of which has what is left over. */
static aq_buffer encode(const uint8_t *bytes, size_t size, size_t blocks) {
  aq_buffer stream = {NULL, 0, 0};
  aq_error err;
  add_byte(&stream, AQ_BROTLI_FIRST);
  for (size_t i = 0; i < blocks; i++) {
    const size_t begin = size / blocks * i, end = i + 1 < blocks ? size / blocks * (i + 1) : size;
    if (aq_brotli_block(bytes + begin, end - begin, &stream, &err) != AQ_OK) abort();
  }
  add_byte(&stream, AQ_BROTLI_LAST);
  return stream;
}

static void check_stream(const aq_buffer *stream, const uint8_t *bytes, size_t size) {
  uint8_t *found = malloc(size + 1);
  size_t found_size = size + 1;
  if (found == NULL) abort();
  const BrotliDecoderResult result = BrotliDecoderDecompress(stream->size, stream->data, &found_size, found);
  if (result != BROTLI_DECODER_RESULT_SUCCESS) abort();
  if (found_size != size || memcmp(found, bytes, size) != 0) abort();
  if (stream->size > size + size / 64 + 64) abort(); /* what cannot be packed costs next to nothing */
  free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < HEAD) return 0;
  const size_t blocks = 1 + data[0] % MOST_BLOCKS, times = 1 + (size_t)data[1] * data[1] / 16, rest = size - HEAD;
  const size_t wanted = rest * times, most = data[1] < 254 ? SHORT_BYTES : LONG_BYTES;
  const size_t total = wanted < most ? wanted : most;
  uint8_t *bytes = repeat_bytes(data + HEAD, rest, total, data[2]);
  aq_buffer stream = encode(bytes, total, blocks);
  check_stream(&stream, bytes, total);
  aq_buffer_reset(&stream);
  free(bytes);
  return 0;
}
