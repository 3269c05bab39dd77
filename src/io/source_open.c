/* source_open.c - from a path to an open source: find the file, try the formats, note what lies around it. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "io/companions.h"
#include "io/formats.h"
#include "io/locate.h"
#include "io/partial.h"
#include "io/prequantized.h"
#include "io/prequantized/decoded_source.h"
#include "io/source.h"
#include "io/source_codes.h"

static aq_status check_names(const char *names, aq_error *err) {
  static const char *const known[] = {"file", "hf", "auto"};
  if (names == NULL) return AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(known); i++) {
    if (strcmp(names, known[i]) == 0) return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_ARGUMENT, "names '%.60s' are not known; there are file, hf and auto", names);
}

aq_status aq_source_open(const char *path, const aq_source_options *options, aq_source **out, aq_error *err) {
  *out = NULL;
  AQ_FAIL_IF(path == NULL || path[0] == '\0', AQ_ERR_ARGUMENT, "no path was given");
  aq_source_options own;
  AQ_TRY(aq_options_read(&own, sizeof own, options, err));
  AQ_TRY(check_names(own.names, err));
  aq_source *source = aq_calloc(1, sizeof *source);
  if (source == NULL) return aq_fail_memory(err, sizeof *source);
  source->max_memory = own.max_memory;
  source->keeps_codes = own.keep_codes;
  aq_status status = aq_locate_model(path, &source->path, &source->folder, err);
  if (status == AQ_OK) status = aq_formats_open(source, source->path, &own, err);
  if (status == AQ_OK) status = aq_source_note_file(source, source->path, err);
  if (status == AQ_OK) status = aq_partial_find(source, err);
  if (status == AQ_OK) status = aq_partial_note_others(source, path, err);
  if (status == AQ_OK) status = aq_companions_read(source, err);
  if (status == AQ_OK) status = aq_prequantized_decode(&source, err);
  if (status == AQ_OK) status = aq_prequantized_note(source, err);
  if (status == AQ_OK && own.keep_codes) status = aq_source_keep_codes(&source, own.threads, err);
  if (status != AQ_OK) {
    (void)aq_error_in_file(err, status, source->path);
    aq_source_close(source);
    return status;
  }
  *out = source;
  return AQ_OK;
}

aq_status aq_open_for_run(const char *path, const aq_run_options *run, const char *names, aq_source **out,
                          aq_error *err) {
  aq_source_options options;
  aq_source_options_init(&options);
  options.names = names;
  if (run != NULL) options.max_memory = run->max_memory;
  return aq_source_open(path, &options, out, err);
}
