/* tokenizer_bpe.c - the stages that GPT2Tokenizer, RobertaTokenizer, Qwen2Tokenizer, GemmaTokenizer and LlamaTokenizer
 * of transformers make by themselves: of a tokenizer.json they take the vocabulary, the merges and the special tokens
 * around a text; of a model of SentencePiece the pieces, which say what merges into what. */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "tokenizer/bpe.h"
#include "tokenizer/token_specs.h"
#include "tokenizer/tokenizer.h"

/* The stages of a class as a tokenizer.json would have them, without and with "add_prefix_space", and its model. */
typedef struct bpe_class {
  const char *plain, *spaced;
  bool is_spaced; /* add_prefix_space where the configuration does not give it */
  bool has_files; /* it reads vocab.json and merges.txt where there is no tokenizer.json */
  aq_bpe_options options;
} bpe_class;

#define BYTE_LEVEL(space, regex) "{\"type\":\"ByteLevel\",\"add_prefix_space\":" space ",\"use_regex\":" regex "}"
#define BYTE_DECODER ",\"decoder\":{\"type\":\"ByteLevel\"}"
#define GPT2(space) "{\"pre_tokenizer\":" BYTE_LEVEL(space, "true") BYTE_DECODER "}"
static const bpe_class gpt2 = {
    .plain = GPT2("false"), .spaced = GPT2("true"), .has_files = true, .options = {.prefix = "", .suffix = ""}};

#define QWEN2_PATTERN                                                              \
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|" \
  " ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define QWEN2(space)                                                                               \
  "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":" \
  "[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" QWEN2_PATTERN                                   \
  "\"},\"behavior\":\"Isolated\"}," BYTE_LEVEL(space, "false") "]}" BYTE_DECODER "}"
static const bpe_class qwen2 = {
    .plain = QWEN2("false"), .spaced = QWEN2("true"), .has_files = true, .options = {.prefix = "", .suffix = ""}};

#define WORD_MARK "\xE2\x96\x81" /* U+2581, which stands for a space in tokens */
#define REPLACE(from, to) "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to "\"}"
#define DECODER(last) \
  ",\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" REPLACE(WORD_MARK, " ") ",{\"type\":\"ByteFallback\"},"  \
  "{\"type\":\"Fuse\"}" last "]}"
/* Gemma's pre-tokenizer cuts at spaces, of which its normalizer leaves none. */
#define GEMMA "{\"normalizer\":" REPLACE(" ", WORD_MARK) DECODER("") "}"
static const bpe_class gemma = {.plain = GEMMA,
                                .spaced = GEMMA,
                                .options = {.prefix = "", .suffix = "", .fuses_unknown = true, .byte_fallback = true}};

#define STRIP ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"
#define LLAMA(scheme, strip)                                                                                  \
  "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" WORD_MARK "\",\"prepend_scheme\":\"" scheme \
  "\","                                                                                                       \
  "\"split\":false}" DECODER(strip) "}"
static const bpe_class llama = {.plain = LLAMA("never", ""),
                                .spaced = LLAMA("first", STRIP),
                                .is_spaced = true,
                                .options = {.prefix = "", .suffix = "", .byte_fallback = true}};
static const bpe_class llama_legacy = {.plain = LLAMA("never", ""),
                                       .spaced = LLAMA("always", STRIP),
                                       .is_spaced = true,
                                       .options = {.prefix = "", .suffix = "", .byte_fallback = true}};

static aq_status set_stages(aq_tokenizer *t, const bpe_class *class, const json_t *config, aq_error *err) {
  bool is_spaced;
  AQ_TRY(aq_json_bool(config, "add_prefix_space", class->is_spaced, &is_spaced, err));
  return aq_tokenizer_read_stages(t, is_spaced ? class->spaced : class->plain, err);
}

static aq_status read_merges(aq_merges *merges, const aq_vocab *vocab, const aq_tokenizer_roots *roots, aq_error *err) {
  const json_t *model = json_object_get(roots->json, "model");
  if (roots->spm != NULL) return aq_merges_of_vocab(merges, vocab, err);
  if (roots->json != NULL) return aq_merges_read_array(merges, vocab, json_object_get(model, "merges"), 0, err);
  const aq_status status = aq_merges_read_lines(merges, vocab, roots->merges->text, roots->merges->size, err);
  return status == AQ_OK || roots->merges->path == NULL ? status : aq_error_in_file(err, status, roots->merges->path);
}

static aq_status set_model(aq_tokenizer *t, const bpe_class *class, const aq_bpe_options *options,
                           const aq_tokenizer_roots *roots, aq_error *err) {
  const aq_token_model_type *type = &aq_token_model_bpe;
  aq_merges merges = {.slots = NULL};
  AQ_FAIL_IF(t->model.type != NULL && t->model.type != type, AQ_ERR_UNSUPPORTED,
             "the tokenizer's model is '%s', and its class is one of '%s'", t->model.type->base.name, type->base.name);
  const bool has_merges = roots->json != NULL || roots->spm != NULL || (roots->merges != NULL && class->has_files);
  AQ_FAIL_IF(!has_merges, AQ_ERR_UNSUPPORTED, "the tokenizer's class needs a tokenizer.json%s",
             class->has_files ? ", or vocab.json and merges.txt" : "");
  aq_status status = read_merges(&merges, &t->model.vocab, roots, err);
  if (status == AQ_OK) status = aq_bpe_make(options, &t->model.vocab, &merges, &t->model.state, err);
  aq_merges_reset(&merges);
  if (status == AQ_OK) t->model.type = type;
  return status;
}

/* GPT-2's stages; the special tokens around a text follow with the added tokens. */
aq_status aq_tokenizer_read_roberta(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  AQ_TRY(set_model(tokenizer, &gpt2, &gpt2.options, roots, err));
  return set_stages(tokenizer, &gpt2, roots->config, err);
}

static aq_status read_bpe(aq_tokenizer *t, const bpe_class *class, const aq_bpe_options *options,
                          const aq_tokenizer_roots *roots, aq_error *err) {
  AQ_TRY(set_model(t, class, options, roots, err));
  AQ_TRY(set_stages(t, class, roots->config, err));
  return aq_post_processor_read(&t->frame, json_object_get(roots->json, "post_processor"), err);
}

aq_status aq_tokenizer_read_gpt2(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  return read_bpe(tokenizer, &gpt2, &gpt2.options, roots, err);
}

aq_status aq_tokenizer_read_qwen2(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  return read_bpe(tokenizer, &qwen2, &qwen2.options, roots, err);
}

aq_status aq_tokenizer_read_gemma(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  static const char key[] = "unk_token";
  aq_bpe_options options = gemma.options;
  const json_t *value = json_object_get(roots->config, key);
  aq_token_spec unknown = {.content = "<unk>"};
  AQ_FAIL_IF(json_is_null(value), AQ_ERR_UNSUPPORTED, "'%s' is null", key);
  if (value != NULL) AQ_TRY(aq_token_spec_parse(value, key, &unknown, err));
  options.unknown = unknown.content;
  return read_bpe(tokenizer, &gemma, &options, roots, err);
}

aq_status aq_tokenizer_read_llama(aq_tokenizer *tokenizer, const aq_tokenizer_roots *roots, aq_error *err) {
  bool is_legacy;
  AQ_TRY(aq_json_bool(roots->config, "legacy", false, &is_legacy, err));
  return read_bpe(tokenizer, is_legacy ? &llama_legacy : &llama, &llama.options, roots, err);
}
