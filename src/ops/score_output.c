/* score_output.c - scores as lines, or as a list. jansson writes the numbers, whatever the locale is. */
#include "ops/score_output.h"

#include "core/error.h"
#include "report/report.h"

#define REAL_DIGITS 9               /* enough to read back the same FP32 */
#define LIST_MOST UINT64_C(1000000) /* pairs of a list, which is held in memory as a whole */

static int append_bytes(const char *bytes, size_t size, void *buffer) {
  return aq_buffer_append(buffer, bytes, size, NULL) == AQ_OK ? 0 : -1;
}

static aq_status append_number(aq_buffer *line, float score, aq_error *err) {
  json_t *number = aq_json_real((double)score);
  const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS);
  const int failed = number == NULL ? -1 : json_dump_callback(number, append_bytes, line, flags);
  json_decref(number);
  return failed == 0 ? AQ_OK : aq_fail_memory(err, sizeof score);
}

static aq_status write_line(aq_score_output *o, const float *scores, aq_error *err) {
  o->line.size = 0;
  for (uint32_t i = 0; i < o->labels; i++) {
    if (i > 0) AQ_TRY(aq_buffer_append_byte(&o->line, '\t', err));
    AQ_TRY(append_number(&o->line, scores[i], err));
  }
  AQ_TRY(aq_buffer_append_byte(&o->line, '\n', err));
  return o->write(o->write_ctx, o->line.data, o->line.size, err);
}

static json_t *scores_json(const float *scores, uint32_t labels) {
  if (labels == 1) return aq_json_real((double)scores[0]);
  json_t *array = json_array();
  for (uint32_t i = 0; array != NULL && i < labels; i++) {
    if (json_array_append_new(array, aq_json_real((double)scores[i])) == 0) continue;
    json_decref(array);
    array = NULL;
  }
  return array;
}

static aq_status append_item(aq_score_output *o, const float *scores, aq_error *err) {
  if (o->count >= LIST_MOST) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "there are more than %llu pairs, which is as many as a report can have",
                  (unsigned long long)LIST_MOST);
    return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Let the scores be written line by line, without a report of them");
  }
  if (o->list == NULL) o->list = json_array();
  return aq_report_append(o->list, scores_json(scores, o->labels), err);
}

aq_status aq_score_output_add(aq_score_output *output, const float *scores, aq_error *err) {
  AQ_TRY(output->write != NULL ? write_line(output, scores, err) : append_item(output, scores, err));
  output->count++;
  return AQ_OK;
}

json_t *aq_score_output_take(aq_score_output *output) {
  json_t *list = output->list != NULL ? output->list : json_array();
  output->list = NULL;
  return list;
}

void aq_score_output_reset(aq_score_output *output) {
  json_decref(output->list);
  aq_buffer_reset(&output->line);
}
