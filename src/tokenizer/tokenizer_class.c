/* tokenizer_class.c - the choice of AutoTokenizer (transformers 5), among the classes whose stages are known. */
#include "tokenizer/tokenizer_class.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "tokenizer/models.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_spm.h"

const char *const aq_named_token_keys[AQ_NAMED_TOKENS] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                          "pad_token", "cls_token", "mask_token"};

static const aq_tokenizer_class general = {
    .name = "PreTrainedTokenizerFast", .spm = &aq_spm_as_it_is, .leaves_pad_open = true};

#define BERT_TOKENS                                                                                         \
  {                                                                                                         \
    [AQ_TOKEN_UNK] = "[UNK]", [AQ_TOKEN_SEP] = "[SEP]", [AQ_TOKEN_PAD] = "[PAD]", [AQ_TOKEN_CLS] = "[CLS]", \
    [AQ_TOKEN_MASK] = "[MASK]"                                                                              \
  }
static const aq_tokenizer_class bert = {.name = "BertTokenizer",
                                        .read_stages = aq_tokenizer_read_bert,
                                        .frame = AQ_FRAME_CLS_SEP,
                                        .types_pairs = true,
                                        .gives_types = true,
                                        .tokens = BERT_TOKENS};
static const aq_tokenizer_class distilbert = {.name = "DistilBertTokenizer",
                                              .read_stages = aq_tokenizer_read_bert,
                                              .frame = AQ_FRAME_CLS_SEP,
                                              .types_pairs = true,
                                              .tokens = BERT_TOKENS};
static const aq_tokenizer_class mpnet = {.name = "MPNetTokenizer",
                                         .read_stages = aq_tokenizer_read_bert,
                                         .frame = AQ_FRAME_CLS_SEP,
                                         .doubles_separator = true,
                                         .wraps = true,
                                         .tokens = {[AQ_TOKEN_BOS] = "<s>",
                                                    [AQ_TOKEN_EOS] = "</s>",
                                                    [AQ_TOKEN_UNK] = "[UNK]",
                                                    [AQ_TOKEN_SEP] = "</s>",
                                                    [AQ_TOKEN_PAD] = "<pad>",
                                                    [AQ_TOKEN_CLS] = "<s>",
                                                    [AQ_TOKEN_MASK] = "<mask>"}};

#define ROBERTA_TOKENS                                                                                  \
  {                                                                                                     \
    [AQ_TOKEN_BOS] = "<s>", [AQ_TOKEN_EOS] = "</s>", [AQ_TOKEN_UNK] = "<unk>", [AQ_TOKEN_SEP] = "</s>", \
    [AQ_TOKEN_PAD] = "<pad>", [AQ_TOKEN_CLS] = "<s>", [AQ_TOKEN_MASK] = "<mask>"                        \
  }

#define END_OF_TEXT "<|endoftext|>"
static const aq_tokenizer_class gpt2 = {
    .name = "GPT2Tokenizer",
    .read_stages = aq_tokenizer_read_gpt2,
    .tokens = {[AQ_TOKEN_BOS] = END_OF_TEXT, [AQ_TOKEN_EOS] = END_OF_TEXT, [AQ_TOKEN_UNK] = END_OF_TEXT}};
static const aq_tokenizer_class roberta = {.name = "RobertaTokenizer",
                                           .read_stages = aq_tokenizer_read_roberta,
                                           .frame = AQ_FRAME_CLS_SEP,
                                           .doubles_separator = true,
                                           .tokens = ROBERTA_TOKENS};
static const aq_tokenizer_class qwen2 = {
    .name = "Qwen2Tokenizer",
    .read_stages = aq_tokenizer_read_qwen2,
    .adds_again = true,
    .tokens = {[AQ_TOKEN_EOS] = END_OF_TEXT, [AQ_TOKEN_UNK] = END_OF_TEXT, [AQ_TOKEN_PAD] = END_OF_TEXT}};
static const aq_tokenizer_class gemma = {.name = "GemmaTokenizer",
                                         .read_stages = aq_tokenizer_read_gemma,
                                         .spm = &aq_spm_as_it_is,
                                         .pads_left = true,
                                         .tokens = {[AQ_TOKEN_BOS] = "<bos>",
                                                    [AQ_TOKEN_EOS] = "<eos>",
                                                    [AQ_TOKEN_UNK] = "<unk>",
                                                    [AQ_TOKEN_PAD] = "<pad>",
                                                    [AQ_TOKEN_MASK] = "<mask>"}};
static const aq_tokenizer_class llama = {
    .name = "LlamaTokenizer",
    .read_stages = aq_tokenizer_read_llama,
    .spm = &aq_spm_as_it_is,
    .pads_left = true,
    .leaves_pad_open = true,
    .tokens = {[AQ_TOKEN_BOS] = "<s>", [AQ_TOKEN_EOS] = "</s>", [AQ_TOKEN_UNK] = "<unk>"}};

static const aq_tokenizer_class xlm_roberta = {.name = "XLMRobertaTokenizer",
                                               .read_stages = aq_tokenizer_read_xlm_roberta,
                                               .spm = &aq_spm_fairseq,
                                               .frame = AQ_FRAME_BOS_EOS,
                                               .doubles_separator = true,
                                               .tokens = ROBERTA_TOKENS};
static const aq_tokenizer_class camembert = {.name = "CamembertTokenizer",
                                             .read_stages = aq_tokenizer_read_camembert,
                                             .spm = &aq_spm_camembert,
                                             .frame = AQ_FRAME_BOS_EOS,
                                             .doubles_separator = true,
                                             .wraps_mask_alone = true,
                                             .has_notused = true,
                                             .tokens = ROBERTA_TOKENS};
static const aq_tokenizer_class t5 = {
    .name = "T5Tokenizer",
    .read_stages = aq_tokenizer_read_t5,
    .spm = &aq_spm_spiece,
    .frame = AQ_FRAME_EOS,
    .has_extra_ids = true,
    .tokens = {[AQ_TOKEN_EOS] = "</s>", [AQ_TOKEN_UNK] = "<unk>", [AQ_TOKEN_PAD] = "<pad>"}};
static const aq_tokenizer_class albert = {.name = "AlbertTokenizer",
                                          .read_stages = aq_tokenizer_read_albert,
                                          .spm = &aq_spm_spiece,
                                          .frame = AQ_FRAME_OF_FILE_OR_CLS_SEP,
                                          .types_pairs = true,
                                          .tokens = {[AQ_TOKEN_BOS] = "[CLS]",
                                                     [AQ_TOKEN_EOS] = "[SEP]",
                                                     [AQ_TOKEN_UNK] = "<unk>",
                                                     [AQ_TOKEN_SEP] = "[SEP]",
                                                     [AQ_TOKEN_PAD] = "<pad>",
                                                     [AQ_TOKEN_CLS] = "[CLS]",
                                                     [AQ_TOKEN_MASK] = "[MASK]"}};
static const aq_tokenizer_class deberta = {.name = "DebertaV2Tokenizer",
                                           .read_stages = aq_tokenizer_read_deberta,
                                           .spm = &aq_spm_deberta,
                                           .frame = AQ_FRAME_CLS_SEP,
                                           .types_pairs = true,
                                           .gives_types = true,
                                           .tokens = {[AQ_TOKEN_BOS] = "[CLS]",
                                                      [AQ_TOKEN_EOS] = "[SEP]",
                                                      [AQ_TOKEN_UNK] = "[UNK]",
                                                      [AQ_TOKEN_SEP] = "[SEP]",
                                                      [AQ_TOKEN_PAD] = "[PAD]",
                                                      [AQ_TOKEN_CLS] = "[CLS]",
                                                      [AQ_TOKEN_MASK] = "[MASK]"}};

/* Names of classes, without "Fast". Others have a vocab.txt and mean something else by it (a Japanese BERT asks a
 * morphological analyser first), or are of another kind. */
static const struct {
  const char *name;
  const aq_tokenizer_class *class;
} class_names[] = {
    {"BertTokenizer", &bert},
    {"DistilBertTokenizer", &distilbert},
    {"ElectraTokenizer", &bert},
    {"MobileBertTokenizer", &bert},
    {"LayoutLMTokenizer", &bert},
    {"LxmertTokenizer", &bert},
    {"SqueezeBertTokenizer", &bert},
    {"MPNetTokenizer", &mpnet},
    {"PreTrainedTokenizer", &general},
    {"TokenizersBackend", &general},
    {"GPT2Tokenizer", &gpt2},
    {"Qwen2Tokenizer", &qwen2},
    {"GemmaTokenizer", &gemma},
    {"LlamaTokenizer", &llama},
    {"RobertaTokenizer", &roberta},
    {"T5Tokenizer", &t5},
    {"XLMRobertaTokenizer", &xlm_roberta},
    {"CamembertTokenizer", &camembert},
    {"AlbertTokenizer", &albert},
    {"DebertaV2Tokenizer", &deberta},
};

/* Types of models, and the class where none is named. Of some the class is this one whatever is named: because the
 * files of such models are known to name a wrong one, or because the type has the general class. */
static const struct {
  const char *type;
  const aq_tokenizer_class *class;
  bool always;
} model_types[] = {
    {"bert", &bert, false},
    {"distilbert", &bert, false},
    {"electra", &bert, false},
    {"mobilebert", &bert, false},
    {"layoutlm", &bert, false},
    {"squeezebert", &bert, false},
    {"megatron-bert", &bert, false},
    {"nomic_bert", &bert, false},
    {"convbert", &bert, false},
    {"ernie", &bert, false},
    {"nezha", &bert, false},
    {"mpnet", &mpnet, false},
    {"modernbert", &general, true},
    {"mistral", &general, true},
    {"mixtral", &general, true},
    {"phi3", &general, true},
    {"llama", &general, false},
    {"smollm3", &general, false},
    {"qwen2", &qwen2, true},
    {"qwen2_moe", &qwen2, false},
    {"qwen3", &qwen2, false},
    {"qwen3_moe", &qwen2, false},
    {"gpt2", &gpt2, false},
    {"gemma", &gemma, false},
    {"roberta", &roberta, false},
    {"t5", &t5, false},
    {"mt5", &t5, false},
    {"xlm-roberta", &xlm_roberta, false},
    {"camembert", &camembert, false},
    {"albert", &albert, false},
    {"deberta-v2", &deberta, false},
    {"gemma2", &gemma, false},
    {"gemma3", &gemma, false},
    {"gemma3_text", &gemma, false},
};

static const aq_tokenizer_class *find_name(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(class_names); i++) {
    const size_t length = strlen(class_names[i].name);
    const bool begins = strncmp(name, class_names[i].name, length) == 0;
    if (begins && (name[length] == '\0' || strcmp(name + length, "Fast") == 0)) return class_names[i].class;
  }
  return NULL;
}

/* `named` tells whether the files name a class. */
static const aq_tokenizer_class *find_type(const char *type, bool named) {
  for (size_t i = 0; i < AQ_COUNT_OF(model_types); i++) {
    if (strcmp(type, model_types[i].type) == 0) return !named || model_types[i].always ? model_types[i].class : NULL;
  }
  return NULL;
}

/* The class of a name, which for LlamaTokenizer depends on the file: many that name it are of Llama 3. */
static const aq_tokenizer_class *find_class(const char *name, const aq_tokenizer_files *files) {
  const aq_tokenizer_class *class = find_name(name);
  const char *json = files->texts[AQ_TEXT_JSON].text;
  return class == &llama && json != NULL && strstr(json, "\"ByteLevel\"") != NULL ? &general : class;
}

/* A name that is "" counts as none. */
static aq_status read_name(const json_t *object, const char *key, const char **out, aq_error *err) {
  AQ_TRY(aq_json_text(object, key, NULL, out, err));
  if (*out != NULL && (*out)[0] == '\0') *out = NULL;
  return AQ_OK;
}

aq_status aq_tokenizer_class_find(const json_t *config, const json_t *model, const aq_tokenizer_files *files,
                                  const aq_tokenizer_class **out, bool *blame_model, aq_error *err) {
  const char *name = NULL, *type = NULL;
  *blame_model = false;
  AQ_TRY(read_name(config, "tokenizer_class", &name, err));
  *blame_model = name == NULL;
  if (name == NULL) AQ_TRY(read_name(model, "tokenizer_class", &name, err));
  *blame_model = model != NULL;
  AQ_TRY(read_name(model, "model_type", &type, err));
  *out = type != NULL ? find_type(type, name != NULL) : NULL;
  if (*out != NULL) return AQ_OK;
  if (name == NULL && type == NULL) {
    *out = files->texts[AQ_TEXT_VOCAB].text != NULL ? &bert : &general;
    return AQ_OK;
  }
  *blame_model = name == NULL || json_object_get(config, "tokenizer_class") == NULL;
  *out = name != NULL ? find_class(name, files) : NULL;
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
