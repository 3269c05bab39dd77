/* gguf_metadata.c - reading the pairs, and the few of them that say how the rest of the file is to be read. */
#include "io/gguf/gguf_metadata.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define PAIRS_MAX ((uint64_t)65536) /* models have about forty */
/* A key of one byte, a type, a value of one byte. */
#define SHORTEST_PAIR ((uint64_t)(8 + 1 + 4 + 1))

void aq_gguf_metadata_reset(aq_gguf_metadata *metadata) {
  for (size_t i = 0; i < metadata->count; i++) {
    aq_free(metadata->pairs[i].key);
    aq_free(metadata->pairs[i].value);
  }
  aq_free(metadata->pairs);
  aq_strmap_reset(&metadata->keys);
  aq_buffer_reset(&metadata->json.text);
  *metadata = (aq_gguf_metadata){0};
}

static aq_status grow_pairs(aq_gguf_metadata *m, size_t *room, aq_error *err) {
  if (m->count < *room) return AQ_OK;
  const size_t more = *room == 0 ? 32 : *room * 2;
  aq_gguf_pair *pairs = aq_realloc_array(m->pairs, more, sizeof *pairs);
  if (pairs == NULL) return aq_fail_memory(err, more * sizeof *pairs);
  m->pairs = pairs;
  *room = more;
  return AQ_OK;
}

/* ---- keys of the format itself ---- */

static aq_status take_alignment(aq_gguf_metadata *m, const aq_gguf_value *value, aq_error *err) {
  const int64_t n = value->integer;
  const bool is_power = n > 0 && (n & (n - 1)) == 0;
  AQ_FAIL_IF(strcmp(value->type, "uint32") != 0 || !is_power, AQ_ERR_FORMAT,
             "it is %s %.40s and must be a power of two of type uint32", value->type,
             value->scalar != NULL ? value->scalar : "");
  m->alignment = (uint32_t)n;
  return AQ_OK;
}

static aq_status take_count(const aq_gguf_value *value, int64_t *out, aq_error *err) {
  AQ_FAIL_IF(!value->is_integer || value->integer < 0, AQ_ERR_FORMAT, "it is %s %.40s and must be a number",
             value->type, value->scalar != NULL ? value->scalar : "");
  *out = value->integer;
  return AQ_OK;
}

static aq_status take_own_key(aq_gguf_metadata *m, const char *key, const aq_gguf_value *value, aq_error *err) {
  const struct {
    const char *key;
    int64_t *out;
  } counts[] = {
      {"split.no", &m->split_number}, {"split.count", &m->split_count}, {"split.tensors.count", &m->split_tensors}};
  if (strcmp(key, "general.alignment") == 0) return take_alignment(m, value, err);
  for (size_t i = 0; i < AQ_COUNT_OF(counts); i++) {
    if (strcmp(key, counts[i].key) == 0) return take_count(value, counts[i].out, err);
  }
  return AQ_OK;
}

/* ---- all ---- */

/* Takes the key over whatever happens. */
static aq_status add_key(aq_gguf_metadata *m, char *key, size_t *room, aq_error *err) {
  int64_t existing = -1;
  aq_status status = grow_pairs(m, room, err);
  if (status == AQ_OK) status = aq_strmap_add(&m->keys, key, (int64_t)m->count, &existing, err);
  if (status == AQ_OK && existing >= 0)
    status = aq_fail(err, AQ_ERR_FORMAT, "metadata key '%.100s' is there twice", key);
  if (status != AQ_OK) {
    aq_free(key);
    return status;
  }
  m->pairs[m->count++] = (aq_gguf_pair){.key = key};
  return AQ_OK;
}

/* The member of the pair; when it does not fit, the text stays as it was. */
static aq_status read_value(aq_gguf_cursor *cursor, aq_gguf_metadata *m, aq_gguf_pair *pair, aq_error *err) {
  const size_t before = m->json.text.size, repaired = m->json.repaired;
  aq_gguf_value value = {0};
  pair->begin = cursor->at;
  aq_status status = before > 1 ? aq_gguf_json_append(&m->json, ",", 1, err) : AQ_OK;
  if (status == AQ_OK) status = aq_gguf_json_string(&m->json, (const uint8_t *)pair->key, strlen(pair->key), err);
  if (status == AQ_OK) status = aq_gguf_json_append(&m->json, ":", 1, err);
  if (status == AQ_OK) status = aq_gguf_value_read(cursor, &m->json, &value, err);
  pair->type = value.type;
  pair->json_at = before > 1 ? before + 1 : before;
  if (status == AQ_OK && m->json.is_full) {
    m->json.text.size = before;
    m->json.repaired = repaired;
    m->json.is_full = false;
    m->left_out++;
  } else if (status == AQ_OK) {
    pair->json_size = m->json.text.size - pair->json_at;
  }
  if (status == AQ_OK) status = take_own_key(m, pair->key, &value, err);
  pair->value = value.scalar;
  value.scalar = NULL;
  aq_gguf_value_reset(&value);
  return status;
}

/* "metadata key 'KEY': " before what went wrong; the offset and the hint stay. */
static aq_status name_key(const char *key, aq_status status, aq_error *err) {
  if (status == AQ_OK || status == AQ_ERR_MEMORY || err == NULL) return status;
  const aq_error found = *err;
  (void)aq_fail(err, status, "metadata key '%.100s': %.300s", key, found.message);
  if (found.hint[0] != '\0') (void)aq_error_hint(err, status, "%s", found.hint);
  return found.offset >= 0 ? aq_error_at(err, status, found.offset) : status;
}

aq_status aq_gguf_metadata_read(aq_gguf_cursor *cursor, uint64_t count, aq_gguf_metadata *out, aq_error *err) {
  size_t room = 0;
  *out = (aq_gguf_metadata){.alignment = 32, .split_count = 1, .split_tensors = -1};
  AQ_TRY(aq_gguf_cursor_expect(cursor, count, SHORTEST_PAIR, err));
  AQ_FAIL_IF(count > PAIRS_MAX, AQ_ERR_UNSUPPORTED, "has %llu pairs of metadata; at most %llu are read",
             (unsigned long long)count, (unsigned long long)PAIRS_MAX);
  AQ_TRY(aq_gguf_json_append(&out->json, "{", 1, err));
  for (uint64_t i = 0; i < count; i++) {
    char *key;
    AQ_TRY(aq_gguf_cursor_name(cursor, "key of the metadata", &key, err));
    AQ_TRY(add_key(out, key, &room, err));
    aq_gguf_pair *pair = &out->pairs[out->count - 1];
    AQ_TRY(name_key(pair->key, read_value(cursor, out, pair, err), err));
  }
  return aq_buffer_append(&out->json.text, "}", 1, err);
}
