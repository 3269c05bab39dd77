/* source.c - a source of tensors: what it holds, and how formats fill it in.
 *
 * Everything here is done once at opening; afterwards a source does not change, so that several threads can read it
 * without a lock; what an operation finds out goes into an overlay (source_overlay.c). Reading is in source_read.c and
 * source_load.c. */
#include "io/source.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

void aq_source_hold(const aq_source *source) { (void)atomic_fetch_add(&((aq_source *)source)->more_holds, 1); }
void aq_source_drop(const aq_source *source) { aq_source_close((aq_source *)source); }

void aq_source_on_release(aq_source *source, void (*release)(void *ctx), void *ctx) {
  source->on_release = release;
  source->on_release_ctx = ctx;
}

static void free_strings(char **strings, size_t count) {
  for (size_t i = 0; i < count; i++) aq_free(strings[i]);
  aq_free(strings);
}

/* An overlay has its tensors, notes and carried files, and nothing else. */
static void close_overlay(aq_source *overlay) {
  aq_source_drop_carried(overlay);
  free_strings(overlay->notes, overlay->note_count);
  aq_free(overlay->tensors);
  aq_source_drop(overlay->base);
  aq_free(overlay);
}

void aq_source_close(aq_source *source) {
  if (source == NULL || atomic_fetch_sub(&source->more_holds, 1) > 0) return;
  if (source->base != NULL) {
    close_overlay(source);
    return;
  }
  if (source->ops != NULL && source->ops->close != NULL) source->ops->close(source);
  aq_strmap_reset(&source->index);
  free_strings(source->names, source->tensor_count);
  free_strings(source->metadata, source->metadata_count * 2);
  aq_source_drop_carried(source);
  free_strings(source->notes, source->note_count);
  aq_free(source->tensors);
  aq_free(source->segments);
  aq_free(source->segment_first);
  aq_free(source->files);
  aq_free(source->partial);
  aq_free(source->path);
  aq_free(source->folder);
  aq_free(source->edited_place);
  aq_free(source->edited_text);
  if (source->on_release != NULL) source->on_release(source->on_release_ctx);
  aq_free(source);
}

const char *aq_source_format(const aq_source *source) { return source->format; }
int aq_source_schema_version(const aq_source *source) { return source->schema_version; }
uint64_t aq_source_file_bytes(const aq_source *source) { return source->file_bytes; }
size_t aq_source_tensor_count(const aq_source *source) { return source->tensor_count; }

const aq_tensor_info *aq_source_tensor(const aq_source *source, size_t index) {
  return index < source->tensor_count ? &source->tensors[index] : NULL;
}

int64_t aq_source_find(const aq_source *source, const char *name) { return aq_strmap_get(&source->index, name); }

size_t aq_source_metadata_count(const aq_source *source) { return source->metadata_count; }

const char *aq_source_metadata_key(const aq_source *source, size_t i) {
  return i < source->metadata_count ? source->metadata[2 * i] : NULL;
}

const char *aq_source_metadata_value(const aq_source *source, size_t i) {
  return i < source->metadata_count ? source->metadata[2 * i + 1] : NULL;
}

size_t aq_source_note_count(const aq_source *source) { return source->note_count; }

const char *aq_source_note(const aq_source *source, size_t i) {
  return i < source->note_count ? source->notes[i] : NULL;
}

/* Room that an array of `count` has: the next power of two, so that no capacity need be kept. */
static size_t room_of(size_t count) {
  size_t room = count == 0 ? 0 : 16;
  while (room < count) room *= 2;
  return room;
}

/* Makes room in *array (which holds count entries of `size` bytes) for `more`. */
static aq_status grow(void *array, size_t count, size_t more, size_t size, aq_error *err) {
  const size_t room = room_of(count + more);
  if (room == room_of(count)) return AQ_OK;
  void *old;
  memcpy(&old, array, sizeof old);
  void *bigger = aq_realloc_array(old, room, size);
  if (bigger == NULL) return aq_fail_memory(err, room * size);
  memcpy(array, &bigger, sizeof bigger);
  return AQ_OK;
}

static aq_status grow_for_tensor(aq_source *source, size_t segment_count, aq_error *err) {
  const size_t tensors = source->tensor_count;
  AQ_FAIL_IF(tensors >= INT32_MAX || source->segment_count + segment_count > UINT32_MAX, AQ_ERR_UNSUPPORTED,
             "holds more tensors than can be handled");
  AQ_TRY(grow(&source->tensors, tensors, 1, sizeof *source->tensors, err));
  AQ_TRY(grow(&source->names, tensors, 1, sizeof *source->names, err));
  /* One entry more than tensors; tensors + 2 of them after this call. */
  AQ_TRY(grow(&source->segment_first, tensors == 0 ? 0 : tensors + 1, tensors == 0 ? 2 : 1,
              sizeof *source->segment_first, err));
  return grow(&source->segments, source->segment_count, segment_count, sizeof *source->segments, err);
}

aq_status aq_source_add_tensor(aq_source *source, const aq_tensor_info *info, const aq_segment *segments,
                               size_t segment_count, aq_error *err) {
  AQ_TRY(grow_for_tensor(source, segment_count, err));
  const size_t i = source->tensor_count;
  char *name = aq_strdup(info->name);
  if (name == NULL) return aq_fail_memory(err, strlen(info->name));
  int64_t existing = -1;
  aq_status status = aq_strmap_add(&source->index, name, (int64_t)i, &existing, err);
  if (status == AQ_OK && existing >= 0) {
    status = aq_fail(err, AQ_ERR_FORMAT, "two tensors have this name");
    (void)aq_error_in_tensor(err, status, name);
  }
  if (status != AQ_OK) {
    aq_free(name);
    return status;
  }
  source->names[i] = name;
  source->tensors[i] = *info;
  source->tensors[i].name = name;
  memcpy(source->segments + source->segment_count, segments, segment_count * sizeof *segments);
  source->segment_first[i] = (uint32_t)source->segment_count;
  source->segment_count += segment_count;
  source->segment_first[i + 1] = (uint32_t)source->segment_count;
  source->tensor_count++;
  return AQ_OK;
}

/* Another pair of copies in *pairs, which holds *count of them. */
static aq_status add_pair(char ***pairs, size_t *count, const char *key, const char *value, aq_error *err) {
  AQ_TRY(grow(pairs, *count * 2, 2, sizeof **pairs, err));
  char *own_key = aq_strdup(key), *own_value = aq_strdup(value);
  if (own_key == NULL || own_value == NULL) {
    aq_free(own_key);
    aq_free(own_value);
    return aq_fail_memory(err, strlen(key) + strlen(value));
  }
  (*pairs)[2 * *count] = own_key;
  (*pairs)[2 * *count + 1] = own_value;
  ++*count;
  return AQ_OK;
}

aq_status aq_source_add_metadata(aq_source *source, const char *key, const char *value, aq_error *err) {
  aq_source_drop_carried(source);
  return add_pair(&source->metadata, &source->metadata_count, key, value, err);
}

aq_status aq_source_add_note(aq_source *source, aq_error *err, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  AQ_TRY(grow(&source->notes, source->note_count, 1, sizeof *source->notes, err));
  char *copy = aq_strdup(text);
  if (copy == NULL) return aq_fail_memory(err, strlen(text));
  source->notes[source->note_count++] = copy;
  return AQ_OK;
}

static bool reads_id(const aq_source *source, aq_file_id id) {
  for (size_t i = 0; i < source->file_count; i++) {
    if (aq_file_id_equal(source->files[i], id)) return true;
  }
  return false;
}

aq_status aq_source_note_file(aq_source *source, const char *path, aq_error *err) {
  aq_file_id id;
  if (!aq_path_id(path, &id) || reads_id(source, id)) return AQ_OK;
  AQ_TRY(grow(&source->files, source->file_count, 1, sizeof *source->files, err));
  source->files[source->file_count++] = id;
  return AQ_OK;
}

bool aq_source_reads_file(const aq_source *source, const char *path) {
  aq_file_id id;
  return aq_path_id(path, &id) && reads_id(source, id);
}
