/* arrow_message.h - the schema of a table of vectors as Arrow writes it into files: readers of Parquet that know Arrow
 * take the types of the columns from there. */
#ifndef AQ_IO_ARROW_ARROW_MESSAGE_H
#define AQ_IO_ARROW_ARROW_MESSAGE_H

#include <stdint.h>

#include "arrowquant.h"

#define AQ_ARROW_SCHEMA_KEY "ARROW:schema"

/* The value of that key, for the columns `text`, a string, and `list`, whose values are `dimension` of FP32 each. Names
 * have up to 32 bytes. Free it with aq_free. */
AQ_MUST_CHECK aq_status aq_arrow_message_make(const char *text, const char *list, uint32_t dimension, char **out,
                                              aq_error *err);

#endif
