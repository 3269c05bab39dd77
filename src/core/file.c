/* file.c - reading files by position or mapped, and paths. Writing is in outfile.c. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"

static aq_status check_regular(const aq_file *file, const struct stat *info, aq_error *err) {
  if (S_ISREG(info->st_mode)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_FORMAT, "is %s, not a file", S_ISDIR(info->st_mode) ? "a folder" : "a device or pipe");
  return aq_error_in_file(err, AQ_ERR_FORMAT, file->path);
}

aq_status aq_file_open(aq_file *file, const char *path, aq_error *err) {
  *file = (aq_file){.fd = -1};
  file->path = aq_strdup(path);
  if (file->path == NULL) return aq_fail_memory(err, strlen(path));
  struct stat info;
  aq_status status = AQ_OK;
  /* Not blocking: a pipe without a writer must not hang the open. */
  file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->fd < 0 || fstat(file->fd, &info) != 0) {
    const int e = errno;
    status = aq_error_in_file(err, aq_fail_errno(err, e, "open"), path);
  } else {
    status = check_regular(file, &info, err);
  }
  if (status != AQ_OK) {
    aq_file_close(file);
    return status;
  }
  file->size = (uint64_t)info.st_size;
  return AQ_OK;
}

void aq_file_close(aq_file *file) {
  if (file->map != NULL && file->size > 0) (void)munmap((void *)(uintptr_t)file->map, (size_t)file->size);
  if (file->fd >= 0) (void)close(file->fd);
  aq_free(file->path);
  *file = (aq_file){.fd = -1};
}

static aq_status fail_short(const aq_file *file, uint64_t offset, size_t size, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_CORRUPT, "file ends at byte %llu, but %zu bytes were expected at %llu",
                (unsigned long long)file->size, size, (unsigned long long)offset);
  (void)aq_error_hint(err, AQ_ERR_CORRUPT, "The file may be cut off: download or write it again");
  return aq_error_in_file(err, AQ_ERR_CORRUPT, file->path);
}

aq_status aq_file_read(const aq_file *file, uint64_t offset, size_t size, void *out, aq_error *err) {
  if (!aq_range_ok(offset, size, file->size)) return fail_short(file, offset, size, err);
  uint8_t *to = out;
  size_t left = size;
  while (left > 0) {
    const ssize_t got = pread(file->fd, to, left, (off_t)(offset + (size - left)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int e = errno;
      (void)aq_fail_errno(err, e, "read");
      return aq_error_in_file(err, aq_error_at(err, e == ENOMEM ? AQ_ERR_MEMORY : AQ_ERR_IO, (int64_t)offset),
                              file->path);
    }
    if (got == 0) return fail_short(file, offset, size, err); /* it shrank after it was opened */
    to += got;
    left -= (size_t)got;
  }
  return AQ_OK;
}

aq_status aq_file_map(aq_file *file, aq_error *err) {
  static const uint8_t nothing[1];
  if (file->map != NULL) return AQ_OK;
  if (file->size == 0) {
    file->map = nothing;
    return AQ_OK;
  }
  size_t size;
  AQ_FAIL_IF(!aq_to_size_ok(file->size, &size), AQ_ERR_UNSUPPORTED,
             "the file is too large for this machine's address space");
  void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, file->fd, 0);
  if (map == MAP_FAILED) {
    const int e = errno;
    return aq_error_in_file(err, aq_fail_errno(err, e, "map"), file->path);
  }
  file->map = map;
  return AQ_OK;
}

aq_status aq_file_view(aq_file *file, aq_lock *lock, uint64_t offset, const void **view, aq_error *err) {
  aq_lock_take(lock);
  const aq_status status = aq_file_map(file, err);
  aq_lock_release(lock);
  if (status == AQ_OK) *view = file->map + offset;
  return status;
}

aq_status aq_file_slurp(const char *path, size_t limit, char **out, size_t *size, aq_error *err) {
  *out = NULL;
  aq_file file;
  AQ_TRY(aq_file_open(&file, path, err));
  aq_status status = AQ_OK;
  char *text = NULL;
  if (file.size > limit) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "has %llu bytes; at most %zu are expected of such a file",
                  (unsigned long long)file.size, limit);
    status = aq_error_in_file(err, AQ_ERR_FORMAT, path);
  } else if ((text = aq_malloc((size_t)file.size + 1)) == NULL) {
    status = aq_fail_memory(err, (size_t)file.size + 1);
  } else {
    status = aq_file_read(&file, 0, (size_t)file.size, text, err);
  }
  if (status == AQ_OK) {
    text[file.size] = '\0';
    *out = text;
    if (size != NULL) *size = (size_t)file.size;
  } else {
    aq_free(text);
  }
  aq_file_close(&file);
  return status;
}

bool aq_path_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool aq_path_exists(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0;
}

bool aq_path_id(const char *path, aq_file_id *out) {
  struct stat info;
  if (stat(path, &info) != 0) return false;
  *out = (aq_file_id){(uint64_t)info.st_dev, (uint64_t)info.st_ino};
  return true;
}

char *aq_path_join(const char *folder, const char *name) {
  const size_t length = strlen(folder);
  const bool slash = length > 0 && folder[length - 1] != '/';
  return aq_format("%s%s%s", folder, slash ? "/" : "", name);
}

const char *aq_path_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

char *aq_path_parent(const char *path) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL) return aq_strdup(".");
  return slash == path ? aq_strdup("/") : aq_strndup(path, (size_t)(slash - path));
}

aq_status aq_folder_create(const char *path, aq_error *err) {
  char *copy = aq_strdup(path);
  if (copy == NULL) return aq_fail_memory(err, strlen(path));
  aq_status status = AQ_OK;
  for (char *end = copy; status == AQ_OK && end != NULL;) {
    end = strchr(end + 1, '/');
    if (end != NULL) *end = '\0';
    if (copy[0] != '\0' && !aq_path_is_folder(copy) && mkdir(copy, 0777) != 0 && errno != EEXIST) {
      const int e = errno;
      status = aq_error_in_file(err, aq_fail_errno(err, e, "create the folder"), copy);
    }
    if (end != NULL) *end = '/';
  }
  if (status == AQ_OK && !aq_path_is_folder(path)) {
    (void)aq_fail(err, AQ_ERR_EXISTS, "is not a folder");
    status = aq_error_in_file(err, AQ_ERR_EXISTS, path);
  }
  aq_free(copy);
  return status;
}
