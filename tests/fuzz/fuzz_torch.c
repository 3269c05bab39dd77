/* fuzz_torch.c - any bytes as a file of torch.save: opening must end in an error or in tensors whose bytes can all be
 * read. Zip archives have everything twice, which no chance change keeps in agreement: so an input whose first byte is
 * 'P' is a whole archive, one of 'p' is only the pickle of one that is built around it, and all others are files of the
 * older form. The format is opened directly: what lies around a model has targets of its own. */
#include "fuzz_input.h"

#include <string.h>

#include "arrowquant.h"
#include "core/bytes.h"
#include "io/formats.h"
#include "io/source_memory.h"

#define VALUES 600
#define FILE_MAX ((size_t)1 << 20)
#define STORAGE_BYTES 96

typedef struct archive {
  uint8_t bytes[FILE_MAX], directory[512];
  size_t size, directory_size;
  uint16_t count;
} archive;

/* The header of an entry, at `p`; returns what it takes. */
static size_t write_header(uint8_t *p, bool is_local, const char *name, size_t size, size_t at) {
  const size_t fixed = is_local ? 30 : 46, shift = is_local ? 0 : 2;
  memset(p, 0, fixed);
  memcpy(p, is_local ? "PK\x03\x04" : "PK\x01\x02", 4);
  aq_store_u32(p + 18 + shift, (uint32_t)size);
  aq_store_u32(p + 22 + shift, (uint32_t)size);
  aq_store_u16(p + 26 + shift, (uint16_t)strlen(name));
  if (!is_local) aq_store_u32(p + 42, (uint32_t)at);
  memcpy(p + fixed, name, strlen(name));
  return fixed + strlen(name);
}

static void add_entry(archive *a, const char *name, const uint8_t *bytes, size_t size) {
  a->directory_size += write_header(a->directory + a->directory_size, false, name, size, a->size);
  a->size += write_header(a->bytes + a->size, true, name, size, 0);
  memcpy(a->bytes + a->size, bytes, size);
  a->size += size;
  a->count++;
}

static const char *write_archive(const uint8_t *pickle, size_t size) {
  static archive a;
  uint8_t storage[STORAGE_BYTES];
  for (size_t i = 0; i < sizeof storage; i++) storage[i] = (uint8_t)i;
  a.size = a.directory_size = a.count = 0;
  add_entry(&a, "m/data.pkl", pickle, size);
  add_entry(&a, "m/data/0", storage, sizeof storage);
  add_entry(&a, "m/data/1", storage, 8);
  uint8_t end[22] = "PK\x05\x06";
  aq_store_u16(end + 8, a.count);
  aq_store_u16(end + 10, a.count);
  aq_store_u32(end + 12, (uint32_t)a.directory_size);
  aq_store_u32(end + 16, (uint32_t)a.size);
  memcpy(a.bytes + a.size, a.directory, a.directory_size);
  memcpy(a.bytes + a.size + a.directory_size, end, sizeof end);
  return write_input(a.bytes, a.size + a.directory_size + sizeof end);
}

/* The end of the tensor alone has the values that it has in the whole. */
static void compare_end(const aq_source *source, size_t index, const aq_tensor *tensor) {
  uint8_t bytes[VALUES];
  aq_error err;
  const size_t size = tensor->data_bytes < VALUES ? (size_t)tensor->data_bytes : VALUES;
  const uint64_t begin = tensor->data_bytes - size;
  if (aq_source_read_bytes(source, index, begin, size, bytes, &err) != AQ_OK) abort();
  if (size > 0 && memcmp(bytes, (const uint8_t *)tensor->data + begin, size) != 0) abort();
}

static void read_all(const aq_source *source) {
  aq_error err;
  uint64_t bytes = 0;
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const aq_tensor_info *info = aq_source_tensor(source, i);
    aq_tensor tensor;
    if (aq_source_load(source, i, &tensor, &err) != AQ_OK) abort();
    if (tensor.data_bytes != info->data_bytes) abort();
    compare_end(source, i, &tensor);
    aq_tensor_release(&tensor);
    bytes += info->stored_bytes;
  }
  if (bytes > 8 * aq_source_file_bytes(source) + ((uint64_t)1 << 20) + 8) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aq_source *source = NULL;
  aq_error err;
  bool mine = false;
  if (size < 4 || size > FILE_MAX / 2) return 0;
  const bool is_pickle = data[0] == 'p';
  if (!is_pickle && data[0] != 'P' && data[0] != 0x80) return 0; /* other formats have targets of their own */
  const char *path = is_pickle ? write_archive(data + 1, size - 1) : write_input(data, size);
  if (aq_source_create_empty(NULL, path, "", &source, &err) != AQ_OK) abort();
  const aq_status status = aq_torch_format.open(source, path, NULL, &mine, &err);
  if (status == AQ_OK && mine) read_all(source);
  if (status != AQ_OK && (err.code != status || err.message[0] == '\0')) abort();
  aq_source_close(source);
  return 0;
}
