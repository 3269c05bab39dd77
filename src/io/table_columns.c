/* table_columns.c - the columns of a weight table: which there are, of which kind, and where in a file. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "io/listing.h"
#include "io/table_rows.h"

#define KIND(kind) (1U << (kind))
#define TEXT (KIND(AQ_PQ_STRING) | KIND(AQ_PQ_BINARY)) /* writers differ in how they annotate byte arrays */
#define INTEGER (KIND(AQ_PQ_INT32) | KIND(AQ_PQ_INT64))

static const struct column_row {
  const char *name;
  unsigned kinds;
  const char *words;
} schema[AQ_COLUMNS_V2] = {
    [AQ_COLUMN_NAME] = {"layer_name", TEXT, "a string"},
    [AQ_COLUMN_SHAPE] = {"shape", KIND(AQ_PQ_LIST_INT32), "a list of int32"},
    [AQ_COLUMN_DTYPE] = {"dtype", TEXT, "a string"},
    [AQ_COLUMN_DATA] = {"data", TEXT, "binary"},
    [AQ_COLUMN_NUM_PARAMS] = {"num_params", INTEGER, "int64"},
    [AQ_COLUMN_QUANT_TYPE] = {"quant_type", TEXT, "a string"},
    [AQ_COLUMN_SCALES] = {"scales", TEXT, "binary"},
    [AQ_COLUMN_ZERO_POINTS] = {"zero_points", TEXT, "binary"},
    [AQ_COLUMN_QUANT_AXIS] = {"quant_axis", INTEGER, "int32"},
    [AQ_COLUMN_GROUP_SIZE] = {"group_size", INTEGER, "int32"},
};

static aq_status fail_missing(const aq_pq_reader *reader, const char *const *missing, size_t count, int version,
                              aq_error *err) {
  char lacking[200], found[80];
  const char *names[AQ_COLUMNS_V2];
  const size_t columns = AQ_MIN(aq_pq_column_count(reader), AQ_COUNT_OF(names));
  for (size_t i = 0; i < columns; i++) names[i] = aq_pq_column_name(reader, i);
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "is not a V%d weight table: it has no column %s", version,
                                   aq_names_text(missing, count, lacking, sizeof lacking));
  return aq_error_hint(err, status, "Its columns are %s%s", aq_names_text(names, columns, found, sizeof found),
                       aq_pq_column_count(reader) > columns ? ", ..." : "");
}

static aq_status note_extra(aq_source *source, const aq_pq_reader *reader, size_t wanted, aq_error *err) {
  for (size_t i = 0; i < aq_pq_column_count(reader); i++) {
    const char *name = aq_pq_column_name(reader, i);
    bool known = false;
    for (size_t k = 0; k < wanted && !known; k++) known = strcmp(schema[k].name, name) == 0;
    if (!known) AQ_TRY(aq_source_add_note(source, err, "column '%.200s' is not part of the schema, ignored", name));
  }
  return AQ_OK;
}

aq_status aq_table_columns_find(aq_source *source, const aq_pq_reader *reader, aq_table_columns *out, aq_error *err) {
  const char *missing[AQ_COLUMNS_V2];
  size_t missing_count = 0;
  out->version = aq_pq_column_find(reader, schema[AQ_COLUMN_QUANT_TYPE].name) >= 0 ? 2 : 1;
  const size_t wanted = out->version == 2 ? AQ_COLUMNS_V2 : AQ_COLUMNS_V1;
  for (size_t i = 0; i < wanted; i++) {
    const int64_t at = aq_pq_column_find(reader, schema[i].name);
    if (at < 0) {
      missing[missing_count++] = schema[i].name;
      continue;
    }
    out->at[i] = (size_t)at;
  }
  if (missing_count > 0) return fail_missing(reader, missing, missing_count, out->version, err);
  for (size_t i = 0; i < wanted; i++) {
    AQ_FAIL_IF((schema[i].kinds & KIND(aq_pq_column_kind(reader, out->at[i]))) == 0, AQ_ERR_FORMAT,
               "column '%s' must be %s", schema[i].name, schema[i].words);
  }
  return note_extra(source, reader, wanted, err);
}
