/* arrow_import.h - the rows of an Arrow stream as sources: all at once (aq_source_open_arrow), or some at a time. */
#ifndef AQ_IO_ARROW_ARROW_IMPORT_H
#define AQ_IO_ARROW_ARROW_IMPORT_H

#include "io/source.h"

typedef struct aq_arrow_import aq_arrow_import;

/* Reads the schema. The stream is taken over whatever happens. */
AQ_MUST_CHECK aq_status aq_arrow_import_open(struct ArrowArrayStream *stream, aq_arrow_import **out, aq_error *err);
void aq_arrow_import_close(aq_arrow_import *import); /* NULL is fine */

/* A source without tensors that has the metadata and the notes of the schema. It lives as long as the import. */
const aq_source *aq_arrow_import_schema(const aq_arrow_import *import);

/* Whether a tensor of that name, of which a part ends with slice `hi`, goes on in another row. */
typedef bool (*aq_arrow_goes_on)(void *ctx, const char *name, size_t length, int64_t hi);

/* The tensors of the next batch; of more batches when its last row is a part of a tensor that goes on. *out is NULL at
 * the end of the stream. It does not need the import any more. */
AQ_MUST_CHECK aq_status aq_arrow_import_next(aq_arrow_import *import, aq_arrow_goes_on goes_on, void *ctx,
                                             aq_source **out, aq_error *err);

#endif
