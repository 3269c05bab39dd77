/* table_parts.h - the files of a table that is a folder of parts. */
#ifndef AQ_IO_TABLE_TABLE_PARTS_H
#define AQ_IO_TABLE_TABLE_PARTS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "io/listing.h"

/* Whether a file of this name is one of a table. Names that begin with a dot are what writers leave beside files. */
bool aq_is_table_name(const char *name);

/* The names of the parts in a folder that aq_locate_file gave, in the order in which they are read. */
AQ_MUST_CHECK aq_status aq_table_parts(const char *folder, aq_listing *parts, aq_error *err);

#endif
