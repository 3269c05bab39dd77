/* gguf_split.c - the names of the parts of a model, as llama-gguf-split writes them. */
#include "io/gguf/gguf_split.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/listing.h"

/* "-00002-of-00003.gguf" */
enum { DIGITS = 5, END_LENGTH = 1 + DIGITS + 4 + DIGITS + 5 };

/* Five digits; -1 when they are not. */
static int64_t read_digits(const char *p) {
  int64_t value = 0;
  for (int i = 0; i < DIGITS; i++) {
    if (p[i] < '0' || p[i] > '9') return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

bool aq_gguf_part_parse(const char *name, aq_gguf_part *out) {
  const size_t length = strlen(name);
  if (length <= END_LENGTH) return false;
  const char *end = name + length - END_LENGTH;
  out->base_length = length - END_LENGTH;
  out->number = read_digits(end + 1);
  out->total = end[0] == '-' && memcmp(end + 1 + DIGITS, "-of-", 4) == 0 ? read_digits(end + 1 + DIGITS + 4) : -1;
  return strcmp(end + 1 + DIGITS + 4 + DIGITS, ".gguf") == 0 && out->number >= 1 && out->total >= out->number;
}

bool aq_gguf_parts_of_one(const char *const *names, size_t count) {
  aq_gguf_part first, part;
  if (count == 0 || !aq_gguf_part_parse(names[0], &first)) return false;
  for (size_t i = 1; i < count; i++) {
    if (!aq_gguf_part_parse(names[i], &part) || part.total != first.total || part.base_length != first.base_length ||
        memcmp(names[i], names[0], part.base_length) != 0)
      return false;
  }
  return true;
}

char *aq_gguf_part_path(const char *path, const aq_gguf_part *part, int64_t number) {
  const size_t folder_length = (size_t)(aq_path_name(path) - path);
  return aq_format("%.*s-%05lld-of-%05lld.gguf", (int)(folder_length + part->base_length), path, (long long)number,
                   (long long)part->total);
}

static aq_status fail_missing(char **missing, size_t count, int64_t total, aq_error *err) {
  char text[300];
  const aq_status status =
      aq_fail(err, AQ_ERR_NOT_FOUND, "%zu of the %lld parts of the model are missing: %s", count, (long long)total,
              aq_names_text((const char *const *)missing, count, text, sizeof text));
  return aq_error_hint(err, status, "Download them into the folder of the others");
}

aq_status aq_gguf_parts_check(const char *path, const aq_gguf_part *part, aq_error *err) {
  char **missing = aq_calloc((size_t)part->total, sizeof *missing);
  if (missing == NULL) return aq_fail_memory(err, (size_t)part->total * sizeof *missing);
  size_t count = 0;
  aq_status status = AQ_OK;
  for (int64_t i = 1; i <= part->total && status == AQ_OK; i++) {
    char *other = aq_gguf_part_path(path, part, i);
    if (other == NULL) {
      status = aq_fail_memory(err, strlen(path));
    } else if (!aq_path_exists(other)) {
      missing[count] = aq_strdup(aq_path_name(other));
      if (missing[count++] == NULL) status = aq_fail_memory(err, strlen(other));
    }
    aq_free(other);
  }
  if (status == AQ_OK && count > 0) status = fail_missing(missing, count, part->total, err);
  for (size_t i = 0; i < count; i++) aq_free(missing[i]);
  aq_free(missing);
  return status;
}
