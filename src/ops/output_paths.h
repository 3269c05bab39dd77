/* output_paths.h - the files that a quantization writes, checked before it begins: minutes of work must not end at a
 * name. */
#ifndef AQ_OPS_OUTPUT_PATHS_H
#define AQ_OPS_OUTPUT_PATHS_H

#include "arrowquant.h"
#include "io/source.h"

/* Output (NULL: none), plan and statistics: each can be created, no two are one file, and none is a file that is read;
 * but a plan may take the place of the one it comes from. */
AQ_MUST_CHECK aq_status aq_output_paths_check(const aq_source *source, const char *output,
                                              const aq_quantize_options *options, aq_error *err);

#endif
