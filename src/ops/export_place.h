/* export_place.h - may an export write into this folder? */
#ifndef AQ_OPS_EXPORT_PLACE_H
#define AQ_OPS_EXPORT_PLACE_H

#include "arrowquant.h"
#include "io/source.h"

/* Refuses a folder that lies inside that of the model whose files are read beside `source` (which exports would
 * change), or holds a file that `source` reads; a file; a folder that cannot be made; and, without `force`, a folder
 * that holds anything. *has_files: it is there and not empty. */
AQ_MUST_CHECK aq_status aq_export_place_check(const aq_source *source, const char *output, bool force, bool *has_files,
                                              aq_error *err);

/* Refuses a file at `place` in `output` that `source` reads. */
AQ_MUST_CHECK aq_status aq_export_place_check_read(const aq_source *source, const char *output, const char *place,
                                                   aq_error *err);

/* The same, and other weights than that file in its folder there: readers would mix them. */
AQ_MUST_CHECK aq_status aq_export_place_check_weights(const aq_source *source, const char *output, const char *place,
                                                      aq_error *err);

#endif
