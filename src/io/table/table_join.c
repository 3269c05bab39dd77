/* table_join.c - from rows to tensors: part rows NAME[lo:hi] are joined (FORMAT.md, large tensors), and aliases of tied
 * tensors are added.
 *
 * The rows of a tensor are linked from its first one; a map from the name without [lo:hi] finds that one. */
#include <jansson.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/table/table_row.h"
#include "tensor/shape.h"

static bool same_kind(const aq_tensor_info *a, const aq_tensor_info *b) {
  bool same = a->dtype == b->dtype && a->quant_type == b->quant_type && a->quant_axis == b->quant_axis &&
              a->group_size == b->group_size && a->rank == b->rank;
  for (int32_t i = 1; same && i < a->rank; i++) same = a->shape[i] == b->shape[i];
  return same;
}

/* Part `i` continues the tensor whose first row is `head`. */
static aq_status link_part(aq_table_rows *rows, size_t head, size_t i, aq_error *err) {
  aq_table_row *first = &rows->rows[head], *row = &rows->rows[i];
  const aq_table_row *before = &rows->rows[first->last];
  AQ_FAIL_IF(!first->is_part || !row->is_part, AQ_ERR_FORMAT, "there are both parts and a whole tensor of this name");
  AQ_FAIL_IF(row->lo < before->hi, AQ_ERR_FORMAT, "part [%lld:%lld] overlaps part [%lld:%lld] or comes after it",
             (long long)row->lo, (long long)row->hi, (long long)before->lo, (long long)before->hi);
  AQ_FAIL_IF(row->lo > before->hi, AQ_ERR_FORMAT, "the slices [%lld:%lld] are missing", (long long)before->hi,
             (long long)row->lo);
  AQ_FAIL_IF(!same_kind(&first->info, &row->info), AQ_ERR_FORMAT,
             "part [%lld:%lld] differs from the first one in dtype, shape, quant_type, quant_axis or group_size",
             (long long)row->lo, (long long)row->hi);
  rows->rows[first->last].next = i;
  first->last = i;
  return AQ_OK;
}

static aq_status link_row(aq_table_rows *rows, size_t i, aq_strmap *heads, aq_error *err) {
  aq_table_row *row = &rows->rows[i];
  int64_t head = -1;
  row->name[row->base_length] = '\0'; /* from here on the name of the tensor */
  AQ_TRY(aq_strmap_add(heads, row->name, (int64_t)i, &head, err));
  if (head >= 0) {
    AQ_FAIL_IF(!row->is_part && !rows->rows[head].is_part, AQ_ERR_FORMAT, "rows %lld and %zu have the same name",
               (long long)head, i);
    return link_part(rows, (size_t)head, i, err);
  }
  AQ_FAIL_IF(row->is_part && row->lo != 0, AQ_ERR_FORMAT, "the slices [0:%lld] are missing", (long long)row->lo);
  row->last = i;
  return AQ_OK;
}

/* Adds one row to a tensor: its info into *info, its segment to the end of segments. */
static aq_status add_part(const aq_table_row *row, aq_tensor_info *info, aq_segment *segment, aq_error *err) {
  *segment = row->segment;
  segment->first_param = info->num_params;
  if (info->rank > 0) info->shape[0] = row->hi;
  AQ_FAIL_IF(!aq_add_ok(info->num_params, row->info.num_params, &info->num_params) || info->num_params > INT64_MAX,
             AQ_ERR_FORMAT, "the parts have more elements than can be counted");
  info->num_scales += row->info.num_scales;
  info->stored_bytes += row->info.stored_bytes;
  return AQ_OK;
}

static aq_status add_joined(aq_source *source, const aq_table_rows *rows, size_t head, aq_segment *room,
                            aq_error *err) {
  const aq_table_row *first = &rows->rows[head];
  if (!first->is_part) return aq_source_add_tensor(source, &first->info, &first->segment, 1, err);
  aq_tensor_info info = first->info;
  info.num_params = info.num_scales = info.stored_bytes = 0;
  size_t count = 0;
  for (size_t i = head; i != SIZE_MAX; i = rows->rows[i].next)
    AQ_TRY(add_part(&rows->rows[i], &info, &room[count++], err));
  AQ_FAIL_IF(!aq_table_data_bytes_ok(&info, &info.data_bytes), AQ_ERR_FORMAT,
             "the parts have more bytes than can be counted");
  return aq_source_add_tensor(source, &info, room, count, err);
}

static aq_status join(aq_source *source, aq_table_rows *rows, aq_strmap *heads, aq_segment *room, aq_error *err) {
  for (size_t i = 0; i < rows->count; i++) {
    const aq_status status = link_row(rows, i, heads, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, rows->rows[i].name);
  }
  for (size_t i = 0; i < rows->count; i++) {
    if (rows->rows[i].last == SIZE_MAX) continue; /* not the first of its tensor */
    const aq_status status = add_joined(source, rows, i, room, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, rows->rows[i].name);
  }
  return AQ_OK;
}

aq_status aq_table_join(aq_source *source, aq_table_rows *rows, aq_error *err) {
  aq_strmap heads = {0};
  aq_segment *room = aq_calloc(rows->count, sizeof *room);
  const aq_status status =
      room != NULL ? join(source, rows, &heads, room, err) : aq_fail_memory(err, rows->count * sizeof *room);
  aq_free(room);
  aq_strmap_reset(&heads);
  return status;
}

/* `base` is the count of tensors that hold bytes: a target behind them is an alias itself. */
static aq_status add_alias(aq_source *source, const char *name, const json_t *target, size_t base, aq_error *err) {
  size_t length;
  int64_t lo, hi;
  AQ_FAIL_IF(!json_is_string(target), AQ_ERR_FORMAT, "%s does not name its tensor by a string", AQ_ALIASES_KEY);
  AQ_FAIL_IF(aq_part_name_parse(name, &length, &lo, &hi), AQ_ERR_FORMAT, "%s: the name is that of a part",
             AQ_ALIASES_KEY);
  AQ_FAIL_IF(aq_source_find(source, name) >= 0, AQ_ERR_FORMAT, "%s: there is a tensor of this name already",
             AQ_ALIASES_KEY);
  const int64_t found = aq_source_find(source, json_string_value(target));
  AQ_FAIL_IF(found < 0, AQ_ERR_FORMAT, "%s: it stands for '%.200s', which the table does not hold", AQ_ALIASES_KEY,
             json_string_value(target));
  AQ_FAIL_IF((size_t)found >= base, AQ_ERR_FORMAT, "%s: it stands for '%.200s', which is an alias itself",
             AQ_ALIASES_KEY, json_string_value(target));
  aq_tensor_info info = source->tensors[found];
  info.name = name;
  info.alias_of = (int32_t)found;
  info.stored_bytes = 0; /* nothing of its own */
  const size_t first = source->segment_first[found], count = source->segment_first[found + 1] - first;
  aq_segment *segments = aq_calloc(count, sizeof *segments); /* the array they are in may move */
  if (segments == NULL) return aq_fail_memory(err, count * sizeof *segments);
  memcpy(segments, source->segments + first, count * sizeof *segments);
  const aq_status status = aq_source_add_tensor(source, &info, segments, count, err);
  aq_free(segments);
  return status;
}

aq_status aq_table_add_aliases(aq_source *source, aq_error *err) {
  const char *text = NULL, *name;
  json_t *root = NULL, *target;
  for (size_t i = 0; i < source->metadata_count; i++) {
    if (strcmp(source->metadata[2 * i], AQ_ALIASES_KEY) == 0) text = source->metadata[2 * i + 1];
  }
  if (text == NULL) return AQ_OK;
  aq_status status = aq_json_parse_object(text, strlen(text), 0, &root, err);
  if (status != AQ_OK) {
    char words[sizeof err->message] = "";
    if (status == AQ_ERR_MEMORY || err == NULL) return status;
    memcpy(words, err->message, sizeof words);
    return aq_fail(err, status, "metadata %s: %.300s", AQ_ALIASES_KEY, words);
  }
  const size_t base = source->tensor_count;
  json_object_foreach(root, name, target) {
    status = add_alias(source, name, target, base, err);
    if (status == AQ_OK) continue;
    (void)aq_error_in_tensor(err, status, name);
    break;
  }
  json_decref(root);
  return status;
}
