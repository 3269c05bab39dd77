/* facts.h - what a model's configuration says about its shape (model/model_facts.h). */
#ifndef AQ_MODEL_FACTS_H
#define AQ_MODEL_FACTS_H

#include "arrowquant.h"
#include "model/arch/arch.h"
#include "model/model_facts.h"

/* Reads config.json and, of a text encoder, what its vocabulary is. Without a config.json nothing is known, which is no
 * error; a damaged one is AQ_ERR_FORMAT. */
AQ_MUST_CHECK aq_status aq_model_facts_read(const aq_source *source, aq_model_facts *out, aq_error *err);

/* What a model is run for, by the model_type of its config.json (in `folder`, or NULL: its own); an encoder for scores
 * where it has the tensors of a head, and a modules.json of one module or, without such a file, a class of heads in
 * config.json. Embeddings where there is none, or one that cannot be run: opening it then says what is wrong. */
AQ_MUST_CHECK aq_status aq_model_output_read(const aq_source *source, const char *folder, aq_model_output *out,
                                             aq_error *err);

#endif
