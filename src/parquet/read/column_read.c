/* column_read.c - whole small columns of one row group: strings, integers, lists of integers. */
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/read/chunk_pages.h"
#include "parquet/read/decoded.h"

/* A chunk that is read from its first page to its last. */
typedef struct scan {
  aq_pq_column_chunk chunk;
  aq_pq_pages *pages;
  aq_pq_dictionary dictionary;
  uint64_t rows;
} scan;

static aq_status scan_begin(scan *s, aq_pq_reader *reader, size_t group, size_t column, const char *wanted,
                            uint32_t kinds, aq_error *err) {
  *s = (scan){.rows = 0};
  AQ_TRY(aq_pq_column_chunk_find(reader, group, column, 0, &s->chunk, err));
  AQ_FAIL_IF((kinds >> s->chunk.schema->kind & 1) == 0, AQ_ERR_FORMAT, "column '%.100s' should hold %s",
             s->chunk.schema->name, wanted);
  s->chunk.most = aq_pq_small_limit(reader);
  AQ_TRY(aq_pq_pages_get(&s->chunk, &s->pages, err));
  if (s->pages->has_dictionary) AQ_TRY(aq_pq_check_unpacked(&s->chunk, s->pages->dictionary.header.plain_size, err));
  for (size_t p = 0; p < s->pages->count; p++)
    AQ_TRY(aq_pq_check_unpacked(&s->chunk, s->pages->data[p].header.plain_size, err));
  AQ_TRY(aq_pq_dictionary_load(&s->chunk, s->pages, &s->dictionary, err));
  s->rows = reader->footer.groups[group].rows;
  return AQ_OK;
}

/* ---- strings ---- */

#define NO_TEXT UINT64_MAX

typedef struct texts {
  aq_buffer text;    /* each string with a zero after it */
  uint64_t *offsets; /* one a row; NO_TEXT: null */
  uint64_t before;   /* bytes of the texts that were read before from this file */
} texts;

static aq_status add_text(const scan *s, texts *t, uint64_t row, const aq_pq_span *span, aq_error *err) {
  t->offsets[row] = NO_TEXT;
  if (span->data == NULL) return AQ_OK;
  AQ_FAIL_IF(memchr(span->data, '\0', (size_t)span->size) != NULL, AQ_ERR_FORMAT,
             "a string of column '%.100s' contains a zero byte", s->chunk.schema->name);
  AQ_TRY(aq_pq_check_unpacked(&s->chunk, t->before + t->text.size + span->size, err));
  AQ_TRY(aq_pq_check_memory(s->chunk.reader, t->text.size + span->size + s->rows * (sizeof(char *) + sizeof(uint64_t)),
                            err));
  t->offsets[row] = t->text.size;
  AQ_TRY(aq_buffer_append(&t->text, span->data, (size_t)span->size, err));
  return aq_buffer_append_byte(&t->text, 0, err);
}

static aq_status add_texts_of_page(scan *s, aq_pq_page *page, texts *t, aq_error *err) {
  aq_pq_decoded *decoded = NULL;
  AQ_TRY(aq_pq_decoded_make(&s->chunk, s->pages, page, &s->dictionary, &decoded, err));
  aq_status status = AQ_OK;
  for (uint64_t i = 0; i < page->header.values && status == AQ_OK; i++)
    status = add_text(s, t, page->first_value + i, &decoded->spans[i], err);
  aq_pq_decoded_free(decoded);
  return status;
}

/* Pointers first, then what they point to: one block. */
static aq_status join_texts(const scan *s, const texts *t, char ***out, aq_error *err) {
  const size_t head = (size_t)s->rows * sizeof(char *);
  char **rows = aq_malloc(head + t->text.size);
  if (rows == NULL) return aq_fail_memory(err, head + t->text.size);
  char *text = (char *)rows + head;
  if (t->text.size > 0) memcpy(text, t->text.data, t->text.size);
  for (uint64_t i = 0; i < s->rows; i++) rows[i] = t->offsets[i] != NO_TEXT ? text + t->offsets[i] : NULL;
  *out = rows;
  return AQ_OK;
}

static aq_status read_strings(scan *s, texts *t, char ***out, aq_error *err) {
  AQ_TRY(aq_pq_check_memory(s->chunk.reader, s->rows * (sizeof(char *) + sizeof(uint64_t)), err));
  t->offsets = aq_realloc_array(NULL, (size_t)s->rows, sizeof *t->offsets);
  if (t->offsets == NULL) return aq_fail_memory(err, (size_t)s->rows * sizeof *t->offsets);
  for (size_t p = 0; p < s->pages->count; p++) AQ_TRY(add_texts_of_page(s, &s->pages->data[p], t, err));
  return join_texts(s, t, out, err);
}

aq_status aq_pq_read_strings(aq_pq_reader *reader, size_t group, size_t column, char ***out, aq_error *err) {
  scan s;
  texts t = {{0}, NULL, 0};
  *out = NULL;
  aq_lock_take(&reader->lock);
  t.before = reader->text_bytes;
  aq_lock_release(&reader->lock);
  aq_status status = scan_begin(&s, reader, group, column, "strings", 1u << AQ_PQ_STRING | 1u << AQ_PQ_BINARY, err);
  if (status == AQ_OK) status = read_strings(&s, &t, out, err);
  aq_lock_take(&reader->lock);
  reader->text_bytes += t.text.size;
  aq_lock_release(&reader->lock);
  aq_free(t.offsets);
  aq_buffer_reset(&t.text);
  aq_pq_dictionary_reset(&s.dictionary);
  return aq_pq_add_context(reader, group, status, err);
}

/* ---- integers ---- */

/* The whole number that the bits of a FLOAT or DOUBLE stand for. */
static aq_status take_real(const scan *s, uint64_t row, int64_t *bits, uint8_t *valid, aq_error *err) {
  const bool wide = s->chunk.schema->type == AQ_PQT_DOUBLE;
  const double value = wide ? aq_bits_f64((uint64_t)*bits) : (double)aq_bits_f32((uint32_t)*bits);
  *valid = 1;
  if (isnan(value)) {
    *valid = 0;
    *bits = 0;
    return AQ_OK;
  }
  if (aq_whole_ok(value, wide ? 53 : 24, bits)) return AQ_OK;
  for (size_t g = 0; g < s->chunk.group; g++) row += s->chunk.reader->footer.groups[g].rows;
  return aq_fail(err, AQ_ERR_FORMAT, "row %llu: column '%.100s' has a value that is no whole number of up to %d bits",
                 (unsigned long long)row, s->chunk.schema->name, wide ? 53 : 24);
}

static bool is_real(const scan *s) {
  return s->chunk.schema->kind == AQ_PQ_REAL || s->chunk.schema->kind == AQ_PQ_LIST_REAL;
}

static aq_status read_integers_of_page(scan *s, aq_pq_page *page, int64_t *out, uint8_t *valid, aq_error *err) {
  const uint64_t rows = page->header.values;
  const uint8_t max = s->chunk.schema->max_def;
  aq_pq_body body;
  AQ_TRY(aq_pq_body_load(&s->chunk, page, &body, err));
  aq_status status = aq_pq_body_def_levels(&s->chunk, page, &body, valid, err);
  uint64_t present = 0;
  for (uint64_t i = 0; i < rows && status == AQ_OK; i++) present += valid[i] = valid[i] == max;
  if (status == AQ_OK) status = aq_pq_values_integers(&s->chunk, page, &body, &s->dictionary, present, out, err);
  for (uint64_t i = rows; i-- > 0 && status == AQ_OK;) out[i] = valid[i] ? out[--present] : 0;
  for (uint64_t i = 0; i < rows && is_real(s) && status == AQ_OK; i++) {
    if (valid[i]) status = take_real(s, page->first_value + i, &out[i], &valid[i], err);
  }
  aq_pq_body_reset(&body);
  return status;
}

static aq_status read_integers(scan *s, int64_t **out, uint8_t **valid, aq_error *err) {
  AQ_TRY(aq_pq_check_memory(s->chunk.reader, s->rows * (sizeof **out + 1), err));
  *out = aq_realloc_array(NULL, (size_t)s->rows, sizeof **out);
  *valid = aq_malloc((size_t)s->rows);
  if (*out == NULL || *valid == NULL) return aq_fail_memory(err, (size_t)s->rows * sizeof **out);
  for (size_t p = 0; p < s->pages->count; p++) {
    aq_pq_page *page = &s->pages->data[p];
    AQ_TRY(read_integers_of_page(s, page, *out + page->first_value, *valid + page->first_value, err));
  }
  return AQ_OK;
}

aq_status aq_pq_read_integers(aq_pq_reader *reader, size_t group, size_t column, int64_t **out, uint8_t **valid,
                              aq_error *err) {
  scan s;
  *out = NULL;
  *valid = NULL;
  aq_status status =
      scan_begin(&s, reader, group, column, "integers", 1u << AQ_PQ_INT32 | 1u << AQ_PQ_INT64 | 1u << AQ_PQ_REAL, err);
  if (status == AQ_OK) status = read_integers(&s, out, valid, err);
  if (status != AQ_OK) {
    aq_free(*out);
    aq_free(*valid);
    *out = NULL;
    *valid = NULL;
  }
  aq_pq_dictionary_reset(&s.dictionary);
  return aq_pq_add_context(reader, group, status, err);
}

/* ---- lists ---- */

typedef struct list_page {
  uint8_t *rep, *def;
  int64_t *values;
  aq_pq_body body;
} list_page;

static aq_status load_list_page(scan *s, aq_pq_page *page, list_page *l, uint64_t *present, aq_error *err) {
  const uint64_t levels = page->header.values;
  AQ_TRY(aq_pq_body_load(&s->chunk, page, &l->body, err));
  AQ_TRY(aq_pq_check_memory(s->chunk.reader, page->header.plain_size + levels * (2 + sizeof *l->values), err));
  l->rep = aq_malloc((size_t)levels);
  l->def = aq_malloc((size_t)levels);
  l->values = aq_realloc_array(NULL, (size_t)levels, sizeof *l->values);
  if (l->rep == NULL || l->def == NULL || l->values == NULL) return aq_fail_memory(err, (size_t)levels);
  AQ_TRY(aq_pq_body_rep_levels(&s->chunk, page, &l->body, l->rep, err));
  AQ_TRY(aq_pq_body_def_levels(&s->chunk, page, &l->body, l->def, err));
  for (uint64_t i = 0; i < levels; i++) *present += l->def[i] == s->chunk.schema->max_def;
  return aq_pq_values_integers(&s->chunk, page, &l->body, &s->dictionary, *present, l->values, err);
}

/* One level pair: a new row, or one more element of the row before, which may have begun in an earlier page. */
static aq_status add_element(const scan *s, uint8_t rep, uint8_t def, const int64_t **values, uint64_t *rows,
                             aq_pq_lists *out, aq_error *err) {
  const aq_pq_column *schema = s->chunk.schema;
  AQ_FAIL_IF(rep == 0 ? *rows == s->rows : *rows == 0 || out->lengths[*rows - 1] < 1 || def <= schema->list_def,
             AQ_ERR_FORMAT, "the lists of column '%.100s' do not make %llu rows", schema->name,
             (unsigned long long)s->rows);
  if (rep == 0) out->lengths[(*rows)++] = def < schema->list_def ? -1 : 0;
  if (def <= schema->list_def) return AQ_OK;
  AQ_FAIL_IF(def < schema->max_def, AQ_ERR_FORMAT, "a list of column '%.100s' has a null element", schema->name);
  int64_t value = *(*values)++;
  uint8_t valid = 1;
  if (is_real(s)) AQ_TRY(take_real(s, *rows - 1, &value, &valid, err));
  AQ_FAIL_IF(!valid, AQ_ERR_FORMAT, "a list of column '%.100s' has an element that is no number", schema->name);
  AQ_FAIL_IF(value < INT32_MIN || value > INT32_MAX, AQ_ERR_FORMAT,
             "a list of column '%.100s' has the element %lld, which 32 bits do not hold", schema->name,
             (long long)value);
  out->lengths[*rows - 1]++; /* read_lists has made sure that there are fewer than 2^31 elements */
  out->values[out->value_count++] = (int32_t)value;
  return AQ_OK;
}

static aq_status read_lists_of_page(scan *s, aq_pq_page *page, uint64_t *rows, aq_pq_lists *out, aq_error *err) {
  list_page l = {NULL, NULL, NULL, {0}};
  uint64_t present = 0;
  aq_status status = load_list_page(s, page, &l, &present, err);
  const int64_t *values = l.values;
  for (uint64_t i = 0; i < page->header.values && status == AQ_OK; i++)
    status = add_element(s, l.rep[i], l.def[i], &values, rows, out, err);
  aq_free(l.rep);
  aq_free(l.def);
  aq_free(l.values);
  aq_pq_body_reset(&l.body);
  return status == AQ_OK ? AQ_OK : aq_error_at(err, status, (int64_t)page->header_offset);
}

static aq_status read_lists(scan *s, aq_pq_lists *out, aq_error *err) {
  const uint64_t most = s->chunk.meta->values;
  AQ_FAIL_IF(most > INT32_MAX, AQ_ERR_UNSUPPORTED, "column '%.100s' has %llu list elements in one row group",
             s->chunk.schema->name, (unsigned long long)most);
  AQ_TRY(aq_pq_check_unpacked(&s->chunk, most * sizeof *out->values, err));
  AQ_TRY(aq_pq_check_memory(s->chunk.reader, s->rows * sizeof *out->lengths + most * sizeof *out->values, err));
  out->lengths = aq_realloc_array(NULL, (size_t)s->rows, sizeof *out->lengths);
  out->values = aq_realloc_array(NULL, (size_t)most, sizeof *out->values);
  if (out->lengths == NULL || out->values == NULL) return aq_fail_memory(err, (size_t)most * sizeof *out->values);
  uint64_t rows = 0;
  for (size_t p = 0; p < s->pages->count; p++) AQ_TRY(read_lists_of_page(s, &s->pages->data[p], &rows, out, err));
  AQ_FAIL_IF(rows != s->rows, AQ_ERR_FORMAT, "column '%.100s' has %llu lists for %llu rows", s->chunk.schema->name,
             (unsigned long long)rows, (unsigned long long)s->rows);
  return AQ_OK;
}

aq_status aq_pq_read_lists(aq_pq_reader *reader, size_t group, size_t column, aq_pq_lists *out, aq_error *err) {
  scan s;
  *out = (aq_pq_lists){NULL, NULL, 0};
  aq_status status =
      scan_begin(&s, reader, group, column, "lists of int32", 1u << AQ_PQ_LIST_INT32 | 1u << AQ_PQ_LIST_REAL, err);
  if (status == AQ_OK) status = read_lists(&s, out, err);
  if (status != AQ_OK) aq_pq_lists_reset(out);
  aq_pq_dictionary_reset(&s.dictionary);
  return aq_pq_add_context(reader, group, status, err);
}

void aq_pq_lists_reset(aq_pq_lists *lists) {
  aq_free(lists->lengths);
  aq_free(lists->values);
  *lists = (aq_pq_lists){NULL, NULL, 0};
}
