/* tensor_groups.h - tensors of a report in groups: what became the same type, what was kept by the same rule. */
#ifndef AQ_REPORT_TENSOR_GROUPS_H
#define AQ_REPORT_TENSOR_GROUPS_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/compiler.h"

enum { AQ_GROUP_NAMES = 4 }; /* as many names of a group are kept */

/* groups[value of the field] = {"tensors", "params", "bytes_before", "bytes_after", "names"}, in order of first
 * appearance, of the tensors whose "action" is `action` (NULL: of all). */
AQ_MUST_CHECK aq_status aq_group_tensors(const json_t *tensors, const char *field, const char *action, json_t *groups,
                                         aq_error *err);

#endif
