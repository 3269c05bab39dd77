/* outfile.c - writing a file that appears complete or not at all: NAME.partial, fsync, rename, fsync of the folder.
 *
 * The partial file is locked while it is written, so that one left behind by a killed process is taken over and one of
 * a living process is not. */
#define _GNU_SOURCE /* sync_file_range */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

#define WRITE_BUFFER ((size_t)1 << 18)
#define WRITEBACK_STEP ((uint64_t)4 << 20)

struct aq_outfile {
  int fd;
  pid_t owner; /* the process that began it: a forked child has a copy of this, and must not touch the file's name */
  char *path, *partial, *folder;
  uint64_t synced;  /* bytes that the system was asked to write to the disk */
  uint64_t flushed; /* bytes in the file */
  uint8_t *buffer;  /* the bytes after them */
  size_t buffered;
};

static void outfile_free(aq_outfile *out) {
  if (out->fd >= 0) (void)close(out->fd);
  aq_free(out->buffer);
  aq_free(out->folder);
  aq_free(out->partial);
  aq_free(out->path);
  aq_free(out);
}

static aq_status fail_write(const aq_outfile *out, int e, const char *action, aq_error *err) {
  const aq_status status = aq_fail_errno(err, e, "%s", action);
  if (status == AQ_ERR_DISK_FULL) {
    (void)aq_error_hint(err, status, "%llu bytes were written so far; free some space or choose another folder",
                        (unsigned long long)out->flushed);
  }
  return aq_error_in_file(err, status, out->path);
}

static aq_status check_target(const char *path, bool force, aq_error *err) {
  struct stat info;
  aq_status status = AQ_OK;
  if (lstat(path, &info) != 0) return AQ_OK;
  if (S_ISDIR(info.st_mode)) {
    status = aq_fail(err, AQ_ERR_EXISTS, "is a folder; the output must be a file");
  } else if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
    status = aq_fail(err, AQ_ERR_EXISTS, "is a device or pipe; the output must be a file");
  } else if (!force) {
    (void)aq_fail(err, AQ_ERR_EXISTS, "exists already");
    status = aq_error_hint(err, AQ_ERR_EXISTS, "Use `force=true` to replace it, or another name");
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

/* Opens and locks the partial file; *retry when another process finished with it in between. */
static aq_status open_partial(aq_outfile *out, bool *retry, aq_error *err) {
  struct stat by_fd, by_name;
  *retry = false;
  out->fd = open(out->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (out->fd < 0 && errno == ENOENT) {
    (void)aq_fail(err, AQ_ERR_IO, "cannot be created: its folder does not exist");
    return aq_error_in_file(err, aq_error_hint(err, AQ_ERR_IO, "Create the folder first"), out->path);
  }
  if (out->fd < 0) return fail_write(out, errno, "create the file", err);
  if (flock(out->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    (void)aq_fail(err, AQ_ERR_EXISTS, "is being written by another process");
    return aq_error_in_file(err, AQ_ERR_EXISTS, out->path);
  }
  if (fstat(out->fd, &by_fd) != 0 || lstat(out->partial, &by_name) != 0 || by_fd.st_ino != by_name.st_ino ||
      by_fd.st_dev != by_name.st_dev) {
    (void)close(out->fd);
    out->fd = -1;
    *retry = true;
    return AQ_OK;
  }
  if (ftruncate(out->fd, 0) != 0) return fail_write(out, errno, "empty the file", err);
  return AQ_OK;
}

aq_status aq_outfile_create(const char *path, bool force, aq_outfile **result, aq_error *err) {
  *result = NULL;
  AQ_TRY(check_target(path, force, err));
  aq_outfile *out = aq_calloc(1, sizeof *out);
  if (out == NULL) return aq_fail_memory(err, sizeof *out);
  out->fd = -1;
  out->owner = getpid();
  out->path = aq_strdup(path);
  out->partial = aq_format("%s.partial", path);
  out->folder = aq_path_parent(path);
  out->buffer = aq_malloc(WRITE_BUFFER);
  aq_status status = AQ_OK;
  if (out->path == NULL || out->partial == NULL || out->folder == NULL || out->buffer == NULL) {
    status = aq_fail_memory(err, WRITE_BUFFER);
  }
  for (bool retry = true; status == AQ_OK && retry;) status = open_partial(out, &retry, err);
  if (status != AQ_OK) {
    outfile_free(out);
    return status;
  }
  *result = out;
  return AQ_OK;
}

static aq_status write_fully(const aq_outfile *out, uint64_t offset, const void *bytes, size_t size, aq_error *err) {
  const uint8_t *from = bytes;
  while (size > 0) {
    const ssize_t wrote = pwrite(out->fd, from, size, (off_t)offset);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail_write(out, wrote < 0 ? errno : EIO, "write", err);
    from += wrote;
    offset += (uint64_t)wrote;
    size -= (size_t)wrote;
  }
  return AQ_OK;
}

/* Lets the disk work while we do, so that the last fsync finds little to do. Only a hint. */
static void start_writeback(aq_outfile *out) {
#ifdef SYNC_FILE_RANGE_WRITE
  if (out->flushed - out->synced < WRITEBACK_STEP) return;
  (void)sync_file_range(out->fd, (off_t)out->synced, (off_t)(out->flushed - out->synced), SYNC_FILE_RANGE_WRITE);
  out->synced = out->flushed;
#else
  (void)out;
#endif
}

static aq_status flush(aq_outfile *out, aq_error *err) {
  AQ_TRY(write_fully(out, out->flushed, out->buffer, out->buffered, err));
  out->flushed += out->buffered;
  out->buffered = 0;
  start_writeback(out);
  return AQ_OK;
}

aq_status aq_outfile_write(aq_outfile *out, const void *bytes, size_t size, aq_error *err) {
  if (size > WRITE_BUFFER - out->buffered) AQ_TRY(flush(out, err));
  if (size >= WRITE_BUFFER) {
    AQ_TRY(write_fully(out, out->flushed, bytes, size, err));
    out->flushed += size;
    start_writeback(out);
  } else if (size > 0) {
    memcpy(out->buffer + out->buffered, bytes, size);
    out->buffered += size;
  }
  return AQ_OK;
}

aq_status aq_outfile_write_at(aq_outfile *out, uint64_t offset, const void *bytes, size_t size, aq_error *err) {
  AQ_TRY(flush(out, err));
  AQ_FAIL_IF(offset > out->flushed || size > out->flushed - offset, AQ_ERR_INTERNAL,
             "overwriting bytes that were not written");
  return write_fully(out, offset, bytes, size, err);
}

uint64_t aq_outfile_offset(const aq_outfile *out) { return out->flushed + out->buffered; }

/* Some file systems cannot sync a folder; the file itself is safe by then. */
static void sync_folder(const aq_outfile *out) {
  const int fd = open(out->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

/* Everything of a commit but the name. */
static aq_status finish_bytes(aq_outfile *out, aq_error *err) {
  if (out->owner != getpid()) {
    const aq_status status =
        aq_fail(err, AQ_ERR_IO, "was begun by the parent process; a forked child cannot finish it");
    return aq_error_in_file(err, status, out->path);
  }
  AQ_TRY(flush(out, err));
  return fsync(out->fd) == 0 ? AQ_OK : fail_write(out, errno, "write to the disk", err);
}

static aq_status rename_file(const aq_outfile *out, aq_error *err) {
  return rename(out->partial, out->path) == 0 ? AQ_OK : fail_write(out, errno, "rename the file", err);
}

aq_status aq_outfile_commit(aq_outfile *out, aq_error *err) {
  aq_status status = finish_bytes(out, err);
  if (status == AQ_OK) status = rename_file(out, err);
  if (status != AQ_OK) {
    aq_outfile_abort(out);
    return status;
  }
  sync_folder(out);
  outfile_free(out);
  return AQ_OK;
}

/* An old `out` beside an old `beside` goes first: with the new one it would be a pair that nobody made. */
static aq_status remove_replaced(const aq_outfile *out, const aq_outfile *beside, aq_error *err) {
  if (!aq_path_exists(beside->path) || unlink(out->path) == 0 || errno == ENOENT) return AQ_OK;
  return fail_write(out, errno, "replace the file", err);
}

aq_status aq_outfile_commit_pair(aq_outfile *out, aq_outfile *beside, aq_error *err) {
  aq_status status = finish_bytes(beside, err);
  if (status == AQ_OK) status = finish_bytes(out, err);
  if (status == AQ_OK) status = remove_replaced(out, beside, err);
  if (status == AQ_OK) status = rename_file(beside, err);
  if (status == AQ_OK) {
    status = rename_file(out, err);
    if (status != AQ_OK) (void)unlink(beside->path);
  }
  if (status == AQ_OK) {
    sync_folder(out);
    outfile_free(beside);
    outfile_free(out);
  } else {
    aq_outfile_abort(beside);
    aq_outfile_abort(out);
  }
  return status;
}

void aq_outfile_abort(aq_outfile *out) {
  if (out == NULL) return;
  if (out->owner == getpid()) (void)unlink(out->partial);
  outfile_free(out);
}

aq_status aq_file_write_all(const char *path, bool force, const void *bytes, size_t size, aq_error *err) {
  aq_outfile *out;
  AQ_TRY(aq_outfile_create(path, force, &out, err));
  const aq_status status = aq_outfile_write(out, bytes, size, err);
  if (status != AQ_OK) {
    aq_outfile_abort(out);
    return status;
  }
  return aq_outfile_commit(out, err);
}
