/* schema_tree.c - from the footer's flattened schema tree to top-level columns.
 *
 * The tree is stored depth first; a node with num_children is a group. A list of int32 is taken in the three forms that
 * writers have used ("LogicalTypes.md", LIST and its backward compatibility rules):
 *
 *   <optional|required> group NAME (LIST) { repeated group list { <optional|required> int32 element } }
 *   <optional|required> group NAME (LIST) { repeated int32 array }
 *   repeated int32 NAME
 *
 * whatever the inner names are. Anything else that is nested, and every leaf whose annotation makes it something other
 * than a string, a binary or an integer (a date, a decimal, ...), is AQ_PQ_OTHER. */
#include "parquet/read/schema_tree.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "parquet/format.h"

enum {
  CONVERTED_ENUM = 4,
  CONVERTED_UINT_8 = 11,
  CONVERTED_UINT_64 = 14,
  CONVERTED_INT_64 = 18,
  CONVERTED_JSON = 19,
  CONVERTED_BSON = 20
};

enum {
  LOGICAL_STRING = 1,
  LOGICAL_ENUM = 4,
  LOGICAL_INTEGER = 10,
  LOGICAL_UNKNOWN = 11,
  LOGICAL_JSON = 12,
  LOGICAL_BSON = 13
};

static void read_integer_type(aq_thrift *t, const aq_thrift_field *field, aq_pq_schema_node *node) {
  if (!aq_thrift_enter(t, field)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    if (f.id == 2)
      node->is_unsigned = !aq_thrift_bool(t, &f);
    else
      aq_thrift_skip(t, &f);
  }
  aq_thrift_leave(t);
}

static void read_logical_type(aq_thrift *t, const aq_thrift_field *field, aq_pq_schema_node *node) {
  if (!aq_thrift_enter(t, field)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    node->logical = f.id;
    if (f.id == LOGICAL_INTEGER)
      read_integer_type(t, &f, node);
    else
      aq_thrift_skip(t, &f);
  }
  aq_thrift_leave(t);
}

void aq_pq_schema_node_read(aq_thrift *t, aq_pq_schema_node *node) {
  *node = (aq_pq_schema_node){{"", 0}, -1, AQ_PQ_REQUIRED, 0, -1, -1, false};
  if (!aq_thrift_enter(t, NULL)) return;
  for (aq_thrift_field f = {0, 0}; aq_thrift_next(t, &f);) {
    switch (f.id) {
      case 1:
        node->type = aq_thrift_i32(t, &f);
        break;
      case 3:
        node->repetition = aq_thrift_i32(t, &f);
        break;
      case 4:
        node->name = aq_thrift_binary(t, &f);
        break;
      case 5:
        node->children = aq_thrift_i32(t, &f);
        break;
      case 6:
        node->converted = aq_thrift_i32(t, &f);
        break;
      case 10:
        read_logical_type(t, &f, node);
        break;
      default:
        aq_thrift_skip(t, &f);
        break;
    }
  }
  if (node->converted >= CONVERTED_UINT_8 && node->converted <= CONVERTED_UINT_64) node->is_unsigned = true;
  aq_thrift_leave(t);
}

static bool is_text(const aq_pq_schema_node *node) {
  return node->converted == AQ_PQ_CONVERTED_UTF8 || node->converted == CONVERTED_ENUM ||
         node->converted == CONVERTED_JSON || node->logical == LOGICAL_STRING || node->logical == LOGICAL_ENUM ||
         node->logical == LOGICAL_JSON;
}

static bool is_plain_binary(const aq_pq_schema_node *node) {
  return (node->converted == -1 || node->converted == CONVERTED_BSON) &&
         (node->logical == -1 || node->logical == LOGICAL_BSON);
}

static bool is_integer(const aq_pq_schema_node *node) {
  return (node->type == AQ_PQT_INT32 || node->type == AQ_PQT_INT64) &&
         (node->converted == -1 || (node->converted >= CONVERTED_UINT_8 && node->converted <= CONVERTED_INT_64)) &&
         (node->logical == -1 || node->logical == LOGICAL_INTEGER ||
          node->logical == LOGICAL_UNKNOWN); /* of a column that holds nulls only */
}

static bool is_real(const aq_pq_schema_node *node) {
  return (node->type == AQ_PQT_FLOAT || node->type == AQ_PQT_DOUBLE) && node->converted == -1 && node->logical == -1;
}

static aq_pq_kind leaf_kind(const aq_pq_schema_node *node) {
  if (node->type == AQ_PQT_BYTE_ARRAY && is_text(node)) return AQ_PQ_STRING;
  if (node->type == AQ_PQT_BYTE_ARRAY && is_plain_binary(node)) return AQ_PQ_BINARY;
  if (is_integer(node)) return node->type == AQ_PQT_INT32 ? AQ_PQ_INT32 : AQ_PQ_INT64;
  return is_real(node) ? AQ_PQ_REAL : AQ_PQ_OTHER;
}

static bool is_list_leaf(const aq_pq_schema_node *node) {
  return node->children == 0 && (is_integer(node) || is_real(node));
}

static void make_list(aq_pq_column *column, const aq_pq_schema_node *leaf, uint8_t list_def) {
  column->kind = is_real(leaf) ? AQ_PQ_LIST_REAL : AQ_PQ_LIST_INT32;
  column->type = leaf->type;
  column->is_unsigned = leaf->is_unsigned;
  column->list_def = list_def;
  column->max_rep = 1;
  column->max_def = (uint8_t)(list_def + 1 + (leaf->repetition == AQ_PQ_OPTIONAL));
}

/* Looks at the subtree of a top-level column, `count` nodes. */
static void classify(aq_pq_column *column, const aq_pq_schema_node *nodes, size_t count) {
  const uint8_t optional = nodes[0].repetition == AQ_PQ_OPTIONAL;
  column->kind = AQ_PQ_OTHER;
  column->type = -1;
  if (count == 1 && nodes[0].repetition == AQ_PQ_REPEATED) {
    if (is_list_leaf(&nodes[0])) make_list(column, &nodes[0], 0);
  } else if (count == 1) {
    column->kind = leaf_kind(&nodes[0]);
    column->type = column->kind == AQ_PQ_OTHER ? -1 : nodes[0].type;
    column->is_unsigned = nodes[0].is_unsigned;
    column->max_def = optional;
  } else if (nodes[0].repetition == AQ_PQ_REPEATED || nodes[1].repetition != AQ_PQ_REPEATED) {
    return;
  } else if (count == 2 && is_list_leaf(&nodes[1])) {
    make_list(column, &nodes[1], optional);
  } else if (count == 3 && nodes[1].children == 1 && nodes[2].repetition != AQ_PQ_REPEATED && is_list_leaf(&nodes[2])) {
    make_list(column, &nodes[2], optional);
  }
}

/* Steps over the subtree that starts at *at and counts its leaves, without recursion: `open` nodes are still to come.
 */
static aq_status walk_subtree(const aq_pq_schema_node *nodes, size_t node_count, size_t *at, uint32_t *leaves,
                              aq_error *err) {
  *leaves = 0;
  for (uint64_t open = 1; open > 0; open--, (*at)++) {
    AQ_FAIL_IF(open > node_count - *at, AQ_ERR_FORMAT, "the schema promises more columns than the footer lists");
    const aq_pq_schema_node *node = &nodes[*at];
    AQ_FAIL_IF(node->children < 0 || node->repetition < AQ_PQ_REQUIRED || node->repetition > AQ_PQ_REPEATED,
               AQ_ERR_FORMAT, "schema element %zu has impossible children or repetition", *at);
    AQ_FAIL_IF(node->children == 0 && (node->type < AQ_PQT_BOOLEAN || node->type > AQ_PQT_FIXED_LEN_BYTE_ARRAY) &&
                   node->type != -1,
               AQ_ERR_UNSUPPORTED, "schema element %zu has the unknown physical type %d", *at, (int)node->type);
    if (node->children == 0 && node->type != -1) (*leaves)++;
    open += (uint32_t)node->children;
  }
  return AQ_OK;
}

static aq_status fill_columns(const aq_pq_schema_node *nodes, size_t node_count, aq_pq_column *columns,
                              size_t column_count, size_t *leaf_count, aq_error *err) {
  size_t at = 1;
  uint64_t leaves = 0;
  for (size_t c = 0; c < column_count; c++) {
    const size_t first = at;
    aq_pq_column *column = &columns[c];
    column->first_leaf = (uint32_t)leaves;
    AQ_TRY(walk_subtree(nodes, node_count, &at, &column->leaf_count, err));
    leaves += column->leaf_count;
    classify(column, &nodes[first], at - first);
    column->name = aq_strndup(nodes[first].name.bytes, nodes[first].name.size);
    if (column->name == NULL) return aq_fail_memory(err, nodes[first].name.size);
  }
  AQ_FAIL_IF(at != node_count, AQ_ERR_FORMAT, "the schema lists %zu elements but its columns use %zu", node_count, at);
  *leaf_count = (size_t)leaves;
  return AQ_OK;
}

static aq_status refuse_duplicates(const aq_pq_column *columns, size_t count, aq_error *err) {
  aq_strmap names = {0};
  aq_status status = AQ_OK;
  for (size_t c = 0; c < count && status == AQ_OK; c++) {
    int64_t before = -1;
    status = aq_strmap_add(&names, columns[c].name, (int64_t)c, &before, err);
    if (status == AQ_OK && before >= 0)
      status = aq_fail(err, AQ_ERR_FORMAT, "two columns are named '%.100s'", columns[c].name);
  }
  aq_strmap_reset(&names);
  return status;
}

aq_status aq_pq_columns_make(const aq_pq_schema_node *nodes, size_t node_count, aq_pq_column **columns,
                             size_t *column_count, size_t *leaf_count, aq_error *err) {
  *columns = NULL;
  *column_count = 0;
  AQ_FAIL_IF(node_count == 0, AQ_ERR_FORMAT, "the footer has no schema");
  AQ_FAIL_IF(nodes[0].children < 0 || (size_t)nodes[0].children > node_count - 1, AQ_ERR_FORMAT,
             "the schema promises more columns than the footer lists");
  const size_t count = (size_t)nodes[0].children;
  aq_pq_column *made = aq_calloc(count + 1, sizeof *made);
  if (made == NULL) return aq_fail_memory(err, (count + 1) * sizeof *made);
  aq_status status = fill_columns(nodes, node_count, made, count, leaf_count, err);
  if (status == AQ_OK) status = refuse_duplicates(made, count, err);
  if (status != AQ_OK) {
    aq_pq_columns_free(made, count);
    return status;
  }
  *columns = made;
  *column_count = count;
  return AQ_OK;
}

void aq_pq_columns_free(aq_pq_column *columns, size_t column_count) {
  if (columns == NULL) return;
  for (size_t c = 0; c < column_count; c++) aq_free(columns[c].name);
  aq_free(columns);
}
