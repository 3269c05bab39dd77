/* normalizer_precompiled.c - {"type": "Precompiled", "precompiled_charsmap": "base64"}: the normalization that
 * SentencePiece stores in a model, as `tokenizers` applies it: a cluster of characters (grapheme.h) of at most five
 * bytes becomes what the shortest text of the map that it begins with becomes; where there is none, and in longer
 * clusters, each character becomes what it does by itself. */
#include <string.h>

#include "core/base64.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/grapheme.h"
#include "tokenizer/normalizers.h"
#include "tokenizer/precompiled.h"

#define MOST_CLUSTER_BYTES 5

typedef struct precompiled {
  aq_charsmap map;
  bool stays[128]; /* an ASCII character that is not in the map, and begins no cluster of two */
} precompiled;

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.precompiled_charsmap", AQ_KEY_HONOURED},
    {.key = NULL},
};

static void free_precompiled(void *state) {
  precompiled *p = state;
  if (p != NULL) aq_charsmap_reset(&p->map);
  aq_free(p);
}

static aq_status find_ascii(precompiled *p, aq_error *err) {
  for (unsigned i = 0; i < sizeof p->stays; i++) {
    const uint8_t c = (uint8_t)i, *text;
    bool found;
    size_t size;
    AQ_TRY(aq_charsmap_find(&p->map, &c, 1, &found, &text, &size, err));
    p->stays[i] = !found && c != '\r';
  }
  return AQ_OK;
}

aq_status aq_precompiled_make(uint8_t *charsmap, size_t size, void **state, aq_error *err) {
  precompiled *p = aq_calloc(1, sizeof *p);
  if (p == NULL) {
    aq_free(charsmap);
    return aq_fail_memory(err, sizeof *p);
  }
  aq_status status = aq_charsmap_make(charsmap, size, &p->map, err);
  if (status == AQ_OK) status = find_ascii(p, err);
  if (status == AQ_OK) {
    *state = p;
  } else {
    free_precompiled(p);
  }
  return status;
}

static aq_status configure_precompiled(const json_t *object, void **state, aq_error *err) {
  const char *text;
  size_t size;
  AQ_TRY(aq_json_text(object, "precompiled_charsmap", "", &text, err));
  const size_t length = strlen(text), room = aq_base64_room(length);
  uint8_t *bytes = aq_malloc(room + 1);
  if (bytes == NULL) return aq_fail_memory(err, room + 1);
  if (!aq_base64_decode(text, length, bytes, &size)) {
    aq_free(bytes);
    return aq_fail(err, AQ_ERR_FORMAT, "'normalizer.precompiled_charsmap' is not base64");
  }
  return aq_precompiled_make(bytes, size, state, err);
}

/* ---- Running it ---- */

/* Appends what the map has for a text; *found tells whether it has something. */
static aq_status append_mapped(const precompiled *p, const uint8_t *text, size_t size, aq_buffer *out, bool *found,
                               aq_error *err) {
  const uint8_t *becomes = NULL;
  size_t becomes_size = 0;
  AQ_TRY(aq_charsmap_find(&p->map, text, size, found, &becomes, &becomes_size, err));
  return *found && becomes_size > 0 ? aq_buffer_append(out, becomes, becomes_size, err) : AQ_OK;
}

static aq_status append_cluster(const precompiled *p, const uint8_t *text, size_t size, aq_buffer *out, aq_error *err) {
  bool found = false;
  if (size <= MOST_CLUSTER_BYTES) AQ_TRY(append_mapped(p, text, size, out, &found, err));
  for (size_t at = 0, width; at < size && !found; at += width) {
    bool has_character;
    width = aq_utf8_width(text[at]);
    AQ_TRY(append_mapped(p, text + at, width, out, &has_character, err));
    if (!has_character) AQ_TRY(aq_buffer_append(out, text + at, width, err));
  }
  return AQ_OK;
}

static aq_status apply_precompiled(const void *state, const uint8_t *text, size_t size, aq_buffer *out,
                                   aq_buffer *scratch, aq_error *err) {
  const precompiled *p = state;
  (void)scratch;
  for (size_t at = 0; at < size;) {
    size_t end = at;
    /* ASCII before ASCII is a cluster of its own. */
    while (end < size && text[end] < 0x80 && p->stays[text[end]] && (end + 1 == size || text[end + 1] < 0x80)) end++;
    if (end > at) {
      AQ_TRY(aq_buffer_append(out, text + at, end - at, err));
    } else {
      end = aq_grapheme_end(text, size, at);
      AQ_TRY(append_cluster(p, text + at, end - at, out, err));
    }
    at = end;
  }
  return AQ_OK;
}

const aq_normalizer_type aq_normalizer_precompiled = {.base = {"Precompiled", keys},
                                                      .configure = configure_precompiled,
                                                      .apply = apply_precompiled,
                                                      .free_state = free_precompiled};
