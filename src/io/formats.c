/* formats.c - the table of formats. A new format is one opener in source.h and one line here. */
#include "io/formats.h"

#include "core/error.h"
#include "io/foreign.h"
#include "io/listing.h"

static const aq_source_opener openers[] = {aq_table_open, aq_safetensors_open};

aq_status aq_formats_open(aq_source *source, const char *path, const aq_source_options *options, aq_error *err) {
  if (aq_ends_with(path, "/")) return aq_table_open_folder(source, path, options, err);
  for (size_t i = 0; i < AQ_COUNT_OF(openers); i++) {
    bool mine = false;
    AQ_TRY(openers[i](source, path, options, &mine, err));
    if (mine) return AQ_OK;
  }
  aq_file file;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = aq_foreign_fail(&file, err);
  aq_file_close(&file);
  return status;
}
