/* formats.h - which format a file has, found from its bytes. */
#ifndef AQ_IO_FORMATS_H
#define AQ_IO_FORMATS_H

#include "io/source.h"

/* Opens the file as the first format that says it is its own; fails with words about what the file is instead. */
AQ_MUST_CHECK aq_status aq_formats_open(aq_source *source, const char *path, const aq_source_options *options,
                                        aq_error *err);

/* Whether a file's name ends like one of a format. */
bool aq_formats_know_name(const char *name);

#define FORMAT(opener, suffix) \
  aq_status opener(aq_source *source, const char *path, const aq_source_options *options, bool *mine, aq_error *err);
#include "io/formats.inc"
#undef FORMAT

#endif
