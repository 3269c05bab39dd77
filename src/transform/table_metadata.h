/* table_metadata.h - what a table says of itself in its footer: source, aliases, options, plan, the model's files. */
#ifndef AQ_TRANSFORM_TABLE_METADATA_H
#define AQ_TRANSFORM_TABLE_METADATA_H

#include <jansson.h>

#include "arrowquant.h"
#include "io/sink.h"
#include "io/source.h"
#include "quant/plan.h"

typedef struct aq_table_metadata {
  aq_source *source;
  const aq_plan *plan;
  int schema_version;
  json_t *config; /* arrowquant.config; borrowed, may be NULL */
} aq_table_metadata;

/* aq_transform.put_metadata, with an aq_table_metadata as its ctx. */
AQ_MUST_CHECK aq_status aq_table_metadata_put(void *metadata, aq_sink *sink, aq_error *err);

/* Bytes that they will take in the footer, or a few more. */
AQ_MUST_CHECK aq_status aq_table_metadata_measure(const aq_table_metadata *metadata, uint64_t *bytes, aq_error *err);

#endif
