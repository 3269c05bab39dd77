/* token_check.c - are these token ids that the encoder has rows for? */
#include "calib/token_check.h"

#include "core/error.h"

static aq_status check_text(const aq_model_config *c, const int32_t *ids, uint32_t length, size_t place,
                            const char *what, aq_error *err) {
  AQ_FAIL_IF(length == 0, AQ_ERR_ARGUMENT, "%s text %zu has no tokens", what, place);
  AQ_FAIL_IF(length > c->position_limit, AQ_ERR_ARGUMENT, "%s text %zu has %u tokens; the model has positions for %u",
             what, place, length, c->position_limit);
  for (uint32_t i = 0; i < length; i++) {
    AQ_FAIL_IF(ids[i] < 0 || (uint32_t)ids[i] >= c->vocabulary, AQ_ERR_ARGUMENT,
               "token %u of %s text %zu is %d; the model has %u words", i, what, place, ids[i], c->vocabulary);
  }
  return AQ_OK;
}

aq_status aq_token_check(const aq_model_config *config, const int32_t *const *ids, const uint32_t *lengths,
                         size_t texts, const char *what, aq_error *err) {
  AQ_FAIL_IF(texts == 0, AQ_ERR_ARGUMENT, "there are no %s texts", what);
  for (size_t i = 0; i < texts; i++) AQ_TRY(check_text(config, ids[i], lengths[i], i, what, err));
  return AQ_OK;
}
