/* part_file.c - which names mean a part, and which number they have. */
#include "io/part_file.h"

#include <stddef.h>
#include <string.h>

#include "io/listing.h"
#include "io/torch/torch_files.h"

#define NUMBER_MAX ((uint64_t)1 << 32)

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_separator(char c) { return c == '-' || c == '_' || c == '.'; }

/* Reads digits; NULL when there are none, or too many. */
static const char *read_number(const char *p, uint64_t *out) {
  const char *begin = p;
  for (*out = 0; is_digit(*p); p++) {
    *out = *out * 10 + (uint64_t)(*p - '0');
    if (*out > NUMBER_MAX) return NULL;
  }
  return p > begin ? p : NULL;
}

/* "00001-of-00003" at p, which follows a separator or begins the name. */
static bool read_number_of_total(const char *p, aq_part_file *out) {
  p = read_number(p, &out->number);
  if (p == NULL || !is_separator(p[0]) || strncmp(p + 1, "of", 2) != 0 || !is_separator(p[3])) return false;
  p = read_number(p + 4, &out->total);
  return p != NULL && (*p == '\0' || is_separator(*p)) && out->total > 1 && out->number <= out->total;
}

static bool find_number_of_total(const char *name, aq_part_file *out) {
  for (const char *p = name; *p != '\0'; p++) {
    if ((p == name || is_separator(p[-1])) && read_number_of_total(p, out)) return true;
  }
  return false;
}

/* Length of the hexadecimal digits that the name begins with. */
static size_t hex_length(const char *name) { return strspn(name, "0123456789abcdef"); }

static bool is_table_part(const char *name, aq_part_file *out) {
  static const char *const starts[] = {"part-", "part_", "part.", "part", "data_", "data-", ""};
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
    const size_t length = strlen(starts[i]);
    if (strncmp(name, starts[i], length) != 0) continue;
    const char *after = read_number(name + length, &out->number);
    /* What follows a number of Spark's is an id; of other names nothing may follow. */
    if (after != NULL && (strcmp(after, ".parquet") == 0 || (i < 3 && is_separator(*after)))) return true;
  }
  const char *dash = name + hex_length(name);
  if (dash - name != 32 || *dash != '-') return false;
  const char *after = read_number(dash + 1, &out->number);
  return after != NULL && strcmp(after, ".parquet") == 0;
}

bool aq_part_file_parse(const char *name, aq_part_file *out) {
  *out = (aq_part_file){0, 0};
  const bool is_table = aq_ends_with(name, ".parquet");
  if (!is_table && !aq_ends_with(name, ".safetensors") && !aq_torch_is_name(name)) return false;
  if (find_number_of_total(name, out)) return true;
  out->total = 0;
  return is_table && is_table_part(name, out);
}
