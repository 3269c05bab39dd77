/* formats.h - the formats in which models are read and written. A new one is a folder with an aq_file_format and a line
 * in formats.inc. */
#ifndef AQ_IO_FORMATS_H
#define AQ_IO_FORMATS_H

#include "io/export_layout.h"
#include "io/sink.h"
#include "io/source.h"

typedef struct aq_file_format {
  const char *name;      /* as options name it */
  const char *suffix[5]; /* a folder is searched for files of such names; what a file is, its bytes say. None: it is
                            a whole folder, and only written */
  uint8_t rank;          /* of several formats in a folder the one of the lowest rank is the model: files of the others
                            are copies of it, for other programs or from before */
  const char *main_name; /* of several files of the format the one that is the model; NULL: none is */
  aq_source_opener open; /* NULL: it is only written */
  const aq_sink_type *write;      /* NULL: it is only read */
  const aq_export_layout *layout; /* how it stores codes; NULL: as weight tables do, or not at all */
} aq_file_format;

/* Opens the file as the first format that says it is its own; fails with words about what the file is instead. */
AQ_MUST_CHECK aq_status aq_formats_open(aq_source *source, const char *path, const aq_source_options *options,
                                        aq_error *err);

/* Whether a name ends like one of that format. */
bool aq_format_has_suffix(const aq_file_format *format, const char *name);

/* The format that is read from files of such names; NULL: none. */
const aq_file_format *aq_formats_of_name(const char *name);
static inline bool aq_formats_know_name(const char *name) { return aq_formats_of_name(name) != NULL; }

/* The format of that name that models are exported to; AQ_ERR_ARGUMENT with the names there are. */
AQ_MUST_CHECK aq_status aq_formats_find_export(const char *name, const aq_file_format **out, aq_error *err);

/* AQ_ERR_ARGUMENT when a file of that format would have the name of one of another: who finds it by its name would take
 * it for what it is not. */
AQ_MUST_CHECK aq_status aq_formats_check_output(const aq_file_format *format, const char *output, aq_error *err);

#define FORMAT(format) extern const aq_file_format format;
#include "io/formats.inc"
#undef FORMAT

#endif
