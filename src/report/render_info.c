/* render_info.c - what is inside a source, as a table. */
#include <string.h>

#include "core/error.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

enum { VALUE_SHOWN = 72 }; /* bytes of a metadata value */

static aq_status append_heading(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *source = aq_json_get(root, "source");
  char bytes[AQ_WORD_SIZE];
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(source, "path"), err));
  return aq_buffer_printf(out, err, ": %s, %s\n\n", aq_json_get_string(source, "format"),
                          aq_word_bytes(source, "file_bytes", bytes));
}

static void add_tensor_row(aq_text_table *table, const json_t *tensor) {
  char shape[256], params[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE], bits[AQ_WORD_SIZE];
  const char *alias_of = aq_json_get_string(tensor, "alias_of");
  const bool alias = alias_of[0] != '\0';
  const char *dtype = aq_json_get_string(tensor, "dtype"), *dot = strchr(dtype, '.');
  aq_text_table_row(table, (const char *const[]){aq_json_get_string(tensor, "name"),
                                                 aq_shape_of_json(aq_json_get(tensor, "shape"), shape, sizeof shape),
                                                 dot != NULL ? dot + 1 : dtype, aq_json_get_string(tensor, "stored_as"),
                                                 aq_word_count(tensor, "params", params),
                                                 alias ? "same bytes" : aq_word_bytes(tensor, "stored_bytes", bytes),
                                                 alias ? alias_of : aq_word_fixed(tensor, "bits_per_weight", 2, bits)});
}

static aq_status append_tensors(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "llllrrr");
  aq_text_table_row(&table,
                    (const char *const[]){"tensor", "shape", "dtype", "stored as", "parameters", "bytes", "bits"});
  size_t i;
  json_t *tensor;
  json_array_foreach(aq_json_get(root, "tensors"), i, tensor) add_tensor_row(&table, tensor);
  return aq_text_table_text(&table, 0, out, err);
}

static void add_sums_row(aq_text_table *table, const char *name, const json_t *sums) {
  char tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE], bits[AQ_WORD_SIZE];
  aq_text_table_row(
      table, (const char *const[]){name, aq_word_count(sums, "tensors", tensors), aq_word_count(sums, "params", params),
                                   aq_word_bytes(sums, "stored_bytes", bytes),
                                   aq_word_fixed(sums, "bits_per_weight", 3, bits)});
}

static aq_status append_sums(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lrrrr");
  aq_text_table_row(&table, (const char *const[]){"stored as", "tensors", "parameters", "bytes", "bits"});
  size_t i;
  json_t *type;
  json_array_foreach(aq_json_get(root, "types"), i, type) {
    add_sums_row(&table, aq_json_get_string(type, "stored_as"), type);
  }
  const json_t *totals = aq_json_get(root, "totals");
  add_sums_row(&table, "all", totals);
  AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  AQ_TRY(aq_text_table_text(&table, 0, out, err));
  const uint64_t aliases = aq_json_get_count(totals, "aliases");
  if (aliases == 0) return AQ_OK;
  return aq_buffer_printf(out, err, "and %llu tied tensor%s that share%s the bytes of another\n",
                          (unsigned long long)aliases, aliases == 1 ? "" : "s", aliases == 1 ? "s" : "");
}

/* Length of the beginning that is shown: no code point is cut. */
static size_t shown_length(const char *value) {
  size_t n = VALUE_SHOWN;
  while (n > 0 && ((unsigned char)value[n] & 0xC0) == 0x80) n--;
  return n;
}

/* A compressed file: what the characters stand for, and not the characters. */
static aq_status append_compressed(const json_t *pair, size_t length, aq_buffer *out, aq_error *err) {
  char bytes[AQ_WORD_SIZE], text[AQ_WORD_SIZE];
  (void)aq_text_bytes(length, bytes, sizeof bytes);
  if (json_is_null(json_object_get(pair, "text_bytes"))) {
    return aq_buffer_printf(out, err, "damaged: no zstd in base64 (%s)\n", bytes);
  }
  return aq_buffer_printf(out, err, "a text of %s, as zstd in base64 (%s)\n", aq_word_bytes(pair, "text_bytes", text),
                          bytes);
}

static aq_status append_pair(const json_t *pair, aq_buffer *out, aq_error *err) {
  const char *value = aq_json_get_string(pair, "value");
  AQ_TRY(aq_buffer_printf(out, err, "  "));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(pair, "key"), err));
  AQ_TRY(aq_buffer_printf(out, err, " = "));
  if (json_object_get(pair, "text_bytes") != NULL) return append_compressed(pair, strlen(value), out, err);
  if (strlen(value) <= VALUE_SHOWN) {
    AQ_TRY(aq_text_append_clean(out, value, err));
    return aq_buffer_append_byte(out, '\n', err);
  }
  char start[VALUE_SHOWN + 1], bytes[AQ_WORD_SIZE];
  const size_t n = shown_length(value);
  memcpy(start, value, n);
  start[n] = '\0';
  AQ_TRY(aq_text_append_clean(out, start, err));
  return aq_buffer_printf(out, err, "... (%s)\n", aq_text_bytes(strlen(value), bytes, sizeof bytes));
}

static aq_status append_metadata(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *metadata = aq_json_get(root, "metadata");
  if (json_array_size(metadata) > 0) AQ_TRY(aq_buffer_printf(out, err, "\nmetadata\n"));
  size_t i;
  json_t *item;
  json_array_foreach(metadata, i, item) { AQ_TRY(append_pair(item, out, err)); }
  json_array_foreach(aq_json_get(root, "notes"), i, item) {
    AQ_TRY(aq_buffer_printf(out, err, "note: "));
    AQ_TRY(aq_text_append_clean(out, json_string_value(item), err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  return AQ_OK;
}

aq_status aq_render_info_text(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(append_heading(root, out, err));
  AQ_TRY(append_tensors(root, out, err));
  AQ_TRY(append_sums(root, out, err));
  return append_metadata(root, out, err);
}
