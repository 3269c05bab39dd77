/* table_parts.c - the files of a table that is a folder of parts. */
#include "io/table/table_parts.h"

#include "core/error.h"
#include "io/part_file.h"

/* Parts that are open at once. */
enum { PARTS_MAX = 1000 };

bool aq_is_table_name(const char *name) { return name[0] != '.' && aq_ends_with(name, ".parquet"); }

/* By their numbers: part.2 before part.10. Names of equal numbers keep their order. */
static void sort_by_number(aq_listing *parts) {
  for (size_t i = 1; i < parts->count; i++) {
    aq_part_file one, other;
    char *name = parts->names[i];
    size_t to = i;
    (void)aq_part_file_parse(name, &one);
    for (; to > 0 && aq_part_file_parse(parts->names[to - 1], &other) && other.number > one.number; to--)
      parts->names[to] = parts->names[to - 1];
    parts->names[to] = name;
  }
}

aq_status aq_table_parts(const char *folder, aq_listing *parts, aq_error *err) {
  AQ_TRY(aq_listing_read(folder, parts, err));
  aq_listing_filter(parts, aq_is_table_name);
  if (parts->count > PARTS_MAX) {
    aq_listing_reset(parts);
    return aq_fail(err, AQ_ERR_UNSUPPORTED, "a table in more than %d parts", PARTS_MAX);
  }
  sort_by_number(parts);
  return AQ_OK;
}
