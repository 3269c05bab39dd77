/* gguf_model.c - names and orders of all tensors, and the files of the model. */
#include "io/gguf/gguf_model.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/gguf/gguf_config.h"
#include "io/gguf/gguf_tokenizer.h"

typedef struct model_job {
  const aq_gguf_header *headers;
  size_t parts;
  aq_gguf_fields fields;
  const aq_gguf_arch *arch;
  int64_t heads, key_heads;
  aq_gguf_model *out;
} model_job;

void aq_gguf_model_reset(aq_gguf_model *model) {
  for (size_t i = 0; model->names != NULL && i < model->count; i++) aq_free(model->names[i]);
  for (size_t i = 0; i < model->file_count; i++) {
    aq_free(model->files[i].name);
    aq_free(model->files[i].text);
  }
  aq_free(model->pieces);
  aq_free(model->names);
  aq_free(model->orders);
  *model = (aq_gguf_model){.names = NULL};
}

static aq_status find_arch(model_job *j, aq_error *err) {
  const char *name = NULL;
  char names[160];
  AQ_TRY(aq_gguf_field_text(&j->fields, "general.architecture", &name, err));
  AQ_FAIL_IF(name == NULL, AQ_ERR_FORMAT, "metadata key 'general.architecture' is missing");
  j->arch = aq_gguf_arch_find(name);
  if (j->arch != NULL) return AQ_OK;
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "architecture '%.60s' has no names of Hugging Face here; those that have are %s",
              name, aq_gguf_arch_names(names, sizeof names));
  return aq_error_hint(err, status, "Take the model's folder with its safetensors files");
}

/* ---- tensors ---- */

static const aq_gguf_entry *find_entry(const model_job *j, const char *name) {
  for (size_t i = 0; i < j->parts; i++) {
    for (size_t k = 0; k < j->headers[i].count; k++) {
      if (strcmp(j->headers[i].entries[k].name, name) == 0) return &j->headers[i].entries[k];
    }
  }
  return NULL;
}

static int64_t rows_of(const model_job *j, const char *name) {
  const aq_gguf_entry *entry = find_entry(j, name);
  return entry != NULL && entry->rank == 2 ? entry->shape[0] : 0;
}

static aq_status order_rows(const aq_gguf_entry *entry, int64_t heads, aq_gguf_order *out, aq_error *err) {
  const int64_t rows = entry->rank > 0 ? entry->shape[0] : 0;
  AQ_FAIL_IF(entry->rank < 1 || entry->rank > 2 || rows == 0 || rows % heads != 0 || rows / heads % 2 != 0,
             AQ_ERR_FORMAT, "it has %lld rows for %lld heads, whose halves are interleaved in this architecture",
             (long long)rows, (long long)heads);
  const aq_gguf_type *type = aq_gguf_type_at(entry->type);
  const uint64_t columns = entry->num_params / (uint64_t)rows; /* their bytes were counted with the header */
  out->row_bytes = columns * (type->decode != NULL ? sizeof(float) : type->bytes);
  out->half = (uint64_t)(rows / heads / 2);
  return AQ_OK;
}

static aq_status order_values(const model_job *j, const aq_gguf_entry *entry, aq_gguf_change change, aq_gguf_order *out,
                              aq_error *err) {
  const aq_gguf_type *type = aq_gguf_type_at(entry->type);
  switch (change) {
    case AQ_GGUF_UNCHANGED:
      return AQ_OK;
    case AQ_GGUF_JOINED:
      AQ_FAIL_IF(entry->rank != 2 || entry->shape[0] % AQ_GGUF_PIECES != 0 ||
                     entry->shape[0] / AQ_GGUF_PIECES != entry->shape[1],
                 AQ_ERR_UNSUPPORTED,
                 "query, key and value are joined in it, and it has not three rows for each column");
      return AQ_OK;
    case AQ_GGUF_PLUS_ONE:
      AQ_FAIL_IF(type->decode != NULL || type->dtype != AQ_F32, AQ_ERR_UNSUPPORTED,
                 "its gains are %s; those that 1 is subtracted from are F32", type->name);
      out->less_one = true;
      return AQ_OK;
    default:
      return order_rows(entry, change == AQ_GGUF_QUERY_ROWS ? j->heads : j->key_heads, out, err);
  }
}

/* Divisors of frequencies belong to a model of Llama, and their place is its config.json. */
static bool is_rope(const model_job *j, const aq_gguf_entry *entry) {
  return strcmp(j->arch->name, "llama") == 0 && strcmp(entry->name, AQ_GGUF_ROPE_TENSOR) == 0;
}

/* The first piece must have a name, further ones are those that are joined in the entry. */
static aq_status name_pieces(const model_job *j, const aq_gguf_entry *entry, uint8_t *pieces, aq_error *err) {
  for (size_t piece = 0; piece < AQ_GGUF_PIECES; piece++) {
    aq_gguf_change change;
    bool is_known;
    char *name = aq_gguf_name_to_hf(j->arch, entry->name, piece, &change, &is_known);
    if (!is_known && piece > 0) break;
    AQ_FAIL_IF(!is_known, AQ_ERR_UNSUPPORTED, "a '%s' model of Hugging Face has no such tensor", j->arch->name);
    if (name == NULL) return aq_fail_memory(err, strlen(entry->name));
    j->out->names[j->out->count] = name;
    AQ_TRY(order_values(j, entry, change, &j->out->orders[j->out->count++], err));
    ++*pieces;
  }
  return AQ_OK;
}

static aq_status create_names(const model_job *j, aq_error *err) {
  size_t total = 0;
  for (size_t i = 0; i < j->parts; i++) total += j->headers[i].count;
  const size_t most = AQ_GGUF_PIECES * AQ_MAX(total, (size_t)1);
  j->out->pieces = aq_calloc(AQ_MAX(total, (size_t)1), sizeof *j->out->pieces);
  j->out->names = aq_calloc(most, sizeof *j->out->names);
  j->out->orders = aq_calloc(most, sizeof *j->out->orders);
  const bool has_room = j->out->pieces != NULL && j->out->names != NULL && j->out->orders != NULL;
  return has_room ? AQ_OK : aq_fail_memory(err, most * sizeof *j->out->orders);
}

static aq_status name_tensors(const model_job *j, aq_error *err) {
  AQ_TRY(create_names(j, err));
  for (size_t i = 0; i < j->parts; i++) {
    for (size_t k = 0; k < j->headers[i].count; k++) {
      const aq_gguf_entry *entry = &j->headers[i].entries[k];
      uint8_t *pieces = &j->out->pieces[j->out->entries++];
      const aq_status status = is_rope(j, entry) ? AQ_OK : name_pieces(j, entry, pieces, err);
      if (status != AQ_OK) return aq_error_in_tensor(err, status, entry->name);
    }
  }
  return AQ_OK;
}

/* ---- files ---- */

static aq_status add_file(void *ctx, const char *name, const char *text, aq_error *err) {
  aq_gguf_model *m = ctx;
  AQ_FAIL_IF(m->file_count == AQ_GGUF_MODEL_FILES, AQ_ERR_INTERNAL, "a model has more files than there is room for");
  aq_gguf_model_file *file = &m->files[m->file_count++];
  *file = (aq_gguf_model_file){aq_strdup(name), aq_strdup(text)};
  return file->name != NULL && file->text != NULL ? AQ_OK : aq_fail_memory(err, strlen(text));
}

static void find_rope(const model_job *j, aq_gguf_tensors *out) {
  for (size_t i = 0; i < j->parts; i++) {
    for (size_t k = 0; k < j->headers[i].count; k++) {
      if (!is_rope(j, &j->headers[i].entries[k])) continue;
      out->rope = &j->headers[i].entries[k];
      out->rope_file = &j->fields.file[i]; /* files of all parts */
    }
  }
}

static aq_status make_files(const model_job *j, aq_error *err) {
  aq_gguf_tensors tensors = {.vocabulary = rows_of(j, "token_embd.weight"),
                             .positions = rows_of(j, "position_embd.weight"),
                             .types = rows_of(j, "token_types.weight"),
                             .has_head = find_entry(j, "output.weight") != NULL,
                             .has_attention_bias = find_entry(j, "blk.0.attn_q.bias") != NULL,
                             .has_ffn_bias = find_entry(j, "blk.0.ffn_gate.bias") != NULL};
  find_rope(j, &tensors);
  AQ_FAIL_IF(tensors.vocabulary == 0, AQ_ERR_FORMAT, "there is no matrix token_embd.weight, the table of tokens");
  AQ_TRY(aq_gguf_config_make(&j->fields, j->arch, &tensors, add_file, j->out, err));
  return aq_gguf_tokenizer_make(&j->fields, j->arch, &tensors, add_file, j->out, err);
}

aq_status aq_gguf_model_make(const aq_gguf_header *headers, const aq_file *files, size_t parts, aq_gguf_model *out,
                             aq_error *err) {
  model_job j = {
      .headers = headers, .parts = parts, .fields = {.file = &files[0], .metadata = &headers[0].metadata}, .out = out};
  *out = (aq_gguf_model){.names = NULL};
  AQ_TRY(find_arch(&j, err));
  AQ_TRY(aq_gguf_heads(&j.fields, j.arch, &j.heads, &j.key_heads, err));
  AQ_TRY(name_tensors(&j, err));
  return make_files(&j, err);
}
