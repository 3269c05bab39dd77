/* torch_archive.c - the entries of a zip archive that torch.save wrote.
 *
 * All lie in one folder, whose name is that of the file when it was written. data.pkl is the pickle, data/KEY are the
 * bytes of storages; the others are small, and what they say is checked or of no matter. A TorchScript archive has code
 * as well. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"
#include "io/torch/pickle.h"
#include "io/torch/torch_content.h"
#include "io/torch/torch_zip.h"

static const char pickle_name[] = "data.pkl";
static const char storage_folder[] = "data/";
static const char order_name[] = "byteorder";

/* Entries that are known and say nothing about tensors. */
static const char *const ignored[] = {"version", ".format_version", ".storage_alignment", ".data/serialization_id"};
/* Names that only programs have: a whole one, or that of a folder. */
static const char *const script[] = {"constants.pkl", "code/", "model.json", "attributes.pkl", "extra/"};

typedef struct archive {
  const aq_file *file;
  aq_zip_directory directory;
  aq_strmap names;
  size_t prefix_length; /* of "FOLDER/" */
  aq_torch_content *content;
  bool *used; /* for each entry */
} archive;

static const char *inner_name(const archive *a, size_t i) { return a->directory.entries[i].name + a->prefix_length; }

static bool begins_with(const char *text, const char *begin) { return strncmp(text, begin, strlen(begin)) == 0; }

static aq_status fail_script(aq_error *err) {
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "is a TorchScript archive: a program, of which nothing is run or read");
  return aq_error_hint(err, status, "Save the tensors alone: torch.save(torch.jit.load(FILE).state_dict(), NEW_FILE)");
}

static aq_status check_entry(const archive *a, size_t i, aq_error *err) {
  const char *name = inner_name(a, i);
  for (size_t k = 0; k < AQ_COUNT_OF(script); k++) {
    const size_t length = strlen(script[k]);
    const bool is_folder = script[k][length - 1] == '/';
    if (is_folder ? begins_with(name, script[k]) : strcmp(name, script[k]) == 0) return fail_script(err);
  }
  for (size_t k = 0; k < AQ_COUNT_OF(ignored); k++) {
    if (strcmp(name, ignored[k]) == 0) return AQ_OK;
  }
  if (strcmp(name, pickle_name) == 0 || strcmp(name, order_name) == 0) return AQ_OK;
  if (begins_with(name, storage_folder) && strchr(name + strlen(storage_folder), '/') == NULL) return AQ_OK;
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "the archive has an entry '%.150s', which torch.save writes for no tensors",
                 name);
}

static aq_status check_prefix(archive *a, aq_error *err) {
  const char *first = a->directory.entries[0].name, *slash = strchr(first, '/');
  a->prefix_length = slash != NULL ? (size_t)(slash - first) + 1 : 0;
  for (size_t i = 0; i < a->directory.count; i++) {
    const char *name = a->directory.entries[i].name;
    if (slash == NULL || strncmp(name, first, a->prefix_length) != 0)
      return aq_fail(err, AQ_ERR_FORMAT, "is a zip archive of several folders or none, and no file of torch.save");
  }
  return AQ_OK;
}

static aq_status index_entries(archive *a, aq_error *err) {
  AQ_TRY(check_prefix(a, err));
  for (size_t i = 0; i < a->directory.count; i++) {
    AQ_TRY(aq_strmap_add(&a->names, inner_name(a, i), (int64_t)i, NULL, err));
    AQ_TRY(check_entry(a, i, err));
  }
  a->used = aq_calloc(a->directory.count, sizeof *a->used);
  return a->used != NULL ? AQ_OK : aq_fail_memory(err, a->directory.count);
}

/* Files of before the entry was written are those of little-endian machines. */
static aq_status check_byte_order(const archive *a, aq_error *err) {
  static const char expected[] = "little";
  char text[sizeof expected - 1];
  const int64_t at = aq_strmap_get(&a->names, order_name);
  if (at < 0) return AQ_OK;
  const aq_zip_entry *entry = &a->directory.entries[at];
  if (entry->size == sizeof text) {
    AQ_TRY(aq_file_read(a->file, entry->begin, sizeof text, text, err));
    if (memcmp(text, expected, sizeof text) == 0) return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "its entry %s is not '%s': files of big-endian machines are not read",
                 order_name, expected);
}

static aq_status load_pickle(archive *a, aq_error *err) {
  aq_pickle_reader reader;
  const int64_t at = aq_strmap_get(&a->names, pickle_name);
  AQ_FAIL_IF(at < 0, AQ_ERR_FORMAT, "is a zip archive without %s, and no file of torch.save", pickle_name);
  const aq_zip_entry *entry = &a->directory.entries[at];
  aq_pickle_reader_init(&reader, a->file, entry->begin, entry->begin + entry->size);
  AQ_TRY(aq_pickle_load(&reader, &a->content->values, &a->content->objects, &a->content->root, err));
  AQ_FAIL_IF(reader.at != reader.end, AQ_ERR_FORMAT, "%s has %llu bytes after the end of its pickle", pickle_name,
             (unsigned long long)(reader.end - reader.at));
  return AQ_OK;
}

static aq_status place_storage(archive *a, aq_torch_storage *storage, aq_error *err) {
  char name[sizeof storage_folder + 256];
  AQ_TRY(aq_torch_check_key(a->content, storage, err));
  (void)snprintf(name, sizeof name, "%s%s", storage_folder, aq_pickle_text(&a->content->values, storage->key));
  const int64_t at = aq_strmap_get(&a->names, name);
  AQ_FAIL_IF(at < 0, AQ_ERR_CORRUPT, "the archive has no entry '%.80s', which the pickle names", name);
  const aq_zip_entry *entry = &a->directory.entries[at];
  AQ_TRY(aq_torch_check_bytes(a->content, storage, entry->size, err));
  storage->begin = entry->begin;
  a->used[at] = true;
  return AQ_OK;
}

static aq_status read_archive(archive *a, aq_error *err) {
  AQ_TRY(index_entries(a, err));
  AQ_TRY(aq_zip_entries_check(a->file, &a->directory, err));
  AQ_TRY(check_byte_order(a, err));
  AQ_TRY(load_pickle(a, err));
  aq_torch_objects *objects = &a->content->objects;
  for (uint32_t i = 0; i < objects->storage_count; i++) AQ_TRY(place_storage(a, &objects->storages[i], err));
  for (size_t i = 0; i < a->directory.count; i++)
    a->content->unused_storages += begins_with(inner_name(a, i), storage_folder) && !a->used[i];
  return AQ_OK;
}

aq_status aq_torch_archive_read(const aq_file *file, uint64_t max_memory, aq_torch_content *out, aq_error *err) {
  archive a = {.file = file, .content = out};
  aq_torch_content_init(out, max_memory);
  aq_status status = aq_zip_directory_read(file, max_memory, &a.directory, err);
  if (status == AQ_OK) status = read_archive(&a, err);
  aq_free(a.used);
  aq_strmap_reset(&a.names);
  aq_zip_directory_reset(&a.directory);
  if (status != AQ_OK) aq_torch_content_reset(out);
  return status;
}
