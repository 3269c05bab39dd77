/* config_notes.h - what of a config.json does not keep the encoder from running, but should be said. */
#ifndef AQ_MODEL_CONFIG_NOTES_H
#define AQ_MODEL_CONFIG_NOTES_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"
#include "core/notes.h"

/* A type of numbers that is not FP32; a head that config.json names, when no modules.json says that the model is a
 * sentence encoder. */
AQ_MUST_CHECK aq_status aq_config_note(const json_t *config, bool has_modules, aq_notes *notes, aq_error *err);

/* A head that the source has weights of ("classifier.weight"), unless a note names one already. */
AQ_MUST_CHECK aq_status aq_head_note(const aq_source *source, aq_notes *notes, aq_error *err);

#endif
