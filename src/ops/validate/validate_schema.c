/* validate_schema.c - does a table satisfy FORMAT.md.
 *
 * The checks read the file through the Parquet reader and at its tensors through the source, and count for
 * themselves what both must agree on. A check that does not pass is a finding; only what cannot be read at all is an
 * error. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "ops/validate/validate.h"
#include "parquet/parquet.h"
#include "report/report.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

enum { DETAIL = 384 };

static const struct schema_column {
  const char *name;
  aq_pq_kind kind;
} schema[] = {
    {"layer_name", AQ_PQ_STRING}, {"shape", AQ_PQ_LIST_INT32},  {"dtype", AQ_PQ_STRING},  {"data", AQ_PQ_BINARY},
    {"num_params", AQ_PQ_INT64},  {"quant_type", AQ_PQ_STRING}, {"scales", AQ_PQ_BINARY}, {"zero_points", AQ_PQ_BINARY},
    {"quant_axis", AQ_PQ_INT32},  {"group_size", AQ_PQ_INT32},
};
enum { V1_COLUMNS = 5 };

aq_status aq_check_add(json_t *checks, const char *id, const char *what, bool passed, const char *detail,
                       aq_error *err) {
  AQ_TRY(aq_report_append(checks, json_object(), err));
  json_t *check = json_array_get(checks, json_array_size(checks) - 1);
  AQ_TRY(aq_report_set(check, "id", json_string(id), err));
  AQ_TRY(aq_report_set(check, "what", json_string(what), err));
  AQ_TRY(aq_report_set(check, "passed", json_boolean(passed), err));
  return aq_report_set(check, "detail", aq_json_string(detail), err);
}

static aq_status check_columns(const aq_pq_reader *reader, int version, json_t *checks, aq_error *err) {
  const size_t expected = version == 1 ? V1_COLUMNS : AQ_COUNT_OF(schema), found = aq_pq_column_count(reader);
  char detail[DETAIL];
  (void)snprintf(detail, sizeof detail, "%zu columns", found);
  bool passed = found == expected;
  for (size_t c = 0; passed && c < expected; c++) {
    const char *name = aq_pq_column_name(reader, c);
    passed = strcmp(name, schema[c].name) == 0 && aq_pq_column_kind(reader, c) == schema[c].kind;
    if (!passed) {
      (void)snprintf(detail, sizeof detail, "column %zu is '%s', expected was '%s'", c + 1, name, schema[c].name);
    }
  }
  return aq_check_add(checks, "columns", "the columns of the schema, in order, of their types, and no others", passed,
                      detail, err);
}

/* Segments of tensors that are not tied to others: each is a row. */
static aq_status check_rows(const aq_pq_reader *reader, const aq_source *table, json_t *checks, aq_error *err) {
  uint64_t segments = 0;
  for (size_t i = 0; i < table->tensor_count; i++) {
    if (table->tensors[i].alias_of < 0) segments += table->segment_first[i + 1] - table->segment_first[i];
  }
  const uint64_t rows = aq_pq_row_count(reader);
  char detail[DETAIL];
  (void)snprintf(detail, sizeof detail, "%llu rows, %zu tensors", (unsigned long long)rows, table->tensor_count);
  return aq_check_add(checks, "rows", "one row per tensor, or a part of a large one", rows == segments, detail, err);
}

static aq_status check_version(const aq_source *table, int version, json_t *checks, aq_error *err) {
  return aq_check_add(checks, "schema_version", "a reader sees the schema version that was written",
                      table->schema_version == version, table->format, err);
}

static aq_status check_tensors(const aq_source *table, const aq_source *source, json_t *checks, aq_error *err) {
  size_t good = 0;
  char detail[DETAIL] = "";
  for (size_t i = 0; i < source->tensor_count; i++) {
    const aq_tensor_info *t = &source->tensors[i];
    const int64_t j = aq_source_find(table, t->name);
    const bool ok = j >= 0 && aq_same_shape(t, &table->tensors[j]);
    if (ok) good++;
    if (!ok && detail[0] == '\0')
      (void)snprintf(detail, sizeof detail, "'%s' %s", t->name, j < 0 ? "is missing" : "has another shape");
  }
  const bool passed = good == source->tensor_count && table->tensor_count == source->tensor_count;
  if (detail[0] == '\0') {
    (void)snprintf(detail, sizeof detail, "%zu of %zu tensors, %zu in the table", good, source->tensor_count,
                   table->tensor_count);
  }
  return aq_check_add(checks, "tensors", "every tensor of the model is there in its shape, and no other", passed,
                      detail, err);
}

/* The rules of FORMAT.md for the lengths of a row. */
static bool lengths_fit(const aq_tensor_info *t) {
  uint64_t bytes = 0;
  if (t->quant_type == AQ_KEPT)
    return t->num_scales == 0 && aq_dtype_bytes_ok(t->num_params, t->dtype, &bytes) && t->data_bytes == bytes;
  if (!aq_packed_bytes_ok(t->num_params, t->quant_type, &bytes)) return false;
  return t->data_bytes == bytes &&
         t->num_scales == aq_scale_count(t->shape, t->rank, t->num_params, t->quant_axis, t->group_size);
}

static aq_status check_lengths(const aq_source *table, json_t *checks, aq_error *err) {
  char detail[DETAIL] = "";
  for (size_t i = 0; i < table->tensor_count && detail[0] == '\0'; i++) {
    const aq_tensor_info *t = &table->tensors[i];
    /* A part's codes end on a byte and its groups begin anew: lengths of tensors in parts add up differently. */
    if (table->segment_first[i + 1] - table->segment_first[i] > 1) continue;
    if (!lengths_fit(t)) (void)snprintf(detail, sizeof detail, "'%s' has a length that does not fit", t->name);
  }
  const bool passed = detail[0] == '\0';
  if (passed) (void)snprintf(detail, sizeof detail, "%zu tensors", table->tensor_count);
  return aq_check_add(checks, "lengths", "data, scales and zero points have the lengths that shape and type demand",
                      passed, detail, err);
}

static aq_status check_pages(aq_pq_reader *reader, json_t *checks, aq_error *err) {
  aq_pq_check sums = {0, 0, 0};
  char detail[DETAIL] = "";
  for (size_t g = 0; g < aq_pq_row_group_count(reader) && detail[0] == '\0'; g++) {
    for (size_t c = 0; c < aq_pq_column_count(reader) && detail[0] == '\0'; c++) {
      aq_pq_check found = {0, 0, 0};
      aq_error damage;
      const aq_status st = aq_pq_verify_chunk(reader, g, c, false, &found, &damage);
      if (st == AQ_ERR_CORRUPT || st == AQ_ERR_FORMAT) {
        (void)snprintf(detail, sizeof detail, "%.*s", DETAIL - 1, damage.message);
      } else if (st != AQ_OK) {
        if (err != NULL) *err = damage;
        return st;
      }
      sums.pages += found.pages;
      sums.pages_with_crc += found.pages_with_crc;
    }
  }
  const bool passed = detail[0] == '\0' && sums.pages == sums.pages_with_crc;
  if (detail[0] == '\0') {
    (void)snprintf(detail, sizeof detail, "%llu pages, %llu with a checksum", (unsigned long long)sums.pages,
                   (unsigned long long)sums.pages_with_crc);
  }
  return aq_check_add(checks, "checksums", "every page has a checksum, and it is right", passed, detail, err);
}

aq_status aq_check_table(const char *path, const aq_source *table, int schema_version, const aq_source *source,
                         json_t *checks, aq_error *err) {
  aq_pq_reader *reader;
  AQ_TRY(aq_pq_reader_open(path, NULL, &reader, err));
  aq_status status = check_columns(reader, schema_version, checks, err);
  if (status == AQ_OK) status = check_version(table, schema_version, checks, err);
  if (status == AQ_OK) status = check_rows(reader, table, checks, err);
  if (status == AQ_OK) status = check_tensors(table, source, checks, err);
  if (status == AQ_OK) status = check_lengths(table, checks, err);
  if (status == AQ_OK) status = check_pages(reader, checks, err);
  aq_pq_reader_close(reader);
  return status;
}

/* ---- bytes ---- */

enum { COMPARE_CHUNK = 1 << 18 };

static aq_status same_bytes(const aq_source *a, size_t ia, const aq_source *b, size_t ib, uint8_t *scratch, bool *same,
                            aq_error *err) {
  const aq_tensor_info *ta = &a->tensors[ia], *tb = &b->tensors[ib];
  *same = ta->dtype == tb->dtype && ta->data_bytes == tb->data_bytes;
  for (uint64_t offset = 0; *same && offset < ta->data_bytes; offset += COMPARE_CHUNK) {
    const size_t n = (size_t)AQ_MIN(ta->data_bytes - offset, (uint64_t)COMPARE_CHUNK);
    AQ_TRY(aq_source_read_bytes(a, ia, offset, n, scratch, err));
    AQ_TRY(aq_source_read_bytes(b, ib, offset, n, scratch + COMPARE_CHUNK, err));
    *same = memcmp(scratch, scratch + COMPARE_CHUNK, n) == 0;
  }
  return AQ_OK;
}

aq_status aq_check_equal_bytes(const aq_source *table, const aq_source *source, json_t *checks, aq_error *err) {
  uint8_t *scratch = aq_malloc(2 * (size_t)COMPARE_CHUNK);
  if (scratch == NULL) return aq_fail_memory(err, 2 * (size_t)COMPARE_CHUNK);
  char detail[DETAIL] = "";
  size_t kept = 0;
  aq_status status = AQ_OK;
  for (size_t i = 0; status == AQ_OK && i < source->tensor_count && detail[0] == '\0'; i++) {
    const int64_t j = aq_source_find(table, source->tensors[i].name);
    if (j < 0 || table->tensors[j].quant_type != AQ_KEPT) continue;
    bool same;
    status = same_bytes(source, i, table, (size_t)j, scratch, &same, err);
    kept++;
    if (status == AQ_OK && !same) (void)snprintf(detail, sizeof detail, "'%s' differs", source->tensors[i].name);
  }
  aq_free(scratch);
  AQ_TRY(status);
  const bool passed = detail[0] == '\0';
  if (passed) (void)snprintf(detail, sizeof detail, "%zu tensors", kept);
  return aq_check_add(checks, "kept_bytes", "tensors kept as they are have the model's values, bit for bit", passed,
                      detail, err);
}
