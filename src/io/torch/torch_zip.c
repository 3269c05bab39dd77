/* torch_zip.c - the directory of a zip archive, checked against the headers of the entries.
 *
 * Format (PKWARE APPNOTE 6.3): per entry a local header, its bytes and, with flag 3, a data descriptor; then the
 * central directory; then the end records: of 64 bits with its locator where one is there, and the one of 32 bits,
 * whose fields are all ones where those of 64 bits count. */
#include "io/torch/torch_zip.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"

#define DIRECTORY_MAX ((uint64_t)100000000)
#define ENTRY_SIZE 46
#define LOCAL_SIZE 30
#define END_SIZE 22
#define END64_SIZE 56
#define LOCATOR_SIZE 20
#define FLAG_ENCRYPTED 0x1
#define FLAG_DESCRIPTOR 0x8
#define FLAG_UTF8 0x800
#define FLAGS_KNOWN (FLAG_DESCRIPTOR | FLAG_UTF8)

static const char cut_hint[] = "The file is cut off, or something was appended to it: download or write it again";
static const char write_hint[] = "Write the file again with torch.save, or as safetensors";

static aq_status fail_zip(aq_error *err, uint64_t at, const char *what) {
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "the zip archive is none that torch.save writes: %s", what);
  (void)aq_error_hint(err, status, "%s", write_hint);
  return aq_error_at(err, status, (int64_t)at);
}

/* ---- the end records ---- */

typedef struct zip_end {
  uint64_t count, begin, size; /* entries; of the directory in the file */
  uint64_t at;                 /* where the end records begin */
} zip_end;

static aq_status read_end64(const aq_file *file, uint64_t end_at, zip_end *out, aq_error *err) {
  uint8_t locator[LOCATOR_SIZE], end[END64_SIZE];
  if (end_at < LOCATOR_SIZE + END64_SIZE) return fail_zip(err, end_at, "its end record of 64 bits is missing");
  AQ_TRY(aq_file_read(file, end_at - LOCATOR_SIZE, sizeof locator, locator, err));
  out->at = end_at - LOCATOR_SIZE - END64_SIZE;
  AQ_TRY(aq_file_read(file, out->at, sizeof end, end, err));
  if (memcmp(locator, "PK\x06\x07", 4) != 0 || aq_load_u64(locator + 8) != out->at ||
      memcmp(end, "PK\x06\x06", 4) != 0 || aq_load_u64(end + 4) != END64_SIZE - 12)
    return fail_zip(err, out->at, "its end record of 64 bits is not where it should be");
  if (aq_load_u32(locator + 4) != 0 || aq_load_u32(locator + 16) > 1 || aq_load_u32(end + 16) != 0 ||
      aq_load_u32(end + 20) != 0 || aq_load_u64(end + 24) != aq_load_u64(end + 32))
    return fail_zip(err, out->at, "it is one of several volumes");
  out->count = aq_load_u64(end + 32);
  out->size = aq_load_u64(end + 40);
  out->begin = aq_load_u64(end + 48);
  return AQ_OK;
}

/* A field of the 32-bit record is that of the 64-bit one, or all ones. */
static bool is_same_or_ones(uint64_t narrow, uint64_t wide, uint64_t ones) { return narrow == wide || narrow == ones; }

static aq_status read_end(const aq_file *file, zip_end *out, aq_error *err) {
  uint8_t end[END_SIZE] = {0}, locator[4] = {0};
  const uint64_t at = file->size - AQ_MIN(file->size, (uint64_t)END_SIZE);
  AQ_TRY(aq_file_read(file, at, (size_t)(file->size - at), end, err));
  if (memcmp(end, "PK\x05\x06", 4) != 0 || aq_load_u16(end + 20) != 0) {
    const aq_status status =
        aq_fail(err, AQ_ERR_CORRUPT, "begins like a zip archive and does not end with the directory of one");
    return aq_error_hint(err, status, "%s", cut_hint);
  }
  *out = (zip_end){aq_load_u16(end + 10), aq_load_u32(end + 16), aq_load_u32(end + 12), at};
  if (aq_load_u16(end + 4) != 0 || aq_load_u16(end + 6) != 0 || aq_load_u16(end + 8) != aq_load_u16(end + 10))
    return fail_zip(err, at, "it is one of several volumes");
  const zip_end narrow = *out;
  if (at >= LOCATOR_SIZE) AQ_TRY(aq_file_read(file, at - LOCATOR_SIZE, sizeof locator, locator, err));
  if (memcmp(locator, "PK\x06\x07", 4) == 0) {
    AQ_TRY(read_end64(file, at, out, err));
    if (!is_same_or_ones(narrow.count, out->count, UINT16_MAX) ||
        !is_same_or_ones(narrow.size, out->size, UINT32_MAX) || !is_same_or_ones(narrow.begin, out->begin, UINT32_MAX))
      return fail_zip(err, at, "its two end records differ");
  }
  if (!aq_range_ok(out->begin, out->size, out->at) || out->begin + out->size != out->at)
    return fail_zip(err, out->at, "its directory does not end where the end record begins");
  if (out->count == 0) return fail_zip(err, at, "it is empty");
  if (out->count > out->size / ENTRY_SIZE) return fail_zip(err, at, "its directory is too small for its entries");
  return AQ_OK;
}

/* ---- the directory ---- */

/* The fields of 64 bits that stand in an extra field with the tag 1, in this order, for those that are all ones. */
static bool read_wide(const uint8_t *extra, size_t size, uint64_t *const *fields, size_t count) {
  size_t needed = 0;
  for (size_t i = 0; i < count; i++) needed += *fields[i] == UINT32_MAX;
  for (size_t at = 0; at + 4 <= size;) {
    const size_t length = aq_load_u16(extra + at + 2);
    if (length > size - at - 4) return false;
    if (aq_load_u16(extra + at) == 1 && needed > 0) {
      if (length < 8 * needed) return false;
      size_t from = at + 4;
      for (size_t i = 0; i < count; i++) {
        if (*fields[i] != UINT32_MAX) continue;
        *fields[i] = aq_load_u64(extra + from);
        from += 8;
      }
      return true;
    }
    at += 4 + length;
  }
  return needed == 0;
}

static bool is_plain_path(const char *name, size_t length) {
  if (length == 0 || strlen(name) != length || name[0] == '/' || strchr(name, '\\') != NULL || !aq_utf8_ok(name))
    return false;
  for (const char *part = name; part != NULL;) {
    const char *end = strchr(part, '/');
    const size_t size = end != NULL ? (size_t)(end - part) : strlen(part);
    if (size == 0 || (size <= 2 && strspn(part, ".") >= size)) return false; /* "", ".", ".." */
    part = end != NULL ? end + 1 : NULL;
  }
  return true;
}

/* One entry of the directory, at `bytes`, of which `left` follow; *taken is how many it has. */
static aq_status read_entry(const uint8_t *bytes, uint64_t left, uint64_t at, aq_zip_directory *out, size_t *taken,
                            aq_error *err) {
  aq_zip_entry *entry = &out->entries[out->count];
  if (left < ENTRY_SIZE || memcmp(bytes, "PK\x01\x02", 4) != 0) return fail_zip(err, at, "its directory is damaged");
  const size_t name = aq_load_u16(bytes + 28), extra = aq_load_u16(bytes + 30), comment = aq_load_u16(bytes + 32);
  *taken = ENTRY_SIZE + name + extra + comment;
  if (left < *taken) return fail_zip(err, at, "its directory is damaged");
  uint64_t packed = aq_load_u32(bytes + 20);
  *entry = (aq_zip_entry){.header = aq_load_u32(bytes + 42),
                          .size = aq_load_u32(bytes + 24),
                          .crc = aq_load_u32(bytes + 16),
                          .flags = aq_load_u16(bytes + 8)};
  uint64_t *const fields[] = {&entry->size, &packed, &entry->header};
  if (!read_wide(bytes + ENTRY_SIZE + name, extra, fields, 3)) return fail_zip(err, at, "an extra field is damaged");
  if ((entry->flags & FLAG_ENCRYPTED) != 0) return fail_zip(err, at, "an entry is encrypted");
  entry->is_compressed = aq_load_u16(bytes + 10) != 0 || packed != entry->size;
  if ((entry->flags & ~FLAGS_KNOWN) != 0) return fail_zip(err, at, "an entry has flags that are not known");
  if (aq_load_u16(bytes + 34) != 0) return fail_zip(err, at, "it is one of several volumes");
  char *own = (char *)out->names.data + out->names.size;
  memcpy(own, bytes + ENTRY_SIZE, name);
  own[name] = '\0';
  out->names.size += name + 1;
  entry->name = own;
  if (!is_plain_path(own, name)) return fail_zip(err, at, "the name of an entry is no path inside the archive");
  out->count++;
  return AQ_OK;
}

static aq_status read_entries(const uint8_t *bytes, const zip_end *end, aq_zip_directory *out, aq_error *err) {
  uint64_t at = 0;
  out->entries = aq_calloc((size_t)end->count, sizeof *out->entries);
  if (out->entries == NULL) return aq_fail_memory(err, (size_t)end->count * sizeof *out->entries);
  AQ_TRY(aq_buffer_reserve(&out->names, (size_t)end->size, err)); /* names lie in it, so that it is never moved */
  for (uint64_t i = 0; i < end->count; i++) {
    size_t taken = 0;
    AQ_TRY(read_entry(bytes + at, end->size - at, end->begin + at, out, &taken, err));
    at += taken;
  }
  return at == end->size ? AQ_OK : fail_zip(err, end->begin + at, "its directory has bytes after its last entry");
}

static int compare_headers(const void *pa, const void *pb) {
  const aq_zip_entry *a = pa, *b = pb;
  return (a->header > b->header) - (a->header < b->header);
}

static aq_status check_names(const aq_zip_directory *directory, aq_error *err) {
  aq_strmap seen = {0};
  aq_status status = AQ_OK;
  for (size_t i = 0; i < directory->count && status == AQ_OK; i++) {
    int64_t existing = -1;
    status = aq_strmap_add(&seen, directory->entries[i].name, 0, &existing, err);
    if (status == AQ_OK && existing >= 0) {
      status =
          aq_fail(err, AQ_ERR_FORMAT, "the archive has two entries of the name '%.150s'", directory->entries[i].name);
      (void)aq_error_hint(err, status, "%s", write_hint);
    }
  }
  aq_strmap_reset(&seen);
  return status;
}

/* ---- the entries ---- */

/* Sizes and sum of the local header are those of the directory, or zero where they follow in a descriptor. */
static bool local_agrees(const uint8_t *local, const uint8_t *extra, size_t extra_size, const aq_zip_entry *entry) {
  uint64_t size = aq_load_u32(local + 22), packed = aq_load_u32(local + 18);
  const uint32_t crc = aq_load_u32(local + 14);
  uint64_t *const fields[] = {&size, &packed};
  if (!read_wide(extra, extra_size, fields, 2)) return false;
  if ((entry->flags & FLAG_DESCRIPTOR) != 0 && size == 0 && packed == 0 && crc == 0) return true;
  return size == entry->size && packed == entry->size && crc == entry->crc;
}

static aq_status read_local(const aq_file *file, aq_zip_entry *entry, uint64_t limit, uint8_t *room, aq_error *err) {
  uint8_t local[LOCAL_SIZE];
  const size_t name = strlen(entry->name);
  if (!aq_range_ok(entry->header, LOCAL_SIZE + name, limit))
    return fail_zip(err, entry->header, "an entry lies outside of it");
  AQ_TRY(aq_file_read(file, entry->header, sizeof local, local, err));
  const size_t extra = aq_load_u16(local + 28);
  if (memcmp(local, "PK\x03\x04", 4) != 0 || aq_load_u16(local + 26) != name ||
      !aq_range_ok(entry->header, LOCAL_SIZE + name + extra, limit))
    return fail_zip(err, entry->header, "an entry does not begin where its directory says");
  AQ_TRY(aq_file_read(file, entry->header + LOCAL_SIZE, name + extra, room, err));
  if (memcmp(room, entry->name, name) != 0 || aq_load_u16(local + 6) != entry->flags || aq_load_u16(local + 8) != 0 ||
      !local_agrees(local, room + name, extra, entry))
    return fail_zip(err, entry->header, "an entry's own header differs from the directory");
  entry->begin = entry->header + LOCAL_SIZE + name + extra;
  if (!aq_range_ok(entry->begin, entry->size, limit)) return fail_zip(err, entry->header, "an entry overlaps the next");
  return AQ_OK;
}

/* What may follow the bytes of an entry: a descriptor with or without its signature, of sizes of 32 or 64 bits. */
static aq_status check_descriptor(const aq_file *file, const aq_zip_entry *entry, uint64_t next, aq_error *err) {
  uint8_t bytes[24];
  const uint64_t at = entry->begin + entry->size, left = next - at;
  if ((entry->flags & FLAG_DESCRIPTOR) == 0)
    return left == 0 ? AQ_OK : fail_zip(err, at, "bytes between two entries belong to none");
  if (left != 12 && left != 16 && left != 20 && left != 24)
    return fail_zip(err, at, "bytes between two entries belong to none");
  AQ_TRY(aq_file_read(file, at, (size_t)left, bytes, err));
  const bool is_signed = memcmp(bytes, "PK\x07\x08", 4) == 0 && (left == 16 || left == 24);
  const uint8_t *p = bytes + (is_signed ? 4 : 0);
  const size_t size = (size_t)left - (is_signed ? 4 : 0);
  bool agrees = (size == 12 || size == 20) && aq_load_u32(p) == entry->crc;
  if (agrees && size == 12) agrees = aq_load_u32(p + 4) == entry->size && aq_load_u32(p + 8) == entry->size;
  if (agrees && size == 20) agrees = aq_load_u64(p + 4) == entry->size && aq_load_u64(p + 12) == entry->size;
  return agrees ? AQ_OK : fail_zip(err, at, "what follows an entry differs from the directory");
}

static aq_status check_entries(const aq_file *file, aq_zip_directory *directory, uint8_t *room, aq_error *err) {
  if (directory->entries[0].header != 0) return fail_zip(err, 0, "something lies before its first entry");
  for (size_t i = 0; i < directory->count; i++) {
    aq_zip_entry *entry = &directory->entries[i];
    const uint64_t next = i + 1 < directory->count ? entry[1].header : directory->begin;
    if (entry->is_compressed) return fail_zip(err, entry->header, "an entry is compressed");
    AQ_TRY(read_local(file, entry, AQ_MIN(next, directory->begin), room, err));
    AQ_TRY(check_descriptor(file, entry, next, err));
  }
  return AQ_OK;
}

aq_status aq_zip_entries_check(const aq_file *file, aq_zip_directory *directory, aq_error *err) {
  uint8_t *room = aq_malloc(2 * (size_t)UINT16_MAX);
  if (room == NULL) return aq_fail_memory(err, 2 * (size_t)UINT16_MAX);
  const aq_status status = check_entries(file, directory, room, err);
  aq_free(room);
  return status;
}

static aq_status read_directory(const aq_file *file, const zip_end *end, uint8_t *bytes, aq_zip_directory *out,
                                aq_error *err) {
  out->begin = end->begin;
  AQ_TRY(aq_file_read(file, end->begin, (size_t)end->size, bytes, err));
  AQ_TRY(read_entries(bytes, end, out, err));
  if (out->count > 1) qsort(out->entries, out->count, sizeof *out->entries, compare_headers);
  return check_names(out, err);
}

aq_status aq_zip_directory_read(const aq_file *file, uint64_t max_memory, aq_zip_directory *out, aq_error *err) {
  zip_end end = {0};
  *out = (aq_zip_directory){0};
  AQ_TRY(read_end(file, &end, err));
  AQ_FAIL_IF(end.size > DIRECTORY_MAX, AQ_ERR_UNSUPPORTED, "the directory of the archive has %llu bytes; %llu are read",
             (unsigned long long)end.size, (unsigned long long)DIRECTORY_MAX);
  AQ_FAIL_IF(max_memory != 0 && 4 * end.size > max_memory, AQ_ERR_MEMORY,
             "the directory of the archive has %llu bytes, the memory limit is %llu", (unsigned long long)end.size,
             (unsigned long long)max_memory);
  uint8_t *bytes = aq_malloc((size_t)end.size);
  if (bytes == NULL) return aq_fail_memory(err, (size_t)end.size);
  const aq_status status = read_directory(file, &end, bytes, out, err);
  aq_free(bytes);
  if (status != AQ_OK) aq_zip_directory_reset(out);
  return status;
}

void aq_zip_directory_reset(aq_zip_directory *directory) {
  aq_free(directory->entries);
  aq_buffer_reset(&directory->names);
  *directory = (aq_zip_directory){0};
}
