/* source_part.h - a source of some tensors of another one, under names of their own: what one of several files of a
 * model holds. */
#ifndef AQ_IO_SOURCE_PART_H
#define AQ_IO_SOURCE_PART_H

#include "io/source.h"

/* A source without tensors, metadata and notes, which holds `base`. */
AQ_MUST_CHECK aq_status aq_source_part_create(const aq_source *base, aq_source **out, aq_error *err);

/* Adds tensor `index` of the base with its values, codes and scales. AQ_ERR_FORMAT: another tensor has that name. */
AQ_MUST_CHECK aq_status aq_source_part_add(aq_source *part, size_t index, const char *name, aq_error *err);

/* The base of a part; NULL: the source is none. */
const aq_source *aq_source_part_base(const aq_source *source);

/* The tensor of the base that tensor `index` of the part is. */
size_t aq_source_part_origin(const aq_source *part, size_t index);

#endif
