/* config_notes.c - types of numbers and heads.
 *
 * Heads are told by the class ("BertForSequenceClassification"; encoders without one are called "BertModel") and by the
 * names that the classes of transformers, and ColBERT ("linear"), give their tensors. */
#include "model/config_notes.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/listing.h"

static const char head_words[] = "is not run; the embeddings are those of the encoder below it";

static aq_status note_dtype(const json_t *config, aq_notes *notes, aq_error *err) {
  static const char *const keys[] = {"dtype", "torch_dtype"};
  for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
    const char *type = json_string_value(json_object_get(config, keys[i]));
    if (type == NULL || strcmp(type, "float32") == 0 || strcmp(type, "auto") == 0) continue;
    return aq_notes_add(notes, err,
                        "config.json: '%s' is %.32s, in which sentence-transformers computes; this computes in float32",
                        keys[i], type);
  }
  return AQ_OK;
}

/* What the class of a head makes, in words; "" for one that has none here. */
static const char *class_words(const char *head) {
  static const struct {
    const char *head, *words;
  } classes[] = {{"ForSequenceClassification", " (a classifier or cross-encoder)"},
                 {"ForTokenClassification", " (a classifier of tokens)"},
                 {"ForQuestionAnswering", " (which finds answers in a text)"},
                 {"ForMultipleChoice", " (a classifier)"},
                 {"ForMaskedLM", " (a language model)"}};
  for (size_t i = 0; i < AQ_COUNT_OF(classes); i++) {
    if (strcmp(classes[i].head, head) == 0) return classes[i].words;
  }
  return "";
}

static aq_status note_class(const json_t *config, aq_notes *notes, aq_error *err) {
  const char *name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
  if (name == NULL || aq_ends_with(name, "Model")) return AQ_OK;
  const char *head = strstr(name, "For");
  return aq_notes_add(notes, err, "config.json: the model is a %.64s%s, whose head %s", name,
                      class_words(head != NULL ? head : ""), head_words);
}

aq_status aq_config_note(const json_t *config, bool has_modules, aq_notes *notes, aq_error *err) {
  AQ_TRY(note_dtype(config, notes, err));
  return has_modules ? AQ_OK : note_class(config, notes, err);
}

static bool names_head(const aq_notes *notes) {
  for (size_t i = 0; i < notes->count; i++) {
    if (strstr(notes->items[i], head_words) != NULL) return true;
  }
  return false;
}

aq_status aq_head_note(const aq_source *source, aq_notes *notes, aq_error *err) {
  static const char *const heads[] = {"classifier.weight", "classifier.dense.weight", "classifier.out_proj.weight",
                                      "score.weight",      "qa_outputs.weight",       "linear.weight"};
  for (size_t t = 0; t < aq_source_tensor_count(source) && !names_head(notes); t++) {
    const char *name = aq_source_tensor(source, t)->name;
    for (size_t i = 0; i < AQ_COUNT_OF(heads); i++) {
      const size_t before = strlen(name) - AQ_MIN(strlen(name), strlen(heads[i]));
      if (!aq_ends_with(name, heads[i]) || (before > 0 && name[before - 1] != '.')) continue;
      AQ_TRY(aq_notes_add(notes, err, "a head (tensor '%.100s') %s", name, head_words));
      break;
    }
  }
  return AQ_OK;
}
