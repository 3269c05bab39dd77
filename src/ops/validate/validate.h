/* validate.h - the parts of a validation. */
#ifndef AQ_OPS_VALIDATE_VALIDATE_H
#define AQ_OPS_VALIDATE_VALIDATE_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "ops/evaluate/evaluator.h"
#include "ops/type_list.h"

typedef struct aq_validation {
  const aq_validate_options *options;
  const char *named; /* what the caller calls the model; NULL: nothing */
  aq_source *source; /* the model, its tied tensors known */
  aq_pool *pool;
  json_t *root;      /* the report */
  char *work_folder; /* where the tables are made */
  aq_type_list list;
  aq_evaluator_options judging;
  aq_evaluator *evaluator; /* NULL when outputs are not measured */
} aq_validation;

/* What a check of a table found: {"id", "what", "passed", "detail"} added to checks. */
AQ_MUST_CHECK aq_status aq_check_add(json_t *checks, const char *id, const char *what, bool passed, const char *detail,
                                     aq_error *err);

/* The checks of FORMAT.md on one table: columns, rows, tensors, lengths, checksums. `source` is the model it was made
 * from, `table` the table opened as a source. */
AQ_MUST_CHECK aq_status aq_check_table(const char *path, const aq_source *table, int schema_version,
                                       const aq_source *source, json_t *checks, aq_error *err);

/* Every kept tensor of the table holds exactly the bytes of the model. */
AQ_MUST_CHECK aq_status aq_check_equal_bytes(const aq_source *table, const aq_source *source, json_t *checks,
                                             aq_error *err);

/* Opens a table, loads every tensor (checksums are checked) and decodes every value to FP32; *seconds of it all. The
 * caller owns *table. */
AQ_MUST_CHECK aq_status aq_load_timed(const aq_validation *v, const char *path, aq_source **table, double *seconds,
                                      aq_error *err);

/* Makes, checks and measures one table; adds root["v1"], or an entry of root["types"]. */
AQ_MUST_CHECK aq_status aq_validate_v1(aq_validation *v, const char *path, aq_error *err);
AQ_MUST_CHECK aq_status aq_validate_type(aq_validation *v, aq_quant_type type, const char *path, aq_error *err);

/* Runs the model on texts, or notes why not: root["outputs"]. Then an entry's "outputs", from its table and its
 * "mean_cosine". */
AQ_MUST_CHECK aq_status aq_validate_outputs_begin(aq_validation *v, aq_error *err);
AQ_MUST_CHECK aq_status aq_validate_outputs_type(aq_validation *v, json_t *entry, const aq_source *table,
                                                 aq_error *err);

/* How outputs are judged. */
aq_evaluator_options aq_validate_judging(const aq_validate_options *options);

/* Whether the caller named what only outputs are measured with. */
bool aq_validate_counts_on_outputs(const aq_validate_options *options);

/* Applies the acceptance criteria: root["criteria"] and root["verdict"]. */
AQ_MUST_CHECK aq_status aq_validate_criteria(json_t *root, aq_error *err);

/* {"arrowquant", "instruction_set", "threads", "cpu", "os", "finished"}; no host name, no user. NULL when out of
 * memory. */
json_t *aq_environment_json(uint32_t threads);

#endif
