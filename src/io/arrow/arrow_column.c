/* arrow_column.c - types and cells of the columns of an Arrow record batch. */
#include "io/arrow/arrow_column.h"

#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "io/to_f32.h"

/* Beyond it, positions of cells could not be computed. */
#define POSITION_MAX (INT64_MAX / 64)

enum { VIEW_SIZE = 16, VIEW_INLINE = 12 };

/* ---- types ---- */

/* "+w:4": lists of four elements each. */
static bool parse_fixed_list(const char *digits, aq_arrow_type *out) {
  int32_t length = 0;
  for (const char *p = digits; *p != '\0'; p++) {
    if (*p < '0' || *p > '9' || length > AQ_MAX_RANK) return false; /* longer ones are no shapes */
    length = length * 10 + (*p - '0');
  }
  *out = (aq_arrow_type){.layout = AQ_ARROW_LIST_FIXED, .fixed = length};
  return digits[0] != '\0';
}

/* "d:38,0": 128 bits where no other width follows. */
static bool parse_decimal(const char *precision, aq_arrow_type *out) {
  const char *comma = strchr(precision, ',');
  *out = (aq_arrow_type){.layout = AQ_ARROW_DECIMAL, .width = 16, .is_signed = true};
  return comma != NULL && strcmp(comma, ",0") == 0;
}

static bool parse_format(const char *format, aq_arrow_type *out) {
  static const struct {
    const char *format;
    aq_arrow_type type;
  } formats[] = {
      {"u", {AQ_ARROW_BYTES_32, 0, false, 0}},
      {"z", {AQ_ARROW_BYTES_32, 0, false, 0}},
      {"U", {AQ_ARROW_BYTES_64, 0, false, 0}},
      {"Z", {AQ_ARROW_BYTES_64, 0, false, 0}},
      {"vu", {AQ_ARROW_BYTES_VIEW, 0, false, 0}},
      {"vz", {AQ_ARROW_BYTES_VIEW, 0, false, 0}},
      {"c", {AQ_ARROW_INTEGER, 1, true, 0}},
      {"C", {AQ_ARROW_INTEGER, 1, false, 0}},
      {"s", {AQ_ARROW_INTEGER, 2, true, 0}},
      {"S", {AQ_ARROW_INTEGER, 2, false, 0}},
      {"i", {AQ_ARROW_INTEGER, 4, true, 0}},
      {"I", {AQ_ARROW_INTEGER, 4, false, 0}},
      {"l", {AQ_ARROW_INTEGER, 8, true, 0}},
      {"L", {AQ_ARROW_INTEGER, 8, false, 0}},
      {"e", {AQ_ARROW_REAL, 2, true, 0}},
      {"f", {AQ_ARROW_REAL, 4, true, 0}},
      {"g", {AQ_ARROW_REAL, 8, true, 0}},
      {"n", {AQ_ARROW_NULL, 0, false, 0}},
      {"+l", {AQ_ARROW_LIST_32, 0, false, 0}},
      {"+L", {AQ_ARROW_LIST_64, 0, false, 0}},
      {"+vl", {AQ_ARROW_LIST_VIEW_32, 0, false, 0}},
      {"+vL", {AQ_ARROW_LIST_VIEW_64, 0, false, 0}},
  };
  if (format != NULL && strncmp(format, "d:", 2) == 0) return parse_decimal(format + 2, out);
  if (format != NULL && strncmp(format, "+w:", 3) == 0) return parse_fixed_list(format + 3, out);
  for (size_t i = 0; format != NULL && i < AQ_COUNT_OF(formats); i++) {
    if (strcmp(formats[i].format, format) != 0) continue;
    *out = formats[i].type;
    return true;
  }
  return false;
}

static bool is_bytes(const aq_arrow_type *t) { return t->layout <= AQ_ARROW_BYTES_VIEW; }
static bool is_list(const aq_arrow_type *t) { return t->layout >= AQ_ARROW_LIST_32; }
static bool is_number(const aq_arrow_type *t) {
  return t->layout == AQ_ARROW_INTEGER || t->layout == AQ_ARROW_REAL || t->layout == AQ_ARROW_DECIMAL;
}

static bool parse_dictionary(const struct ArrowSchema *schema, aq_arrow_column *out) {
  out->has_dictionary = true;
  return out->type.layout == AQ_ARROW_INTEGER && schema->n_children == 0 && schema->dictionary->dictionary == NULL &&
         schema->dictionary->n_children == 0 && parse_format(schema->dictionary->format, &out->values) &&
         (aq_column_type_of(out->column) == AQ_TYPE_INTEGER ? is_number(&out->values) : is_bytes(&out->values));
}

static bool parse_list(const struct ArrowSchema *schema, aq_arrow_column *out) {
  if (!is_list(&out->type) || schema->dictionary != NULL || schema->n_children != 1 || schema->children == NULL)
    return false;
  const struct ArrowSchema *item = schema->children[0];
  return item != NULL && item->dictionary == NULL && item->n_children == 0 &&
         parse_format(item->format, &out->values) && is_number(&out->values);
}

static bool parse_type(const struct ArrowSchema *schema, aq_arrow_column *out) {
  if (!parse_format(schema->format, &out->type)) return false;
  switch (aq_column_type_of(out->column)) {
    case AQ_TYPE_STRING:
    case AQ_TYPE_BINARY:
      if (schema->dictionary != NULL) return parse_dictionary(schema, out);
      return is_bytes(&out->type) && schema->n_children == 0;
    case AQ_TYPE_INTEGER:
      if (schema->dictionary != NULL) return parse_dictionary(schema, out);
      return (is_number(&out->type) || out->type.layout == AQ_ARROW_NULL) && schema->n_children == 0;
    case AQ_TYPE_LIST:
      return parse_list(schema, out);
  }
  return false;
}

/* The format as a message shows it: "+l of 'l'", "dictionary of 'i'". */
static const char *inner_format(const struct ArrowSchema *schema) {
  const struct ArrowSchema *inner = schema->dictionary;
  if (inner == NULL && schema->n_children > 0 && schema->children != NULL) inner = schema->children[0];
  return inner != NULL ? inner->format : NULL;
}

aq_status aq_arrow_column_parse(aq_column column, const struct ArrowSchema *schema, aq_arrow_column *out,
                                aq_error *err) {
  *out = (aq_arrow_column){.column = column};
  if (parse_type(schema, out)) return AQ_OK;
  const char *inner = inner_format(schema);
  (void)aq_column_fail_type(column, err);
  return aq_error_hint(err, AQ_ERR_FORMAT, "Its Arrow format is '%.40s'%s%.40s%s: cast the column",
                       schema->format != NULL ? schema->format : "", inner == NULL ? "" : " of '",
                       inner == NULL ? "" : inner, inner == NULL ? "" : "'");
}

/* ---- structure ---- */

static aq_status fail(const aq_arrow_column *c, const char *what, aq_error *err) {
  return aq_fail(err, AQ_ERR_CORRUPT, "column '%s' of an Arrow batch %s", aq_column_name(c->column), what);
}

static bool buffer_count_ok(const aq_arrow_type *type, int64_t count) {
  switch (type->layout) {
    case AQ_ARROW_BYTES_32:
    case AQ_ARROW_BYTES_64:
      return count == 3;
    case AQ_ARROW_BYTES_VIEW: /* validity, views, the bytes (any number of buffers), the sizes of these */
      return count >= 3 && count <= INT32_MAX;
    case AQ_ARROW_INTEGER:
    case AQ_ARROW_REAL:
    case AQ_ARROW_DECIMAL:
    case AQ_ARROW_LIST_32:
    case AQ_ARROW_LIST_64:
      return count == 2;
    case AQ_ARROW_LIST_VIEW_32:
    case AQ_ARROW_LIST_VIEW_64:
      return count == 3;
    case AQ_ARROW_LIST_FIXED:
      return count == 1;
    case AQ_ARROW_NULL:
      return count == 0;
  }
  return false;
}

/* One array of a column: the column itself, its dictionary, or the elements of its lists. */
static aq_status check_array(const aq_arrow_column *c, const aq_arrow_type *type, const struct ArrowArray *array,
                             aq_error *err) {
  if (array == NULL) return fail(c, "is not there", err);
  if (array->length < 0 || array->offset < 0 || array->length > POSITION_MAX || array->offset > POSITION_MAX)
    return fail(c, "has a length or an offset that cannot be", err);
  if (!buffer_count_ok(type, array->n_buffers) || (array->buffers == NULL && array->n_buffers > 0))
    return fail(c, "does not have the buffers of its type", err);
  if (type->layout == AQ_ARROW_NULL) return AQ_OK; /* no buffer at all */
  if (array->null_count < -1 || array->null_count > array->length ||
      (array->null_count > 0 && array->buffers[0] == NULL))
    return fail(c, "has nulls, but does not say where", err);
  if (array->n_children != (is_list(type) ? 1 : 0) || (is_list(type) && array->children == NULL))
    return fail(c, "does not have the children of its type", err);
  for (int64_t k = 1; k < AQ_MIN(array->n_buffers, is_list(type) ? 3 : 2); k++) {
    if (array->length > 0 && array->buffers[k] == NULL) return fail(c, "lacks a buffer", err);
  }
  if (type->layout == AQ_ARROW_BYTES_VIEW && array->n_buffers > 3 && array->buffers[array->n_buffers - 1] == NULL)
    return fail(c, "lacks the sizes of its buffers", err);
  return AQ_OK;
}

aq_status aq_arrow_column_check(const aq_arrow_column *column, const struct ArrowArray *array, int64_t offset,
                                int64_t rows, aq_error *err) {
  AQ_TRY(check_array(column, &column->type, array, err));
  if (offset > array->length || rows > array->length - offset) return fail(column, "is shorter than the batch", err);
  if ((array->dictionary != NULL) != column->has_dictionary)
    return fail(column, "does not have the dictionary of its type", err);
  if (column->has_dictionary) return check_array(column, &column->values, array->dictionary, err);
  return is_list(&column->type) ? check_array(column, &column->values, array->children[0], err) : AQ_OK;
}

/* ---- cells ---- */

static bool is_valid(const struct ArrowArray *array, int64_t i) {
  const uint8_t *bits = array->buffers[0];
  const int64_t at = array->offset + i;
  return array->null_count == 0 || bits == NULL || (bits[at / 8] >> (at % 8) & 1) != 0;
}

static int64_t load_integer(const aq_arrow_type *type, const struct ArrowArray *array, int64_t i) {
  const uint8_t *p = (const uint8_t *)array->buffers[1] + (array->offset + i) * type->width;
  switch (type->width) {
    case 1:
      return type->is_signed ? (int8_t)*p : *p;
    case 2:
      return type->is_signed ? (int16_t)aq_load_u16(p) : aq_load_u16(p);
    case 4:
      return type->is_signed ? (int32_t)aq_load_u32(p) : (int64_t)aq_load_u32(p);
    default:
      return (int64_t)aq_load_u64(p); /* an unsigned one above the range becomes negative: see get_number */
  }
}

static double load_real(const aq_arrow_type *type, const struct ArrowArray *array, int64_t i) {
  const uint8_t *p = (const uint8_t *)array->buffers[1] + (array->offset + i) * type->width;
  if (type->width == 8) return aq_bits_f64(aq_load_u64(p));
  float value = 0;
  if (type->width == 4) return (double)aq_load_f32(p);
  aq_values_to_f32(AQ_F16, p, 1, &value);
  return (double)value;
}

/* A number that is there; *valid is false for NaN, which stands for a null in engines that have none. */
static aq_status get_number(const aq_arrow_column *c, const aq_arrow_type *type, const struct ArrowArray *array,
                            int64_t i, int64_t *out, bool *valid, aq_error *err) {
  *out = 0;
  *valid = true;
  if (type->layout == AQ_ARROW_INTEGER) {
    *out = load_integer(type, array, i);
    AQ_FAIL_IF(!type->is_signed && *out < 0, AQ_ERR_UNSUPPORTED, "column '%s' has a number of 2^63 or more",
               aq_column_name(c->column));
    return AQ_OK;
  }
  if (type->layout == AQ_ARROW_DECIMAL) {
    const uint8_t *p = (const uint8_t *)array->buffers[1] + (array->offset + i) * type->width;
    *out = (int64_t)aq_load_u64(p);
    AQ_FAIL_IF((int64_t)aq_load_u64(p + 8) != (*out < 0 ? -1 : 0), AQ_ERR_UNSUPPORTED,
               "column '%s' has a number that 64 bits do not hold", aq_column_name(c->column));
    return AQ_OK;
  }
  const int digits = type->width == 8 ? 53 : type->width == 4 ? 24 : 11;
  const double value = load_real(type, array, i);
  *valid = !isnan(value);
  AQ_FAIL_IF(*valid && !aq_whole_ok(value, digits, out), AQ_ERR_FORMAT,
             "column '%s' has a value that is no whole number of up to %d bits", aq_column_name(c->column), digits);
  return AQ_OK;
}

/* Entries i and i+1 of an offsets buffer. */
static bool load_offsets(bool wide, const struct ArrowArray *array, int64_t i, int64_t *begin, int64_t *end) {
  const uint8_t *offsets = array->buffers[1];
  const int64_t at = array->offset + i;
  if (wide) {
    *begin = (int64_t)aq_load_u64(offsets + at * 8);
    *end = (int64_t)aq_load_u64(offsets + at * 8 + 8);
  } else {
    *begin = (int32_t)aq_load_u32(offsets + at * 4);
    *end = (int32_t)aq_load_u32(offsets + at * 4 + 4);
  }
  return *begin >= 0 && *begin <= *end;
}

static bool get_view(const struct ArrowArray *array, int64_t i, aq_arrow_bytes *out) {
  const uint8_t *view = (const uint8_t *)array->buffers[1] + (array->offset + i) * VIEW_SIZE;
  const int32_t size = (int32_t)aq_load_u32(view);
  if (size < 0) return false;
  out->size = (uint64_t)size;
  out->data = view + sizeof size;
  if (size <= VIEW_INLINE) return true;
  const int32_t number = (int32_t)aq_load_u32(view + 8), offset = (int32_t)aq_load_u32(view + 12);
  const int64_t count = array->n_buffers - 3;
  if (number < 0 || number >= count || offset < 0) return false;
  const uint8_t *sizes = array->buffers[array->n_buffers - 1], *bytes = array->buffers[2 + number];
  const int64_t have = (int64_t)aq_load_u64(sizes + (size_t)number * sizeof have);
  if (bytes == NULL || have < 0 || !aq_range_ok((uint64_t)offset, out->size, (uint64_t)have)) return false;
  out->data = bytes + offset;
  return true;
}

static aq_status get_bytes(const aq_arrow_column *c, const aq_arrow_type *type, const struct ArrowArray *array,
                           int64_t i, aq_arrow_bytes *out, aq_error *err) {
  *out = (aq_arrow_bytes){.is_null = !is_valid(array, i)};
  if (out->is_null) return AQ_OK;
  if (type->layout == AQ_ARROW_BYTES_VIEW)
    return get_view(array, i, out) ? AQ_OK : fail(c, "has a view that points outside its buffers", err);
  int64_t begin, end;
  if (!load_offsets(type->layout == AQ_ARROW_BYTES_64, array, i, &begin, &end))
    return fail(c, "has offsets that do not rise", err);
  const uint8_t *bytes = array->buffers[2];
  if (begin < end && bytes == NULL) return fail(c, "lacks the buffer of its bytes", err);
  out->size = (uint64_t)(end - begin);
  if (begin < end) out->data = bytes + begin;
  return AQ_OK;
}

aq_status aq_arrow_get_bytes(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i,
                             aq_arrow_bytes *out, aq_error *err) {
  if (!column->has_dictionary) return get_bytes(column, &column->type, array, i, out, err);
  *out = (aq_arrow_bytes){.is_null = !is_valid(array, i)};
  if (out->is_null) return AQ_OK;
  const int64_t index = load_integer(&column->type, array, i);
  if (index < 0 || index >= array->dictionary->length) return fail(column, "has an index past its dictionary", err);
  return get_bytes(column, &column->values, array->dictionary, index, out, err);
}

aq_status aq_arrow_get_integer(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i, int64_t *out,
                               bool *valid, aq_error *err) {
  *out = 0;
  *valid = column->type.layout != AQ_ARROW_NULL && is_valid(array, i);
  if (!*valid) return AQ_OK;
  if (!column->has_dictionary) return get_number(column, &column->type, array, i, out, valid, err);
  const struct ArrowArray *dictionary = array->dictionary;
  const int64_t index = load_integer(&column->type, array, i);
  if (index < 0 || index >= dictionary->length) return fail(column, "has an index past its dictionary", err);
  *valid = is_valid(dictionary, index);
  return *valid ? get_number(column, &column->values, dictionary, index, out, valid, err) : AQ_OK;
}

/* Where the elements of list i are among the items. */
static bool load_list_range(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i, int64_t *begin,
                            int64_t *end) {
  const int64_t at = array->offset + i;
  switch (column->type.layout) {
    case AQ_ARROW_LIST_FIXED:
      *begin = at * column->type.fixed;
      *end = *begin + column->type.fixed;
      return true;
    case AQ_ARROW_LIST_VIEW_32:
      *begin = (int32_t)aq_load_u32((const uint8_t *)array->buffers[1] + at * 4);
      *end = *begin + (int32_t)aq_load_u32((const uint8_t *)array->buffers[2] + at * 4);
      return *begin >= 0 && *begin <= *end;
    case AQ_ARROW_LIST_VIEW_64:
      *begin = (int64_t)aq_load_u64((const uint8_t *)array->buffers[1] + at * 8);
      *end = (int64_t)aq_load_u64((const uint8_t *)array->buffers[2] + at * 8); /* how many */
      if (*begin < 0 || *end < 0 || *end > POSITION_MAX || *begin > POSITION_MAX) return false;
      *end += *begin;
      return true;
    default:
      return load_offsets(column->type.layout == AQ_ARROW_LIST_64, array, i, begin, end);
  }
}

static aq_status get_element(const aq_arrow_column *column, const struct ArrowArray *items, int64_t i, int32_t *out,
                             aq_error *err) {
  int64_t value = 0;
  bool valid = is_valid(items, i);
  if (valid) AQ_TRY(get_number(column, &column->values, items, i, &value, &valid, err));
  if (!valid) return fail(column, "has a list with a null in it", err);
  AQ_FAIL_IF(value < INT32_MIN || value > INT32_MAX, AQ_ERR_FORMAT,
             "a list of column '%s' has the element %lld, which 32 bits do not hold", aq_column_name(column->column),
             (long long)value);
  *out = (int32_t)value;
  return AQ_OK;
}

aq_status aq_arrow_get_list(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i, int32_t *out,
                            int32_t room, int32_t *length, aq_error *err) {
  const struct ArrowArray *items = array->children[0];
  int64_t begin, end;
  *length = -1;
  if (!is_valid(array, i)) return AQ_OK;
  if (!load_list_range(column, array, i, &begin, &end) || end > items->length)
    return fail(column, "has offsets that do not rise, or pass the end", err);
  *length = (int32_t)AQ_MIN(end - begin, (int64_t)INT32_MAX);
  for (int32_t k = 0; k < AQ_MIN(*length, room); k++) AQ_TRY(get_element(column, items, begin + k, &out[k], err));
  return AQ_OK;
}
