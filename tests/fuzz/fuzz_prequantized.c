/* fuzz_prequantized.c - any configuration beside any tensors: opening must end in an error, or in tensors that are the
 * same whole and in pieces. A decoded one may fail to be read (its groups are looked at then), and then by a format
 * error.
 *
 * An input is config.json, a zero, the header of a safetensors file, a zero, and its data. */
#include "fuzz_input.h"

#include <string.h>

#include "arrowquant.h"
#include "io/source.h"
#include "kept_codes.h"
#include "tensor/dtype.h"

#define PIECE 37
#define BYTES_MAX ((uint64_t)1 << 20)

static char folder[64], config_path[96], model_path[96];

static void remove_folder(void) {
  (void)unlink(config_path);
  (void)unlink(model_path);
  (void)rmdir(folder);
}

/* Files in memory, where the machine has such a folder. */
static void make_folder(void) {
  if (folder[0] != '\0') return;
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  (void)snprintf(folder, sizeof folder, "%s/aqfuzz-XXXXXX", base);
  if (mkdtemp(folder) == NULL) abort();
  (void)snprintf(config_path, sizeof config_path, "%s/config.json", folder);
  (void)snprintf(model_path, sizeof model_path, "%s/model.safetensors", folder);
  (void)atexit(remove_folder);
}

static void write_file(const char *path, const void *head, size_t head_size, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(head, 1, head_size, file) != head_size || fwrite(bytes, 1, size, file) != size) abort();
  if (fclose(file) != 0) abort();
}

/* False when there are no two zeros. */
static bool write_model(const uint8_t *data, size_t size) {
  const uint8_t *first = memchr(data, 0, size);
  if (first == NULL) return false;
  const size_t left = size - (size_t)(first + 1 - data);
  const uint8_t *header = first + 1, *second = left > 0 ? memchr(header, 0, left) : NULL;
  if (second == NULL) return false;
  const uint64_t length = (uint64_t)(second - header);
  uint8_t *text = malloc(8 + (size_t)length);
  if (text == NULL) abort();
  memcpy(text, &length, 8);
  memcpy(text + 8, header, (size_t)length);
  write_file(config_path, data, (size_t)(first - data), "", 0);
  write_file(model_path, text, 8 + (size_t)length, second + 1, left - (size_t)length - 1);
  free(text);
  return true;
}

/* The tensor in pieces that begin and end anywhere. */
static void compare_pieces(const aq_source *source, size_t index, const aq_tensor *tensor) {
  uint8_t piece[PIECE];
  aq_error err;
  for (uint64_t at = 0; at < tensor->data_bytes; at += PIECE) {
    const size_t n = (size_t)(tensor->data_bytes - at < PIECE ? tensor->data_bytes - at : PIECE);
    if (aq_source_read_bytes(source, index, at, n, piece, &err) != AQ_OK) abort();
    if (memcmp(piece, (const uint8_t *)tensor->data + at, n) != 0) abort();
  }
}

static void read_all(const aq_source *source) {
  aq_error err;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *info = aq_source_tensor(source, i);
    aq_tensor tensor;
    if (info->stored_bytes > aq_source_file_bytes(source)) abort();
    if (info->data_bytes > BYTES_MAX) continue;
    if (aq_source_load(source, i, &tensor, &err) == AQ_OK) {
      if (tensor.data_bytes != info->data_bytes) abort();
      compare_pieces(source, i, &tensor);
      aq_tensor_release(&tensor);
    } else if (err.code != AQ_ERR_FORMAT || err.message[0] == '\0') {
      abort();
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_source *source = NULL;
  aq_error err;
  make_folder();
  if (!write_model(data, size)) return 0;
  if (aq_source_open(folder, NULL, &source, &err) != AQ_OK) {
    if (source != NULL || err.code == AQ_OK || err.message[0] == '\0') abort();
    return 0;
  }
  read_all(source);
  compare_kept_codes(source, folder, NULL);
  aq_source_close(source);
  return 0;
}
