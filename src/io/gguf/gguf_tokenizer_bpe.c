/* gguf_tokenizer_bpe.c - byte-level BPE. */
#include "io/gguf/gguf_tokenizer_json.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/gguf/gguf_pre_tokenizers.h"

/* Two tokens with one space between, which a byte-level token never has. */
static aq_status append_merges(aq_gguf_tokenizer *t, aq_error *err) {
  AQ_TRY(aq_gguf_json_text(t, ",\"merges\":[", err));
  for (size_t i = 0; i < t->merges.count; i++) {
    const char *text = aq_gguf_string(&t->merges, i), *space = strchr(text, ' ');
    AQ_FAIL_IF(space == NULL || space == text || space[1] == '\0' || strchr(space + 1, ' ') != NULL, AQ_ERR_FORMAT,
               "tokenizer.ggml.merges: text %zu, '%.60s', is not two tokens with a space between", i, text);
    if (i > 0) AQ_TRY(aq_gguf_json_text(t, ",", err));
    AQ_TRY(aq_gguf_json_quoted(t, text, strlen(text), err));
  }
  return aq_gguf_json_text(t, "]", err);
}

/* The stages that tokenizer.ggml.pre names. */
static aq_status find_pre_tokenizer(const aq_gguf_tokenizer *t, const aq_gguf_pre_tokenizer **out, aq_error *err) {
  const char *name = NULL;
  char known[320];
  AQ_TRY(aq_gguf_field_text(t->fields, "tokenizer.ggml.pre", &name, err));
  *out = name != NULL ? aq_gguf_pre_tokenizer_find(name) : NULL;
  if (*out == NULL) {
    const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED,
                                     "metadata key 'tokenizer.ggml.pre' is %.60s, and how such a tokenizer cuts a "
                                     "text is not known; known are %s",
                                     name != NULL ? name : "missing", aq_gguf_pre_tokenizer_names(known, sizeof known));
    return aq_error_hint(err, status, "Take the model's folder with its tokenizer.json");
  }
  /* transformers has one class for all models of this type, and one pattern. */
  AQ_FAIL_IF(
      strcmp(t->arch->name, "qwen2") == 0 && (*out)->normalizer != aq_gguf_pre_tokenizer_find("qwen2")->normalizer,
      AQ_ERR_UNSUPPORTED, "metadata key 'tokenizer.ggml.pre' is '%.60s'; what can be run of 'qwen2' is 'qwen2'", name);
  return AQ_OK;
}

aq_status aq_gguf_write_byte_level(aq_gguf_tokenizer *t, aq_error *err) {
  const aq_gguf_pre_tokenizer *pre;
  AQ_TRY(find_pre_tokenizer(t, &pre, err));
  AQ_FAIL_IF(t->merges.count == 0, AQ_ERR_FORMAT, "metadata key 'tokenizer.ggml.merges' is missing");
  AQ_TRY(aq_gguf_append_added_tokens(t, false, err));
  AQ_TRY(aq_gguf_append_stage(t, "normalizer", pre->normalizer, err));
  AQ_TRY(aq_gguf_append_stage(t, "pre_tokenizer", pre->pre_tokenizer, err));
  AQ_TRY(aq_gguf_append_bos_eos(t, pre->adds_bos, err));
  AQ_TRY(aq_gguf_append_stage(
      t, "decoder", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}",
      err));
  AQ_TRY(aq_gguf_json_text(t,
                           ",\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"fuse_unk\":false,"
                           "\"byte_fallback\":false,\"ignore_merges\":",
                           err));
  AQ_TRY(aq_gguf_json_text(t, pre->ignores_merges ? "true" : "false", err));
  AQ_TRY(aq_gguf_append_vocabulary(t, aq_gguf_append_token, err));
  AQ_TRY(append_merges(t, err));
  return aq_gguf_json_text(t, "}}", err);
}
