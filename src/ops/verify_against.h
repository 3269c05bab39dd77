/* verify_against.h - is a table that of a model? */
#ifndef AQ_OPS_VERIFY_AGAINST_H
#define AQ_OPS_VERIFY_AGAINST_H

#include <jansson.h>

#include "arrowquant.h"
#include "io/source.h"

/* Receives a difference (AQ_ERR_FORMAT and a message), or the error of looking for one: notes damage, and returns
 * what is none. */
typedef aq_status (*aq_note_fn)(void *ctx, aq_status status, const aq_error *found, aq_error *err);

/* Every tensor of the model is in the table, with its shape, and the table has no others; what is kept there has the
 * model's bytes, but for tensors that `arrowquant.adjusted` names. Differences go to `note`, counts into `root` as
 * "against". */
AQ_MUST_CHECK aq_status aq_verify_against(const aq_source *table, const aq_source *model, const aq_run_options *run,
                                          json_t *root, aq_note_fn note, void *ctx, aq_error *err);

#endif
