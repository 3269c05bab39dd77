/* torch_legacy.c - files of PyTorch 0.1.10 to 1.5, and of torch.save without _use_new_zipfile_serialization.
 *
 * Five pickles follow each other: a magic number, the version of the protocol (1001), what kind of machine wrote the
 * file, the value that was saved, and the list of the keys of storages. Then for each key, in the order of the list, 8
 * bytes with the number of its elements, and the elements. */
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/strmap.h"
#include "io/torch/pickle.h"
#include "io/torch/torch_content.h"
#include "tensor/dtype.h"

#define PROTOCOL 1001

/* The magic number 0x1950a86a20f9469cfc6c as LONG1, with the end of its pickle. */
static const uint8_t magic[] = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
#define FRAME_SIZE 9 /* stands before it from protocol 4 on */

bool aq_torch_legacy_plausible(const uint8_t *head) {
  if (head[0] != 0x80) return false;
  return memcmp(head + 2, magic, sizeof magic) == 0 || memcmp(head + 2 + FRAME_SIZE, magic, sizeof magic) == 0;
}

typedef struct legacy {
  const aq_file *file;
  aq_pickle_reader reader;
  aq_torch_content *content;
  aq_strmap keys; /* to the last storage of the pickle that has the key */
} legacy;

static aq_status load_next(legacy *l, uint32_t *root, aq_error *err) {
  return aq_pickle_load(&l->reader, &l->content->values, &l->content->objects, root, err);
}

static aq_status check_machine(const legacy *l, uint32_t info, aq_error *err) {
  const aq_pickle_values *values = &l->content->values;
  const aq_pickle_value *dict = aq_pickle_at(values, info);
  AQ_FAIL_IF(dict->kind != AQ_PICKLE_DICT, AQ_ERR_FORMAT, "its third pickle is %s, and should be a dict",
             aq_pickle_kind_name(dict->kind));
  for (uint32_t i = 0; i < dict->count; i += 2) {
    const aq_pickle_value *flag = aq_pickle_at(values, dict->as.items[i + 1]);
    if (!aq_pickle_text_is(values, dict->as.items[i], "little_endian")) continue;
    AQ_FAIL_IF(flag->kind != AQ_PICKLE_BOOL || flag->as.number == 0, AQ_ERR_UNSUPPORTED,
               "little_endian is not True in it: files of big-endian machines are not read");
  }
  return AQ_OK;
}

static aq_status read_pickles(legacy *l, uint32_t *keys, aq_error *err) {
  uint32_t number, protocol, info;
  AQ_TRY(load_next(l, &number, err));
  AQ_TRY(load_next(l, &protocol, err));
  const aq_pickle_value *value = aq_pickle_at(&l->content->values, protocol);
  AQ_FAIL_IF(value->kind != AQ_PICKLE_INT || value->as.number != PROTOCOL, AQ_ERR_UNSUPPORTED,
             "is of another version of the protocol than %d", PROTOCOL);
  AQ_TRY(load_next(l, &info, err));
  AQ_TRY(check_machine(l, info, err));
  AQ_FAIL_IF(l->content->objects.storage_count > 0, AQ_ERR_FORMAT,
             "a storage is named before the value that was saved");
  AQ_TRY(load_next(l, &l->content->root, err));
  const uint32_t storages = l->content->objects.storage_count;
  AQ_TRY(load_next(l, keys, err));
  AQ_FAIL_IF(l->content->objects.storage_count > storages, AQ_ERR_FORMAT, "a storage is named among the keys");
  AQ_FAIL_IF(aq_pickle_at(&l->content->values, *keys)->kind != AQ_PICKLE_LIST, AQ_ERR_FORMAT,
             "its fifth pickle is not the list of keys");
  return AQ_OK;
}

/* Several tensors name a storage: all of one key must claim the same. */
static aq_status index_keys(legacy *l, aq_error *err) {
  aq_torch_objects *objects = &l->content->objects;
  for (uint32_t i = 0; i < objects->storage_count; i++) {
    int64_t first = -1;
    const aq_torch_storage *storage = &objects->storages[i];
    AQ_TRY(aq_torch_check_key(l->content, storage, err));
    AQ_TRY(aq_strmap_add(&l->keys, aq_pickle_text(&l->content->values, storage->key), i, &first, err));
    AQ_FAIL_IF(
        first >= 0 &&
            (objects->storages[first].dtype != storage->dtype || objects->storages[first].count != storage->count),
        AQ_ERR_FORMAT, "storage '%.64s' has two types or sizes", aq_pickle_text(&l->content->values, storage->key));
  }
  return AQ_OK;
}

/* The bytes of the storage with the key: they begin at *at, which moves behind them. */
static aq_status place_key(legacy *l, uint32_t key, uint64_t *at, aq_error *err) {
  uint8_t head[8];
  const aq_pickle_value *value = aq_pickle_at(&l->content->values, key);
  AQ_FAIL_IF(value->kind != AQ_PICKLE_TEXT, AQ_ERR_FORMAT, "the list of keys holds %s, and should hold strings",
             aq_pickle_kind_name(value->kind));
  const char *text = aq_pickle_text(&l->content->values, key);
  const int64_t index = strlen(text) == value->count ? aq_strmap_get(&l->keys, text) : -1;
  AQ_FAIL_IF(index < 0, AQ_ERR_FORMAT, "the list of keys has one that the pickle does not name");
  aq_torch_storage *storage = &l->content->objects.storages[index];
  AQ_FAIL_IF(storage->begin != 0, AQ_ERR_FORMAT, "the list of keys has '%.64s' twice", text);
  AQ_TRY(aq_file_read(l->file, *at, sizeof head, head, err));
  const uint64_t count = aq_load_u64(head);
  AQ_FAIL_IF(count != storage->count, AQ_ERR_FORMAT,
             "storage '%.64s' has %llu elements in the file and %llu in the pickle", text, (unsigned long long)count,
             (unsigned long long)storage->count);
  storage->begin = *at + sizeof head;
  if (aq_range_ok(storage->begin, storage->bytes, l->file->size)) {
    *at = storage->begin + storage->bytes;
    return AQ_OK;
  }
  const aq_status status = aq_fail(
      err, AQ_ERR_CORRUPT, "storage '%.64s' has %llu bytes from byte %llu on, the file %llu", text,
      (unsigned long long)storage->bytes, (unsigned long long)storage->begin, (unsigned long long)l->file->size);
  return aq_error_hint(err, status, "The file is cut off: download or write it again");
}

static aq_status place_storages(legacy *l, uint32_t keys, aq_error *err) {
  uint64_t at = l->reader.at;
  aq_torch_objects *objects = &l->content->objects;
  const uint32_t count = aq_pickle_at(&l->content->values, keys)->count;
  for (uint32_t i = 0; i < count; i++)
    AQ_TRY(place_key(l, aq_pickle_at(&l->content->values, keys)->as.items[i], &at, err));
  AQ_FAIL_IF(at != l->file->size, AQ_ERR_FORMAT, "has %llu bytes after its last storage",
             (unsigned long long)(l->file->size - at));
  for (uint32_t i = 0; i < objects->storage_count; i++) {
    const char *key = aq_pickle_text(&l->content->values, objects->storages[i].key);
    objects->storages[i].begin = objects->storages[aq_strmap_get(&l->keys, key)].begin;
    AQ_FAIL_IF(objects->storages[i].begin == 0, AQ_ERR_CORRUPT, "storage '%.64s' is not in the file", key);
  }
  return AQ_OK;
}

static aq_status read_legacy(legacy *l, aq_error *err) {
  uint32_t keys;
  AQ_TRY(read_pickles(l, &keys, err));
  AQ_TRY(index_keys(l, err));
  return place_storages(l, keys, err);
}

aq_status aq_torch_legacy_read(const aq_file *file, uint64_t max_memory, aq_torch_content *out, aq_error *err) {
  legacy l = {.file = file, .content = out};
  aq_torch_content_init(out, max_memory);
  aq_pickle_reader_init(&l.reader, file, 0, file->size);
  const aq_status status = read_legacy(&l, err);
  aq_strmap_reset(&l.keys);
  if (status != AQ_OK) aq_torch_content_reset(out);
  return status;
}
