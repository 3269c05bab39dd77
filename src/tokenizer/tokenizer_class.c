/* tokenizer_class.c - the choice of AutoTokenizer (transformers 5), among the classes whose stages are known. */
#include "tokenizer/tokenizer_class.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "tokenizer/models.h"
#include "tokenizer/tokenizer.h"

const char *const aq_named_token_keys[AQ_NAMED_TOKENS] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                          "pad_token", "cls_token", "mask_token"};

static const aq_tokenizer_class general = {.name = "PreTrainedTokenizerFast"};
static const aq_tokenizer_class bert = {.name = "BertTokenizer",
                                        .read_stages = aq_tokenizer_read_bert,
                                        .tokens = {[AQ_TOKEN_UNK] = "[UNK]",
                                                   [AQ_TOKEN_SEP] = "[SEP]",
                                                   [AQ_TOKEN_PAD] = "[PAD]",
                                                   [AQ_TOKEN_CLS] = "[CLS]",
                                                   [AQ_TOKEN_MASK] = "[MASK]"}};
static const aq_tokenizer_class mpnet = {.name = "MPNetTokenizer",
                                         .read_stages = aq_tokenizer_read_bert,
                                         .wraps = true,
                                         .tokens = {[AQ_TOKEN_BOS] = "<s>",
                                                    [AQ_TOKEN_EOS] = "</s>",
                                                    [AQ_TOKEN_UNK] = "[UNK]",
                                                    [AQ_TOKEN_SEP] = "</s>",
                                                    [AQ_TOKEN_PAD] = "<pad>",
                                                    [AQ_TOKEN_CLS] = "<s>",
                                                    [AQ_TOKEN_MASK] = "<mask>"}};

/* Names of classes, without "Fast". Others have a vocab.txt and mean something else by it (a Japanese BERT asks a
 * morphological analyser first), or are no WordPiece. */
static const struct {
  const char *name;
  const aq_tokenizer_class *class;
} class_names[] = {
    {"BertTokenizer", &bert},        {"DistilBertTokenizer", &bert}, {"ElectraTokenizer", &bert},
    {"MobileBertTokenizer", &bert},  {"LayoutLMTokenizer", &bert},   {"LxmertTokenizer", &bert},
    {"SqueezeBertTokenizer", &bert}, {"MPNetTokenizer", &mpnet},     {"PreTrainedTokenizer", &general},
    {"TokenizersBackend", &general},
};

/* Types of models, and the class where none is named. */
static const struct {
  const char *type;
  const aq_tokenizer_class *class;
} model_types[] = {
    {"bert", &bert},          {"distilbert", &bert},  {"electra", &bert},       {"mobilebert", &bert},
    {"layoutlm", &bert},      {"squeezebert", &bert}, {"megatron-bert", &bert}, {"nomic_bert", &bert},
    {"convbert", &bert},      {"ernie", &bert},       {"nezha", &bert},         {"mpnet", &mpnet},
    {"modernbert", &general},
};

static const aq_tokenizer_class *find_name(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(class_names); i++) {
    const size_t length = strlen(class_names[i].name);
    const bool begins = strncmp(name, class_names[i].name, length) == 0;
    if (begins && (name[length] == '\0' || strcmp(name + length, "Fast") == 0)) return class_names[i].class;
  }
  return NULL;
}

static const aq_tokenizer_class *find_type(const char *type) {
  for (size_t i = 0; i < AQ_COUNT_OF(model_types); i++) {
    if (strcmp(type, model_types[i].type) == 0) return model_types[i].class;
  }
  return NULL;
}

/* A name that is "" counts as none. */
static aq_status read_name(const json_t *object, const char *key, const char **out, aq_error *err) {
  AQ_TRY(aq_json_text(object, key, NULL, out, err));
  if (*out != NULL && (*out)[0] == '\0') *out = NULL;
  return AQ_OK;
}

aq_status aq_tokenizer_class_find(const json_t *config, const json_t *model, bool has_json,
                                  const aq_tokenizer_class **out, bool *blame_model, aq_error *err) {
  const char *name = NULL, *type = NULL;
  *blame_model = false;
  AQ_TRY(read_name(config, "tokenizer_class", &name, err));
  *blame_model = name == NULL;
  if (name == NULL) AQ_TRY(read_name(model, "tokenizer_class", &name, err));
  *blame_model = model != NULL;
  AQ_TRY(read_name(model, "model_type", &type, err));
  *out = type != NULL ? find_type(type) : NULL;
  if (*out == &general || (name == NULL && *out != NULL)) return AQ_OK; /* whatever the class is said to be */
  if (name == NULL && type == NULL) {
    *out = has_json ? &general : &bert;
    return AQ_OK;
  }
  *blame_model = name == NULL || json_object_get(config, "tokenizer_class") == NULL;
  *out = name != NULL ? find_name(name) : NULL;
  if (*out != NULL) return AQ_OK;
  const aq_status status =
      name != NULL
          ? aq_fail(err, AQ_ERR_UNSUPPORTED, "'tokenizer_class' is '%.80s', whose tokenizer is not known", name)
          : aq_fail(err, AQ_ERR_UNSUPPORTED, "'model_type' is '%.80s', whose tokenizer is not known", type);
  char models[256];
  return aq_error_hint(err, status,
                       "Only %s tokenizers are supported; 'tokenizer_class' in tokenizer_config.json names the class",
                       aq_stage_names(&aq_token_model_stage, models, sizeof models));
}
