/* table_columns.c - the columns of a weight table: which there are, of which type, and where in a table. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/listing.h"
#include "io/table/table_rows.h"

static const struct {
  const char *name;
  aq_column_type type;
  const char *words;
} schema[AQ_COLUMNS_V2] = {
    [AQ_COLUMN_NAME] = {"layer_name", AQ_TYPE_STRING, "a string"},
    [AQ_COLUMN_SHAPE] = {"shape", AQ_TYPE_LIST, "a list of int32"},
    [AQ_COLUMN_DTYPE] = {"dtype", AQ_TYPE_STRING, "a string"},
    [AQ_COLUMN_DATA] = {"data", AQ_TYPE_BINARY, "binary"},
    [AQ_COLUMN_NUM_PARAMS] = {"num_params", AQ_TYPE_INTEGER, "int64"},
    [AQ_COLUMN_QUANT_TYPE] = {"quant_type", AQ_TYPE_STRING, "a string"},
    [AQ_COLUMN_SCALES] = {"scales", AQ_TYPE_BINARY, "binary"},
    [AQ_COLUMN_ZERO_POINTS] = {"zero_points", AQ_TYPE_BINARY, "binary"},
    [AQ_COLUMN_QUANT_AXIS] = {"quant_axis", AQ_TYPE_INTEGER, "int32"},
    [AQ_COLUMN_GROUP_SIZE] = {"group_size", AQ_TYPE_INTEGER, "int32"},
};

const char *aq_column_name(aq_column column) { return schema[column].name; }
aq_column_type aq_column_type_of(aq_column column) { return schema[column].type; }

aq_status aq_column_fail_type(aq_column column, aq_error *err) {
  return aq_fail(err, AQ_ERR_FORMAT, "column '%s' must be %s", schema[column].name, schema[column].words);
}

static int64_t find_name(const char *const *names, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(names[i], name) == 0) return (int64_t)i;
  }
  return -1;
}

static aq_status fail_missing(const char *const *names, size_t count, const char *const *missing, size_t missing_count,
                              int version, aq_error *err) {
  char lacking[200], found[80];
  const size_t shown = AQ_MIN(count, (size_t)AQ_COLUMNS_V2);
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "is not a V%d weight table: it has no column %s", version,
                                   aq_names_text(missing, missing_count, lacking, sizeof lacking));
  return aq_error_hint(err, status, "Its columns are %s%s", aq_names_text(names, shown, found, sizeof found),
                       count > shown ? ", ..." : "");
}

static aq_status note_extra(aq_source *source, const char *const *names, size_t count, size_t wanted, aq_error *err) {
  for (size_t i = 0; i < count; i++) {
    bool known = false;
    for (size_t k = 0; k < wanted && !known; k++) known = strcmp(schema[k].name, names[i]) == 0;
    if (!known && source != NULL)
      AQ_TRY(aq_source_add_note(source, err, "column '%.200s' is not part of the schema, ignored", names[i]));
  }
  return AQ_OK;
}

aq_status aq_table_columns_locate(aq_source *source, const char *const *names, size_t count, aq_table_columns *out,
                                  aq_error *err) {
  const char *missing[AQ_COLUMNS_V2];
  size_t missing_count = 0;
  out->version = find_name(names, count, schema[AQ_COLUMN_QUANT_TYPE].name) >= 0 ? 2 : 1;
  const size_t wanted = out->version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1;
  for (size_t i = 0; i < wanted; i++) {
    const int64_t at = find_name(names, count, schema[i].name);
    if (at < 0) {
      missing[missing_count++] = schema[i].name;
      continue;
    }
    out->at[i] = (size_t)at;
  }
  if (missing_count > 0) return fail_missing(names, count, missing, missing_count, out->version, err);
  return note_extra(source, names, count, wanted, err);
}

/* Writers differ in how they annotate byte arrays. */
static bool parquet_kind_ok(aq_column_type type, aq_pq_kind kind) {
  switch (type) {
    case AQ_TYPE_STRING:
    case AQ_TYPE_BINARY:
      return kind == AQ_PQ_STRING || kind == AQ_PQ_BINARY;
    case AQ_TYPE_INTEGER:
      return kind == AQ_PQ_INT32 || kind == AQ_PQ_INT64 || kind == AQ_PQ_REAL;
    case AQ_TYPE_LIST:
      return kind == AQ_PQ_LIST_INT32 || kind == AQ_PQ_LIST_REAL;
  }
  return false;
}

aq_status aq_table_columns_find(aq_source *source, const aq_pq_reader *reader, aq_table_columns *out, aq_error *err) {
  const size_t count = aq_pq_column_count(reader);
  const char **names = aq_calloc(count, sizeof *names);
  if (names == NULL) return aq_fail_memory(err, count * sizeof *names);
  for (size_t i = 0; i < count; i++) names[i] = aq_pq_column_name(reader, i);
  const aq_status status = aq_table_columns_locate(source, names, count, out, err);
  aq_free(names);
  if (status != AQ_OK) return status;
  for (size_t i = 0; i < (out->version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1); i++) {
    if (!parquet_kind_ok(aq_column_type_of((aq_column)i), aq_pq_column_kind(reader, out->at[i])))
      return aq_column_fail_type((aq_column)i, err);
  }
  return AQ_OK;
}
