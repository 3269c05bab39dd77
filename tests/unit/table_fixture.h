/* table_fixture.h - the V2 table of a source and a plan, as quantize writes it. */
#ifndef AQ_TESTS_TABLE_FIXTURE_H
#define AQ_TESTS_TABLE_FIXTURE_H

#include "check.h"
#include "io/table/table_sink.h"
#include "transform/table_metadata.h"
#include "transform/transform.h"

/* encoded: one a tensor, those that are finished; NULL: none is. */
static inline void table_write(aq_source *source, const aq_plan *plan, const aq_encoded *encoded, const char *output,
                               const aq_table_options *table, const aq_run_options *run) {
  aq_error err;
  aq_table_metadata metadata = {.source = source, .plan = plan, .schema_version = 2};
  const aq_transform transform = {.stage = "quantize",
                                  .source = source,
                                  .plan = plan,
                                  .encoded = encoded,
                                  .sink = &aq_table_sink,
                                  .output = output,
                                  .table = table,
                                  .schema_version = 2,
                                  .run = run,
                                  .put_metadata = aq_table_metadata_put,
                                  .metadata_ctx = &metadata};
  assert_ok(aq_transform_run(&transform, NULL, &err));
}

#endif
