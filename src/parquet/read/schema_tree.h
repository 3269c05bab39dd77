/* schema_tree.h - from the footer's flattened schema tree to top-level columns. */
#ifndef AQ_PARQUET_READ_SCHEMA_TREE_H
#define AQ_PARQUET_READ_SCHEMA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parquet/parquet.h"
#include "parquet/read/thrift_read.h"

/* One SchemaElement, as it stands in the footer. */
typedef struct aq_pq_schema_node {
  aq_thrift_text name;
  int32_t type; /* AQ_PQT_*, or -1 */
  int32_t repetition;
  int32_t children;
  int32_t converted; /* AQ_PQ_CONVERTED_*, or -1 */
  int32_t logical;   /* field number in the LogicalType union, or -1 */
  bool is_unsigned;
} aq_pq_schema_node;

/* Levels of a list: below `list_def` the list is null, at list_def it is empty, at max_def there is an element, and
 * in between the element is null. list_def is 0 for flat columns. */
typedef struct aq_pq_column {
  char *name;
  aq_pq_kind kind;
  uint32_t first_leaf, leaf_count;
  int32_t type; /* AQ_PQT_* of the leaf; -1 for AQ_PQ_OTHER */
  bool is_unsigned;
  uint8_t max_def, max_rep, list_def;
} aq_pq_column;

/* Reads one SchemaElement of the footer. */
void aq_pq_schema_node_read(aq_thrift *t, aq_pq_schema_node *node);

/* Makes columns of the nodes (depth first, node 0 is the root). Free with aq_pq_columns_free. */
AQ_MUST_CHECK aq_status aq_pq_columns_make(const aq_pq_schema_node *nodes, size_t node_count, aq_pq_column **columns,
                                           size_t *column_count, size_t *leaf_count, aq_error *err);
void aq_pq_columns_free(aq_pq_column *columns, size_t column_count);

#endif
