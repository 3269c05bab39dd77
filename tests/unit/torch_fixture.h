/* torch_fixture.h - files as torch.save writes them, byte by byte, and ones that it never would. */
#ifndef AQ_TESTS_TORCH_FIXTURE_H
#define AQ_TESTS_TORCH_FIXTURE_H

#include "check.h"
#include "temp_folder.h"

#include "core/buffer.h"
#include "io/source.h"

static aq_error err;

static inline void put_bytes(aq_buffer *to, const void *bytes, size_t size) {
  assert_ok(aq_buffer_append(to, bytes, size, &err));
}
static inline void put_number(aq_buffer *to, uint64_t value, size_t width) { put_bytes(to, &value, width); }

/* ---- pickles ---- */

/* The opcodes of a text: as they are, without the zero at its end. */
static inline void put_ops(aq_buffer *to, const char *ops) { put_bytes(to, ops, strlen(ops)); }

static inline void put_text(aq_buffer *to, const char *text) {
  put_ops(to, "X");
  put_number(to, strlen(text), 4);
  put_ops(to, text);
}

static inline void put_int(aq_buffer *to, int32_t number) {
  put_ops(to, "J");
  put_number(to, (uint32_t)number, 4);
}

static inline void put_tuple(aq_buffer *to, int32_t rank, const int32_t *numbers) {
  put_ops(to, "(");
  for (int32_t i = 0; i < rank; i++) put_int(to, numbers[i]);
  put_ops(to, "t");
}

typedef struct tensor_spec {
  const char *name, *key, *type;
  int32_t count; /* of the storage */
  int32_t first, rank;
  int32_t shape[4], stride[4];
} tensor_spec;

/* NAME: _rebuild_tensor_v2(storage, first, shape, stride, False, OrderedDict()) */
static inline void put_tensor(aq_buffer *to, const tensor_spec *t) {
  put_text(to, t->name);
  put_ops(to, "ctorch._utils\n_rebuild_tensor_v2\n((");
  put_text(to, "storage");
  put_ops(to, "ctorch\n");
  put_ops(to, t->type);
  put_ops(to, "\n");
  put_text(to, t->key);
  put_text(to, "cpu");
  put_int(to, t->count);
  put_ops(to, "tQ");
  put_int(to, t->first);
  put_tuple(to, t->rank, t->shape);
  put_tuple(to, t->rank, t->stride);
  put_ops(to,
          "\x89"
          "ccollections\nOrderedDict\n)RtR");
}

static inline void put_tensors(aq_buffer *to, const tensor_spec *tensors, size_t count) {
  put_ops(to, "\x80\x02}(");
  for (size_t i = 0; i < count; i++) put_tensor(to, &tensors[i]);
  put_ops(to, "u.");
}

/* ---- zip archives ---- */

typedef struct zip_file {
  aq_buffer bytes, directory;
  uint16_t count;
  bool described; /* entries are followed by a data descriptor, and have no sizes before */
} zip_file;

static inline void put_zip_entry(zip_file *zip, const char *name, const void *bytes, size_t size) {
  static const uint64_t crc = 0x12345678;
  const uint64_t header = zip->bytes.size;
  const uint64_t flags = zip->described ? 0x808 : 0x800;
  aq_buffer *const both[] = {&zip->bytes, &zip->directory};
  for (size_t i = 0; i < 2; i++) {
    const bool described = i == 0 && zip->described;
    put_ops(both[i], i == 0 ? "PK\x03\x04" : "PK\x01\x02");
    put_number(both[i], 0, i == 0 ? 2 : 4); /* versions */
    put_number(both[i], flags, 2);
    put_number(both[i], 0, 6); /* method and time */
    put_number(both[i], described ? 0 : crc, 4);
    put_number(both[i], described ? 0 : size, 4);
    put_number(both[i], described ? 0 : size, 4);
    put_number(both[i], strlen(name), 2);
    put_number(both[i], 0, 2);
    if (i == 1) put_number(both[i], 0, 8); /* comment, disk, attributes */
    if (i == 1) put_number(both[i], 0, 2);
    if (i == 1) put_number(both[i], header, 4);
    put_ops(both[i], name);
  }
  put_bytes(&zip->bytes, bytes, size);
  if (zip->described) {
    put_ops(&zip->bytes, "PK\x07\x08");
    put_number(&zip->bytes, crc, 4);
    put_number(&zip->bytes, size, 4);
    put_number(&zip->bytes, size, 4);
  }
  zip->count++;
}

static inline void end_zip(zip_file *zip) {
  const uint64_t begin = zip->bytes.size;
  put_bytes(&zip->bytes, zip->directory.data, zip->directory.size);
  put_ops(&zip->bytes, "PK\x05\x06");
  put_number(&zip->bytes, 0, 4);
  put_number(&zip->bytes, zip->count, 2);
  put_number(&zip->bytes, zip->count, 2);
  put_number(&zip->bytes, zip->directory.size, 4);
  put_number(&zip->bytes, begin, 4);
  put_number(&zip->bytes, 0, 2);
}

static inline void reset_zip(zip_file *zip) {
  aq_buffer_reset(&zip->bytes);
  aq_buffer_reset(&zip->directory);
  *zip = (zip_file){0};
}

/* ---- opening ---- */

static inline aq_source *open_ok(const char *path) {
  aq_source *source = NULL;
  if (aq_source_open(path, NULL, &source, &err) != AQ_OK) fail_msg("%s: %s", err.tensor, err.message);
  return source;
}

static inline void open_fails(const char *path, aq_status status, const char *words) {
  aq_source *source = (aq_source *)&err;
  const aq_status got = aq_source_open(path, NULL, &source, &err);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  assert_int_equal(got, status);
  assert_null(source);
  assert_true(err.file[0] != '\0');
  assert_int_equal(aq_source_open(path, NULL, &source, NULL), status);
}

#endif
