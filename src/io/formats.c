/* formats.c - the table of formats. A new format is one file with an opener and one line in formats.inc. */
#include "io/formats.h"

#include "core/error.h"
#include "io/foreign.h"
#include "io/listing.h"

static const struct {
  aq_source_opener open;
  const char *suffix;
} formats[] = {
#define FORMAT(opener, suffix) {opener, suffix},
#include "io/formats.inc"
#undef FORMAT
};

bool aq_formats_know_name(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    if (aq_ends_with(name, formats[i].suffix)) return true;
  }
  return false;
}

aq_status aq_formats_open(aq_source *source, const char *path, const aq_source_options *options, aq_error *err) {
  if (aq_ends_with(path, "/")) return aq_table_open_folder(source, path, options, err);
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    bool mine = false;
    AQ_TRY(formats[i].open(source, path, options, &mine, err));
    if (mine) return AQ_OK;
  }
  aq_file file;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = aq_foreign_fail(&file, err);
  aq_file_close(&file);
  return status;
}
