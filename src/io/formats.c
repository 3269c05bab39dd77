/* formats.c - the table of formats, and what is asked of it. */
#include "io/formats.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "io/foreign.h"
#include "io/listing.h"

static const aq_file_format *const formats[] = {
#define FORMAT(format) &format,
#include "io/formats.inc"
#undef FORMAT
};

bool aq_format_has_suffix(const aq_file_format *format, const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(format->suffix) && format->suffix[i] != NULL; i++) {
    if (aq_ends_with(name, format->suffix[i])) return true;
  }
  return false;
}

const aq_file_format *aq_formats_of_name(const char *name) {
  if (aq_foreign_by_name(name) != NULL) return NULL; /* openvino_model.bin */
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    if (formats[i]->open != NULL && aq_format_has_suffix(formats[i], name)) return formats[i];
  }
  return NULL;
}

aq_status aq_formats_open(aq_source *source, const char *path, const aq_source_options *options, aq_error *err) {
  if (aq_ends_with(path, "/")) return aq_table_open_folder(source, path, options, err);
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    bool mine = false;
    if (formats[i]->open != NULL) AQ_TRY(formats[i]->open(source, path, options, &mine, err));
    if (mine) return AQ_OK;
  }
  aq_file file;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = aq_foreign_fail(&file, err);
  aq_file_close(&file);
  return status;
}

static bool is_exported(const aq_file_format *format) { return format->write != NULL && format->write->is_export; }

aq_status aq_formats_find_export(const char *name, const aq_file_format **out, aq_error *err) {
  char names[256] = "";
  size_t used = 0;
  *out = NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    if (!is_exported(formats[i])) continue;
    if (strcmp(name, formats[i]->name) == 0) {
      *out = formats[i];
      return AQ_OK;
    }
    const int more = snprintf(names + used, sizeof names - used, "%s%s", used > 0 ? ", " : "", formats[i]->name);
    used = AQ_MIN(used + (size_t)AQ_MAX(more, 0), sizeof names - 1);
  }
  return aq_fail(err, AQ_ERR_ARGUMENT, "format '%.100s' is not known; models are exported to: %s", name, names);
}

aq_status aq_formats_check_output(const aq_file_format *format, const char *output, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(formats); i++) {
    if (formats[i] == format || !aq_format_has_suffix(formats[i], output)) continue;
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "is the name of a %s file, and a %s file would be written", formats[i]->name,
                  format->name);
    if (format->suffix[0] == NULL) {
      (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose the name of a folder");
    } else {
      (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose a name that ends in %s", format->suffix[0]);
    }
    return aq_error_in_file(err, AQ_ERR_ARGUMENT, output);
  }
  return AQ_OK;
}
