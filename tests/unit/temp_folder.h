/* temp_folder.h - a folder for one test, and files in it. */
#ifndef AQ_TESTS_TEMP_FOLDER_H
#define AQ_TESTS_TEMP_FOLDER_H

#include <sys/stat.h>

#include "check.h"

static const char *temp_folder;

static inline int temp_setup(void **state) {
  (void)state;
  temp_folder = make_folder();
  return 0;
}

static inline int temp_teardown(void **state) {
  (void)state;
  drop_folder(temp_folder);
  return 0;
}

/* Path of a name in the folder; the text is good for four calls. */
static inline const char *temp_path(const char *name) {
  static char paths[4][1024];
  static unsigned next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", temp_folder, name);
  return path;
}

static inline const char *temp_write(const char *name, const void *bytes, size_t size) {
  const char *path = temp_path(name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  assert_int_equal(fclose(f), 0);
  return path;
}

static inline const char *temp_write_text(const char *name, const char *text) {
  return temp_write(name, text, strlen(text));
}

static inline void temp_mkdir(const char *name) { assert_int_equal(mkdir(temp_path(name), 0777), 0); }

/* A safetensors file of this header and `data_size` bytes of data (0, 1, 2, ... when data is NULL). */
static inline const char *temp_write_safetensors(const char *name, const char *header, const void *data,
                                                 size_t data_size) {
  const size_t length = strlen(header);
  uint8_t *file = malloc(8 + length + data_size);
  assert_non_null(file);
  for (size_t i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)length >> (8 * i));
  memcpy(file + 8, header, length);
  for (size_t i = 0; i < data_size; i++) file[8 + length + i] = data != NULL ? ((const uint8_t *)data)[i] : (uint8_t)i;
  const char *path = temp_write(name, file, 8 + length + data_size);
  free(file);
  return path;
}

#endif
