/* partial.h - sources that are a part of something: one shard of a model, one file of a table in parts. */
#ifndef AQ_IO_PARTIAL_H
#define AQ_IO_PARTIAL_H

#include "io/source.h"

/* Sets source->partial, and adds a note, when the name of the source's file, an index beside it or the files beside it
 * say that it is only a part. */
AQ_MUST_CHECK aq_status aq_partial_find(aq_source *source, aq_error *err);

/* Adds a note about the safetensors files that lie beside the source's own and are not read. `path` is what the caller
 * named: of a single file by its name, nothing else was meant. */
AQ_MUST_CHECK aq_status aq_partial_note_others(aq_source *source, const char *path, aq_error *err);

/* Fails when the source is a part: nothing that looks like a whole model should be made of it. */
AQ_MUST_CHECK aq_status aq_partial_refuse(const aq_source *source, aq_error *err);

#endif
