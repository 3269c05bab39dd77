/* table_estimate.c - how large a table will be at most. */
#include "transform/table_estimate.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "transform/transform_limits.h"

enum {
  ROW_BYTES = 640,    /* of a row at most: headers of three pages, gaps that align values, small columns */
  GROUP_BYTES = 2048, /* of a row group: its chunks in the footer, pages of the small columns */
  EXPANDED = 128      /* a codec makes values longer by less than one part in so many */
};

/* Rows of a tensor; names and shapes beyond what ROW_BYTES has room for count as more. */
static uint64_t count_rows(const aq_tensor_info *t, const aq_plan_entry *e, const aq_transform_limits *limits) {
  const int64_t length = aq_part_length(t, e, limits->part_bytes);
  const uint64_t rows =
      t->rank > 0 && length > 0 && t->shape[0] > length ? aq_div_up((uint64_t)t->shape[0], (uint64_t)length) : 1;
  return rows * (1 + strlen(t->name) / 256);
}

/* Two row groups that follow each other have more than the limit together, but for rows that are streamed. */
static uint64_t count_groups(const aq_transform_limits *limits, uint64_t rows, uint64_t bytes) {
  const uint64_t group = AQ_MIN(limits->row_group_bytes, limits->batch_bytes);
  return AQ_MIN(rows, 1 + 2 * (bytes / group + 1) + 2 * (bytes / limits->large_bytes));
}

aq_status aq_table_estimate_make(const aq_transform *t, const aq_table_metadata *metadata, aq_table_estimate *out,
                                 aq_error *err) {
  aq_transform_limits limits;
  uint64_t largest = 0, rows = 0, footer, total;
  *out = (aq_table_estimate){0, 0, 0};
  AQ_TRY(aq_transform_limits_find(t->run, t->table, &limits, err));
  for (size_t i = 0; i < t->plan->count; i++) {
    const aq_tensor_info *tensor = &t->source->tensors[i];
    const aq_plan_entry *entry = &t->plan->entries[i];
    if (entry->tied) continue;
    const uint64_t bytes = aq_plan_entry_bytes(tensor, entry);
    AQ_FAIL_IF(!aq_add_ok(out->file_bytes, bytes, &out->file_bytes), AQ_ERR_FORMAT, "the model is too large");
    largest = AQ_MAX(largest, AQ_MIN(bytes, limits.large_bytes));
    rows += count_rows(tensor, entry, &limits);
  }
  AQ_TRY(aq_table_metadata_measure(metadata, &footer, err));
  const uint64_t bytes = out->file_bytes;
  out->overhead_bytes = footer + rows * ROW_BYTES +
                        count_groups(&limits, rows, bytes + rows * ROW_BYTES) * GROUP_BYTES + bytes / EXPANDED;
  AQ_FAIL_IF(!aq_add_ok(bytes, out->overhead_bytes, &total), AQ_ERR_FORMAT, "the model is too large");
  out->memory_bytes = limits.threads * AQ_WORKER_BYTES + 3 * AQ_MAX(largest, AQ_MIN(total, limits.batch_bytes));
  return AQ_OK;
}
