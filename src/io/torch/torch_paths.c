/* torch_paths.c - a walk over the containers of a pickle.
 *
 * A container may stand in several places, or in itself: depth, visits and the length of all names have limits, so that
 * a few bytes cannot describe more than there is memory for. */
#include "io/torch/torch_paths.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "core/utf8.h"
#include "tensor/shape.h"

#define DEPTH_MAX 64
#define VISITS_MAX ((uint64_t)1 << 24)
#define PATH_MAX_LENGTH ((size_t)65535)
#define NAMES_MAX ((size_t)256 << 20)
#define TENSORS_MAX ((size_t)1 << 20)

typedef struct walk {
  const aq_pickle_values *values;
  aq_torch_paths *out;
  aq_buffer path; /* without the zero that stands behind its end */
  int keys;       /* that it is made of; one may be empty */
  bool unnamed;   /* a key on the way is no name */
} walk;

void aq_torch_paths_reset(aq_torch_paths *paths) {
  aq_free(paths->entries);
  aq_buffer_reset(&paths->names);
  *paths = (aq_torch_paths){0};
}

/* ---- names ---- */

static aq_status check_name(const char *name, aq_error *err) {
  AQ_FAIL_IF(name[0] == '\0', AQ_ERR_FORMAT, "a tensor has the empty name");
  AQ_FAIL_IF(!aq_utf8_ok(name), AQ_ERR_FORMAT, "the name of a tensor is not UTF-8");
  const aq_status status = aq_part_name_refuse(name, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, name);
}

static aq_status reserve_named(aq_torch_paths *out, aq_error *err) {
  AQ_FAIL_IF(out->count >= TENSORS_MAX, AQ_ERR_UNSUPPORTED, "has more than %zu tensors", TENSORS_MAX);
  if (out->count < out->room) return AQ_OK;
  const size_t room = out->room == 0 ? 64 : 2 * out->room;
  aq_torch_named *grown = aq_realloc_array(out->entries, room, sizeof *grown);
  if (grown == NULL) return aq_fail_memory(err, room * sizeof *grown);
  out->entries = grown;
  out->room = room;
  return AQ_OK;
}

static aq_status add_named(walk *w, uint32_t tensor, aq_error *err) {
  aq_torch_paths *out = w->out;
  AQ_FAIL_IF(w->unnamed, AQ_ERR_UNSUPPORTED,
             "a tensor lies in a set, or under a key that is neither a string nor an integer ('%.100s' leads there)",
             w->path.size > 0 ? (const char *)w->path.data : "");
  AQ_FAIL_IF(w->path.size + 1 > NAMES_MAX - out->names.size, AQ_ERR_UNSUPPORTED,
             "the names of the tensors have more than %zu bytes in all", NAMES_MAX);
  AQ_TRY(reserve_named(out, err));
  const size_t begin = out->names.size;
  if (w->keys > 0) {
    AQ_TRY(aq_buffer_append(&out->names, w->path.data, w->path.size + 1, err));
  } else {
    AQ_TRY(aq_buffer_append(&out->names, "tensor", sizeof "tensor", err));
  }
  AQ_TRY(check_name((const char *)out->names.data + begin, err));
  out->entries[out->count++] = (aq_torch_named){begin, tensor};
  return AQ_OK;
}

static void count_other(walk *w) {
  if (w->out->other_count++ > 0) return;
  (void)snprintf(w->out->first_other, sizeof w->out->first_other, "%s",
                 w->path.size > 0 ? (const char *)w->path.data : "");
  const size_t valid = aq_utf8_valid((const uint8_t *)w->out->first_other, strlen(w->out->first_other));
  w->out->first_other[valid] = '\0';
}

/* ---- keys ---- */

/* Appends ".KEY" to the path; a zero stands behind its end. */
static aq_status enter_key(walk *w, const char *key, size_t length, aq_error *err) {
  AQ_FAIL_IF(length > PATH_MAX_LENGTH - AQ_MIN(w->path.size, PATH_MAX_LENGTH), AQ_ERR_UNSUPPORTED,
             "the name of a value has more than %zu bytes", PATH_MAX_LENGTH);
  AQ_TRY(aq_buffer_reserve(&w->path, length + 2, err));
  if (w->keys++ > 0) w->path.data[w->path.size++] = '.';
  memcpy(w->path.data + w->path.size, key, length);
  w->path.size += length;
  w->path.data[w->path.size] = 0;
  return AQ_OK;
}

/* Back to a path of before, and its number of keys. */
static void leave_key(walk *w, size_t size, int keys) {
  w->path.size = size;
  w->keys = keys;
  if (w->path.data != NULL) w->path.data[size] = 0;
}

static aq_status enter_number(walk *w, int64_t number, aq_error *err) {
  char text[32];
  const int length = snprintf(text, sizeof text, "%lld", (long long)number);
  return enter_key(w, text, (size_t)length, err);
}

/* The keys of a dict as texts, so that one that stands twice is seen: loaders differ in which of the two they take. */
typedef struct key_set {
  aq_strmap seen;
  aq_buffer numbers; /* texts of integer keys; of room that is never moved */
} key_set;

static aq_status note_key(const walk *w, key_set *keys, uint32_t key, aq_error *err) {
  enum { NUMBER_SIZE = 24 };
  const aq_pickle_value *value = aq_pickle_at(w->values, key);
  const char *text;
  int64_t existing = -1;
  if (value->kind == AQ_PICKLE_TEXT) {
    text = aq_pickle_text(w->values, key);
    AQ_FAIL_IF(strlen(text) != value->count, AQ_ERR_FORMAT, "a key in '%.100s' has a zero in it",
               w->path.size > 0 ? (const char *)w->path.data : "");
  } else if (value->kind == AQ_PICKLE_INT) {
    char *own = (char *)keys->numbers.data + keys->numbers.size;
    (void)snprintf(own, NUMBER_SIZE, "%lld", (long long)value->as.number);
    keys->numbers.size += NUMBER_SIZE;
    text = own;
  } else {
    return AQ_OK;
  }
  AQ_TRY(aq_strmap_add(&keys->seen, text, 0, &existing, err));
  AQ_FAIL_IF(existing >= 0, AQ_ERR_FORMAT, "a dict has the key '%.100s' twice", aq_utf8_ok(text) ? text : "");
  return AQ_OK;
}

static aq_status check_keys(const walk *w, const aq_pickle_value *dict, aq_error *err) {
  key_set keys = {0};
  aq_status status = aq_buffer_reserve(&keys.numbers, (size_t)(dict->count / 2) * 24 + 1, err);
  for (uint32_t i = 0; i < dict->count && status == AQ_OK; i += 2) status = note_key(w, &keys, dict->as.items[i], err);
  aq_strmap_reset(&keys.seen);
  aq_buffer_reset(&keys.numbers);
  return status;
}

/* ---- the walk ---- */

static aq_status visit(walk *w, uint32_t id, int depth, aq_error *err);

static aq_status visit_pair(walk *w, uint32_t key, uint32_t item, int depth, aq_error *err) {
  const aq_pickle_value *value = aq_pickle_at(w->values, key);
  const size_t size = w->path.size;
  const int count = w->keys;
  const bool unnamed = w->unnamed;
  if (value->kind == AQ_PICKLE_TEXT) {
    AQ_TRY(enter_key(w, aq_pickle_text(w->values, key), value->count, err));
  } else if (value->kind == AQ_PICKLE_INT) {
    AQ_TRY(enter_number(w, value->as.number, err));
  } else {
    w->unnamed = true;
  }
  AQ_TRY(visit(w, item, depth, err));
  leave_key(w, size, count);
  w->unnamed = unnamed;
  return AQ_OK;
}

static aq_status visit_dict(walk *w, const aq_pickle_value *dict, int depth, aq_error *err) {
  AQ_TRY(check_keys(w, dict, err));
  for (uint32_t i = 0; i < dict->count; i += 2)
    AQ_TRY(visit_pair(w, dict->as.items[i], dict->as.items[i + 1], depth, err));
  return AQ_OK;
}

static aq_status visit_items(walk *w, const aq_pickle_value *list, int depth, aq_error *err) {
  const size_t size = w->path.size;
  const int count = w->keys;
  const bool unnamed = w->unnamed;
  w->unnamed = unnamed || list->kind == AQ_PICKLE_SET;
  for (uint32_t i = 0; i < list->count; i++) {
    AQ_TRY(enter_number(w, i, err));
    AQ_TRY(visit(w, list->as.items[i], depth, err));
    leave_key(w, size, count);
  }
  w->unnamed = unnamed;
  return AQ_OK;
}

static aq_status visit(walk *w, uint32_t id, int depth, aq_error *err) {
  const aq_pickle_value *value = aq_pickle_at(w->values, id);
  AQ_FAIL_IF(depth > DEPTH_MAX, AQ_ERR_UNSUPPORTED, "values are nested more than %d deep, or contain themselves",
             DEPTH_MAX);
  AQ_FAIL_IF(++w->out->visits > VISITS_MAX, AQ_ERR_UNSUPPORTED, "the values of the pickle are more than %llu",
             (unsigned long long)VISITS_MAX);
  switch (value->kind) {
    case AQ_PICKLE_TENSOR:
      return add_named(w, (uint32_t)value->as.number, err);
    case AQ_PICKLE_DICT:
      return visit_dict(w, value, depth + 1, err);
    case AQ_PICKLE_LIST:
    case AQ_PICKLE_TUPLE:
    case AQ_PICKLE_SET:
      return visit_items(w, value, depth + 1, err);
    default:
      count_other(w);
      return AQ_OK;
  }
}

aq_status aq_torch_paths_find(const aq_pickle_values *values, uint32_t root, aq_torch_paths *out, aq_error *err) {
  *out = (aq_torch_paths){0};
  walk w = {.values = values, .out = out};
  const aq_status status = visit(&w, root, 0, err);
  aq_buffer_reset(&w.path);
  if (status != AQ_OK) aq_torch_paths_reset(out);
  return status;
}
