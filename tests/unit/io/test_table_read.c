/* test_table_read.c - V1 and V2 weight tables as sources: the rules of FORMAT.md, one by one. The tables are written
 * column by column here, so that they can break the rules. */
#include "check.h"
#include "temp_folder.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/pool.h"
#include "io/source.h"
#include "parquet/parquet.h"

static aq_error err;
static aq_pool *pool;

/* Bits of `nulls`, and columns in the order of the schema. */
enum { NAME, SHAPE, DTYPE, DATA, NUM_PARAMS, QUANT_TYPE, SCALES, ZERO_POINTS, QUANT_AXIS, GROUP_SIZE, EXTRA, COLUMNS };
static const aq_pq_column_def defs[COLUMNS] = {
    {"layer_name", AQ_PQ_STRING, false}, {"shape", AQ_PQ_LIST_INT32, false},  {"dtype", AQ_PQ_STRING, false},
    {"data", AQ_PQ_BINARY, true},        {"num_params", AQ_PQ_INT64, false},  {"quant_type", AQ_PQ_STRING, false},
    {"scales", AQ_PQ_BINARY, true},      {"zero_points", AQ_PQ_BINARY, true}, {"quant_axis", AQ_PQ_INT32, false},
    {"group_size", AQ_PQ_INT32, false},  {"comment", AQ_PQ_STRING, false},
};
static const int v1_columns[] = {NAME, SHAPE, DTYPE, DATA, NUM_PARAMS};
static const int v2_columns[] = {NAME,       SHAPE,  DTYPE,       DATA,       NUM_PARAMS,
                                 QUANT_TYPE, SCALES, ZERO_POINTS, QUANT_AXIS, GROUP_SIZE};

typedef struct row {
  const char *name, *dtype;
  int32_t shape[4];
  size_t rank;
  int64_t num_params;
  const void *data;
  uint64_t data_bytes;
  const char *type;
  const float *scales, *zeros;
  uint64_t scale_count, zero_count;
  int32_t axis, group;
  unsigned nulls;
} row;

static aq_pq_cell text_cell(const char *text) { return (aq_pq_cell){.bytes = text, .size = strlen(text)}; }

static aq_pq_cell cell_of(const row *r, int column) {
  aq_pq_cell cell = {0};
  switch (column) {
    case NAME:
      cell = text_cell(r->name);
      break;
    case SHAPE:
      cell = (aq_pq_cell){.list = r->shape, .list_length = r->rank};
      break;
    case DTYPE:
      cell = text_cell(r->dtype);
      break;
    case DATA:
      cell = (aq_pq_cell){.bytes = r->data, .size = r->data_bytes};
      break;
    case NUM_PARAMS:
      cell.integer = r->num_params;
      break;
    case QUANT_TYPE:
      cell = text_cell(r->type);
      break;
    case SCALES:
      cell = (aq_pq_cell){.bytes = r->scales, .size = r->scale_count * 4};
      break;
    case ZERO_POINTS:
      cell = (aq_pq_cell){.bytes = r->zeros, .size = r->zero_count * 4};
      break;
    case QUANT_AXIS:
      cell.integer = r->axis;
      break;
    case GROUP_SIZE:
      cell.integer = r->group;
      break;
    default:
      cell = text_cell("extra");
  }
  cell.is_null = (r->nulls >> column & 1) != 0;
  return cell;
}

typedef struct table {
  const int *columns;
  size_t column_count;
  const row *rows;
  size_t row_count;
  const char *aliases;
  aq_pq_codec_choice codec;
  const char *by;
  uint64_t group_bytes;
} table;

static const char *write_table(const table *t) {
  static const char *name = "t.parquet";
  aq_pq_column_def own[COLUMNS];
  for (size_t i = 0; i < t->column_count; i++) own[i] = defs[t->columns[i]];
  const aq_pq_writer_options options = {.codec = t->codec,
                                        .codec_level = INT32_MIN,
                                        .row_group_bytes = t->group_bytes,
                                        .force = true,
                                        .created_by = t->by != NULL ? t->by : "arrowquant test",
                                        .pool = pool};
  aq_pq_writer *w = NULL;
  const char *path = temp_path(name);
  assert_ok(aq_pq_writer_create(path, own, t->column_count, &options, &w, &err));
  for (size_t i = 0; i < t->row_count; i++) {
    aq_pq_cell cells[COLUMNS];
    for (size_t k = 0; k < t->column_count; k++) cells[k] = cell_of(&t->rows[i], t->columns[k]);
    assert_ok(aq_pq_writer_add(w, cells, &err));
  }
  assert_ok(aq_pq_writer_metadata(w, "some key", "some value", &err));
  if (t->aliases != NULL) assert_ok(aq_pq_writer_metadata(w, "arrowquant.aliases", t->aliases, &err));
  assert_ok(aq_pq_writer_commit(w, NULL, &err));
  return path;
}

static table table_of(const row *rows, size_t count) {
  const bool v2 = rows[0].type != NULL;
  return (table){.columns = v2 ? v2_columns : v1_columns,
                 .column_count = v2 ? AQ_COUNT_OF(v2_columns) : AQ_COUNT_OF(v1_columns),
                 .rows = rows,
                 .row_count = count,
                 .codec = AQ_PQ_CODEC_NONE};
}

static aq_source *open_table(const table *t) {
  aq_source *s = NULL;
  assert_ok(aq_source_open(write_table(t), NULL, &s, &err));
  return s;
}

static void table_fails(const table *t, aq_status status, const char *words, const char *tensor) {
  aq_source *s = NULL;
  const char *path = write_table(t);
  const aq_status got = aq_source_open(path, NULL, &s, &err);
  if (got != status) fail_msg("status %d (%s) instead of %d: %s", (int)got, err.message, (int)status, words);
  if (strstr(err.message, words) == NULL) fail_msg("'%s' is not in '%s'", words, err.message);
  if (tensor != NULL) assert_string_equal(err.tensor, tensor);
  assert_non_null(strstr(err.file, "t.parquet"));
  assert_int_equal(aq_source_open(path, NULL, &s, NULL), status);
}

static void rows_fail(const row *rows, size_t count, aq_status status, const char *words, const char *tensor) {
  const table t = table_of(rows, count);
  table_fails(&t, status, words, tensor);
}

static void aliases_fail(const row *rows, size_t count, const char *aliases, const char *words, const char *tensor) {
  table t = table_of(rows, count);
  t.aliases = aliases;
  table_fails(&t, AQ_ERR_FORMAT, words, tensor);
}

static const float values[6] = {1, -2, 3, -4, 5, -6};
static const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1}, zeros[8];
static const row v1_row = {.name = "w",
                           .dtype = "torch.float32",
                           .shape = {2, 3},
                           .rank = 2,
                           .num_params = 6,
                           .data = values,
                           .data_bytes = 24};
static const row v2_row = {.name = "q",
                           .dtype = "torch.bfloat16",
                           .shape = {2, 3},
                           .rank = 2,
                           .num_params = 6,
                           .data = "\x01\x23\x45",
                           .data_bytes = 3,
                           .type = "int4",
                           .scales = ones,
                           .zeros = zeros,
                           .scale_count = 2,
                           .zero_count = 2,
                           .axis = 0,
                           .group = 0};

static void v1_table_gives_its_tensors(void **state) {
  (void)state;
  const row rows[] = {
      v1_row,
      {.name = "scalar", .dtype = "int64", .num_params = 1, .data = "\x07\0\0\0\0\0\0", .data_bytes = 8},
      {.name = "empty", .dtype = "torch.float16", .shape = {0, 5}, .rank = 2, .data = ""}};
  const table t = table_of(rows, 3);
  aq_source *s = open_table(&t);
  assert_string_equal(aq_source_format(s), "table V1");
  assert_int_equal(aq_source_schema_version(s), 1);
  assert_int_equal(aq_source_tensor_count(s), 3);
  const aq_tensor_info *w = aq_source_tensor(s, 0);
  assert_string_equal(w->name, "w");
  assert_int_equal(w->dtype, AQ_F32);
  assert_int_equal(w->quant_type, AQ_KEPT);
  assert_int_equal(w->shape[1], 3);
  assert_int_equal(w->data_bytes, 24);
  assert_in_range(w->stored_bytes, 24, 200);
  assert_int_equal(w->num_scales, 0);
  assert_int_equal(aq_source_tensor(s, 1)->dtype, AQ_I64);
  assert_int_equal(aq_source_tensor(s, 1)->rank, 0);
  float out[6];
  assert_ok(aq_source_read_f32(s, 0, 0, 6, out, &err));
  assert_memory_equal(out, values, 24);
  assert_ok(aq_source_read_f32(s, 1, 0, 1, out, &err));
  assert_true(out[0] == 7);
  assert_ok(aq_source_read_f32(s, 2, 0, 0, out, &err));
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 0, &tensor, &err));
  assert_true(tensor.is_view);
  assert_memory_equal(tensor.data, values, 24);
  aq_tensor_release(&tensor);
  bool found = false;
  for (size_t i = 0; i < aq_source_metadata_count(s); i++)
    found = found || strcmp(aq_source_metadata_key(s, i), "some key") == 0;
  assert_true(found);
  assert_int_equal(s->note_count, 0);
  aq_source_close(s);
}

static void v2_table_gives_its_tensors(void **state) {
  (void)state;
  static const float scales[3] = {2, 0.5F, 4}, points[3] = {0, 1.5F, -1};
  row rows[] = {v2_row, v1_row, v2_row, v2_row};
  rows[1].type = "fp32";
  rows[1].axis = -1;
  rows[1].scales = rows[1].zeros = scales;
  rows[2].name = "groups";
  rows[2].group = 2;
  rows[2].scales = scales;
  rows[2].zeros = points;
  rows[2].scale_count = rows[2].zero_count = 3;
  rows[3].name = "one scale";
  rows[3].scale_count = rows[3].zero_count = 1;
  rows[3].nulls = 1U << QUANT_AXIS | 1U << GROUP_SIZE;
  const table t = table_of(rows, 4);
  aq_source *s = open_table(&t);
  assert_string_equal(aq_source_format(s), "table V2");
  assert_int_equal(aq_source_schema_version(s), 2);
  const aq_tensor_info *q = aq_source_tensor(s, 0), *one = aq_source_tensor(s, 3);
  assert_int_equal(q->dtype, AQ_BF16);
  assert_int_equal(q->quant_type, AQ_INT4);
  assert_int_equal(q->num_scales, 2);
  assert_int_equal(q->data_bytes, 3);
  assert_int_equal(one->num_scales, 1);
  assert_int_equal(one->quant_axis, -1);
  assert_int_equal(one->group_size, 0);
  assert_int_equal(aq_source_tensor(s, 1)->quant_type, AQ_KEPT);
  float out[6];
  assert_ok(aq_source_read_f32(s, 0, 0, 6, out, &err));
  static const float codes[6] = {-7, -8, -5, -6, -3, -4};
  assert_memory_equal(out, codes, 24);
  assert_ok(aq_source_read_f32(s, 2, 1, 5, out, &err));
  static const float grouped[5] = {-16, -3.25F, -3.75F, -8, -12};
  assert_memory_equal(out, grouped, 20);
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 2, &tensor, &err));
  assert_int_equal(tensor.num_scales, 3);
  assert_memory_equal(tensor.scales, scales, 12);
  assert_memory_equal(tensor.zero_points, points, 12);
  aq_tensor_release(&tensor);
  aq_source_close(s);
}

static void columns_in_any_order_with_extra_ones_are_found(void **state) {
  (void)state;
  static const int shuffled[] = {EXTRA, DATA, NUM_PARAMS, DTYPE, SHAPE, NAME};
  table t = table_of(&v1_row, 1);
  t.columns = shuffled;
  t.column_count = AQ_COUNT_OF(shuffled);
  aq_source *s = open_table(&t);
  float out[6];
  assert_ok(aq_source_read_f32(s, 0, 0, 6, out, &err));
  assert_memory_equal(out, values, 24);
  assert_int_equal(s->note_count, 1);
  assert_non_null(strstr(s->notes[0], "'comment'"));
  aq_source_close(s);
}

static void columns_missing_are_named(void **state) {
  (void)state;
  static const int some[] = {NAME, DATA, NUM_PARAMS};
  static const int no_scales[] = {NAME,       SHAPE,       DTYPE,      DATA,      NUM_PARAMS,
                                  QUANT_TYPE, ZERO_POINTS, QUANT_AXIS, GROUP_SIZE};
  table t = table_of(&v1_row, 1);
  t.columns = some;
  t.column_count = AQ_COUNT_OF(some);
  table_fails(&t, AQ_ERR_FORMAT, "is not a V1 weight table: it has no column shape, dtype", NULL);
  t = table_of(&v2_row, 1);
  t.columns = no_scales;
  t.column_count = AQ_COUNT_OF(no_scales);
  table_fails(&t, AQ_ERR_FORMAT, "is not a V2 weight table: it has no column scales", NULL);
}

static void nulls_are_refused_by_row(void **state) {
  (void)state;
  static const struct {
    int column;
    const char *words;
  } cases[] = {{NAME, "layer_name is null"},       {SHAPE, "shape is null"},
               {DTYPE, "dtype is null"},           {DATA, "data is null"},
               {NUM_PARAMS, "num_params is null"}, {QUANT_TYPE, "quant_type is null"},
               {SCALES, "scales is null"},         {ZERO_POINTS, "zero_points is null"}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    row rows[] = {v2_row, v2_row};
    char words[64];
    rows[1].name = "second";
    rows[1].nulls = 1U << cases[i].column;
    (void)snprintf(words, sizeof words, "row 1: %s", cases[i].words);
    rows_fail(rows, 2, AQ_ERR_FORMAT, words, cases[i].column == NAME ? "" : "second");
    assert_int_equal(err.row_group, 0);
  }
}

static void fields_wrong_are_refused(void **state) {
  (void)state;
#define WRONG(status, words, ...)             \
  do {                                        \
    row r = v2_row;                           \
    __VA_ARGS__;                              \
    rows_fail(&r, 1, (status), (words), "q"); \
  } while (0)
  WRONG(AQ_ERR_FORMAT, "num_params is 7, shape [2, 3] has 6 elements", r.num_params = 7);
  WRONG(AQ_ERR_FORMAT, "shape [-2, 3] is not one", r.shape[0] = -2);
  WRONG(AQ_ERR_UNSUPPORTED, "dtype 'torch.complex64' is not supported", r.dtype = "torch.complex64");
  WRONG(AQ_ERR_UNSUPPORTED, "quant_type 'nf4' is not supported", r.type = "nf4");
  WRONG(AQ_ERR_FORMAT, "quant_axis is 1; it must be -1 or 0", r.axis = 1);
  WRONG(AQ_ERR_FORMAT, "quant_axis is -2", r.axis = -2);
  WRONG(AQ_ERR_FORMAT, "group_size is -1", r.group = -1);
  WRONG(AQ_ERR_FORMAT, "group_size is 2, but quant_axis is -1", (r.group = 2, r.axis = -1));
  WRONG(AQ_ERR_CORRUPT, "data has 2 bytes; 6 elements of int4 take 3", r.data_bytes = 2);
  WRONG(AQ_ERR_CORRUPT, "data has 3 bytes; 6 elements of int8 take 6", r.type = "int8");
  WRONG(AQ_ERR_CORRUPT, "data has 3 bytes; 6 elements of torch.bfloat16 take 12", r.type = "fp16");
  WRONG(AQ_ERR_CORRUPT, "scales has 4 bytes; 2 FP32 values are expected", r.scale_count = 1);
  WRONG(AQ_ERR_CORRUPT, "zero_points has 0 bytes; 2 FP32 values are expected", r.zero_count = 0);
  WRONG(AQ_ERR_CORRUPT, "scales has 8 bytes; 3 FP32 values are expected", r.group = 2);
  WRONG(AQ_ERR_CORRUPT, "scales has 8 bytes; 0 FP32 values are expected",
        (r.type = "fp16", r.data = values, r.data_bytes = 12));
#undef WRONG
  const row same[] = {v1_row, v1_row};
  rows_fail(same, 2, AQ_ERR_FORMAT, "rows 0 and 1 have the same name", "w");
}

static void names_that_are_not_utf8_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"a\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xff"};
  row r = v1_row;
  for (size_t i = 0; i < AQ_COUNT_OF(bad); i++) {
    r.name = bad[i];
    rows_fail(&r, 1, AQ_ERR_FORMAT, "row 0: layer_name is not UTF-8", NULL);
  }
  r.name = "\xe2\x82\xac \xc3\xa4 \xf0\x9f\x98\x80";
  const table t = table_of(&r, 1);
  aq_source_close(open_table(&t));
}

static void fp16_bits_under_float32_are_read(void **state) {
  (void)state;
  static const uint16_t bits[6] = {0x3c00, 0xc000, 0x4200, 0xc400, 0x4500, 0xc600};
  row r = v1_row;
  r.type = "fp16";
  r.data = bits;
  r.data_bytes = 12;
  r.scales = r.zeros = zeros;
  r.axis = -1;
  const table t = table_of(&r, 1);
  aq_source *s = open_table(&t);
  assert_int_equal(aq_source_tensor(s, 0)->dtype, AQ_F32);
  assert_int_equal(aq_source_tensor(s, 0)->data_bytes, 24);
  float out[6];
  assert_ok(aq_source_read_f32(s, 0, 0, 6, out, &err));
  assert_memory_equal(out, values, 24);
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 0, &tensor, &err));
  assert_memory_equal(tensor.data, values, 24);
  aq_tensor_release(&tensor);
  aq_source_close(s);
}

/* A part of `count` rows of three values, from row `lo` of a counting tensor. */
static row part(char name[24], int lo, int count) {
  static float counting[64 * 3];
  for (size_t i = 0; i < AQ_COUNT_OF(counting); i++) counting[i] = (float)i;
  (void)snprintf(name, 24, "big[%d:%d]", lo, lo + count);
  return (row){.name = name,
               .dtype = "torch.float32",
               .shape = {count, 3},
               .rank = 2,
               .num_params = count * 3,
               .data = counting + lo * 3,
               .data_bytes = (uint64_t)count * 12};
}

static void parts_are_joined(void **state) {
  (void)state;
  char names[3][24];
  const row rows[] = {part(names[0], 0, 2), v1_row, part(names[1], 2, 5), part(names[2], 7, 1)};
  table t = table_of(rows, 4);
  t.group_bytes = 1;
  aq_source *s = open_table(&t);
  assert_int_equal(aq_source_tensor_count(s), 2);
  const aq_tensor_info *big = aq_source_tensor(s, 0);
  assert_string_equal(big->name, "big");
  assert_int_equal(big->shape[0], 8);
  assert_int_equal(big->num_params, 24);
  assert_int_equal(big->data_bytes, 96);
  assert_in_range(big->stored_bytes, 96, 400);
  float out[24];
  assert_ok(aq_source_read_f32(s, 0, 4, 19, out, &err));
  for (int i = 0; i < 19; i++) assert_true(out[i] == (float)(i + 4));
  aq_tensor tensor;
  assert_ok(aq_source_load(s, 0, &tensor, &err));
  assert_false(tensor.is_view);
  assert_int_equal(tensor.data_bytes, 96);
  assert_true(((const float *)tensor.data)[23] == 23);
  aq_tensor_release(&tensor);
  aq_source_close(s);
}

static void parts_quantized_keep_their_own_scales(void **state) {
  (void)state;
  static const float scales[2] = {2, 3};
  row rows[] = {v2_row, v2_row};
  rows[0].name = "q[0:2]";
  rows[1].name = "q[2:4]";
  for (int i = 0; i < 2; i++) {
    rows[i].axis = -1;
    rows[i].scale_count = rows[i].zero_count = 1;
    rows[i].scales = &scales[i];
  }
  const table t = table_of(rows, 2);
  aq_source *s = open_table(&t);
  assert_int_equal(aq_source_tensor(s, 0)->num_scales, 2);
  assert_int_equal(aq_source_tensor(s, 0)->data_bytes, 6);
  float out[12];
  assert_ok(aq_source_read_f32(s, 0, 0, 12, out, &err));
  static const float expected[12] = {-14, -16, -10, -12, -6, -8, -21, -24, -15, -18, -9, -12};
  assert_memory_equal(out, expected, sizeof out);
  aq_tensor tensor;
  assert_int_equal(aq_source_load(s, 0, &tensor, &err), AQ_ERR_UNSUPPORTED);
  aq_source_close(s);
}

static void parts_that_do_not_fit_are_refused(void **state) {
  (void)state;
  char names[3][24];
  const row gap[] = {part(names[0], 0, 2), part(names[1], 3, 2)};
  rows_fail(gap, 2, AQ_ERR_FORMAT, "the slices [2:3] are missing", "big");
  const row overlap[] = {part(names[0], 0, 2), part(names[1], 1, 2)};
  rows_fail(overlap, 2, AQ_ERR_FORMAT, "part [1:3] overlaps part [0:2]", "big");
  const row no_first[] = {part(names[0], 2, 2)};
  rows_fail(no_first, 1, AQ_ERR_FORMAT, "the slices [0:2] are missing", "big");
  row whole[] = {part(names[0], 0, 2), v1_row};
  whole[1].name = "big";
  rows_fail(whole, 2, AQ_ERR_FORMAT, "both parts and a whole tensor", "big");
  row mixed[] = {part(names[0], 0, 2), part(names[1], 2, 2)};
  mixed[1].dtype = "torch.int32";
  rows_fail(mixed, 2, AQ_ERR_FORMAT, "differs from the first one in dtype", "big");
  row length[] = {part(names[0], 0, 2)};
  length[0].name = "big[0:3]";
  rows_fail(length, 1, AQ_ERR_FORMAT, "the name says 3 slices along axis 0, the shape is [2, 3]", "big[0:3]");
}

static void aliases_become_tensors(void **state) {
  (void)state;
  const row rows[] = {v1_row};
  table t = table_of(rows, 1);
  t.aliases = "{\"lm_head\": \"w\", \"other\": \"w\"}";
  aq_source *s = open_table(&t);
  assert_int_equal(aq_source_tensor_count(s), 3);
  const aq_tensor_info *alias = aq_source_tensor(s, 1);
  assert_string_equal(alias->name, "lm_head");
  assert_int_equal(alias->alias_of, 0);
  assert_int_equal(alias->stored_bytes, 0);
  assert_int_equal(alias->num_params, 6);
  float out[6];
  assert_ok(aq_source_read_f32(s, 2, 0, 6, out, &err));
  assert_memory_equal(out, values, 24);
  aq_source_close(s);
}

static void aliases_wrong_are_refused(void **state) {
  (void)state;
  row rows[] = {v1_row, v1_row};
  rows[1].name = "v";
  aliases_fail(rows, 2, "{\"a\": \"gone\"}", "stands for 'gone', which the table does not hold", "a");
  aliases_fail(rows, 2, "{\"a\": \"w\", \"b\": \"a\"}", "stands for 'a', which is an alias itself", "b");
  aliases_fail(rows, 2, "{\"a\": \"b\", \"b\": \"a\"}", "stands for 'b', which the table does not hold", "a");
  aliases_fail(rows, 2, "{\"v\": \"w\"}", "there is a tensor of this name already", "v");
  aliases_fail(rows, 2, "{\"a\": 1}", "by a string", "a");
  aliases_fail(rows, 2, "{\"a[0:1]\": \"w\"}", "that of a part", "a[0:1]");
  aliases_fail(rows, 2, "{\"a\": \"w\", \"a\": \"w\"}", "duplicate object key", NULL);
  aliases_fail(rows, 2, "[\"a\"]", "not an object", NULL);
}

typedef struct reading {
  const aq_source *source;
  const uint16_t *expected; /* of both tensors, one after the other */
  uint64_t count, step;
} reading;

static aq_status read_in_steps(void *ctx, uint64_t item, uint32_t worker, aq_error *e) {
  (void)worker;
  const reading *r = ctx;
  float out[1000];
  const uint64_t first = item / 2 * r->step, n = AQ_MIN(r->step, r->count - first);
  AQ_TRY(aq_source_read_f32(r->source, item % 2, first, n, out, e));
  for (uint64_t i = 0; i < n; i++) {
    if (out[i] != (float)r->expected[item % 2 * r->count + first + i])
      return aq_fail(e, AQ_ERR_CORRUPT, "value %d", (int)(first + i));
  }
  return AQ_OK;
}

/* Compressed pages of our writer and of others, by several threads in pieces of every size. */
static void read_in_pieces_of_compressed_pages_by_threads(void **state) {
  (void)state;
  enum { COUNT = 420000 };
  static const aq_pq_codec_choice codecs[] = {AQ_PQ_CODEC_ZSTD, AQ_PQ_CODEC_SNAPPY, AQ_PQ_CODEC_NONE};
  uint16_t *data = malloc(2 * COUNT * sizeof *data);
  assert_non_null(data);
  for (size_t i = 0; i < 2 * COUNT; i++) data[i] = (uint16_t)(i / 7);
  row rows[2] = {{.name = "a",
                  .dtype = "torch.uint16",
                  .shape = {COUNT},
                  .rank = 1,
                  .num_params = COUNT,
                  .data = data,
                  .data_bytes = COUNT * 2}};
  rows[1] = rows[0];
  rows[1].name = "b";
  rows[1].data = data + COUNT;
  for (size_t i = 0; i < 2 * AQ_COUNT_OF(codecs); i++) {
    table t = table_of(rows, 2);
    t.codec = codecs[i / 2];
    t.by = i % 2 == 0 ? "arrowquant 1" : "another writer";
    aq_source *s = open_table(&t);
    reading r = {s, data, COUNT, 1000};
    assert_ok(aq_pool_run(pool, COUNT / 1000 * 2, read_in_steps, &r, &err));
    aq_tensor tensor;
    assert_ok(aq_source_load(s, 1, &tensor, &err));
    assert_memory_equal(tensor.data, data + COUNT, COUNT * 2);
    assert_int_equal(tensor.is_view, codecs[i / 2] == AQ_PQ_CODEC_NONE);
    aq_tensor_release(&tensor);
    aq_source_close(s);
  }
  free(data);
}

static void file_cut_off_is_refused(void **state) {
  (void)state;
  const table t = table_of(&v1_row, 1);
  const char *path = write_table(&t);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(truncate(path, info.st_size - 5), 0);
  aq_source *s = NULL;
  const aq_status status = aq_source_open(path, NULL, &s, &err);
  assert_true(status == AQ_ERR_CORRUPT || status == AQ_ERR_FORMAT);
  assert_null(s);
}

static int make_pool(void **state) { return aq_pool_create(3, &pool, NULL) == AQ_OK ? temp_setup(state) : -1; }

static int drop_pool(void **state) {
  aq_pool_free(pool);
  return temp_teardown(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(v1_table_gives_its_tensors),
      cmocka_unit_test(v2_table_gives_its_tensors),
      cmocka_unit_test(columns_in_any_order_with_extra_ones_are_found),
      cmocka_unit_test(columns_missing_are_named),
      cmocka_unit_test(nulls_are_refused_by_row),
      cmocka_unit_test(fields_wrong_are_refused),
      cmocka_unit_test(names_that_are_not_utf8_are_refused),
      cmocka_unit_test(fp16_bits_under_float32_are_read),
      cmocka_unit_test(parts_are_joined),
      cmocka_unit_test(parts_quantized_keep_their_own_scales),
      cmocka_unit_test(parts_that_do_not_fit_are_refused),
      cmocka_unit_test(aliases_become_tensors),
      cmocka_unit_test(aliases_wrong_are_refused),
      cmocka_unit_test(read_in_pieces_of_compressed_pages_by_threads),
      cmocka_unit_test(file_cut_off_is_refused),
  };
  return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
