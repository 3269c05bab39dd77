/* scratch.c - a file that has lost its name before the first byte is written to it. */
#define _GNU_SOURCE /* mkostemp */
#include "core/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

struct aq_scratch {
  int fd;
  char *folder; /* for messages */
  atomic_uint_least64_t reserved;
};

static char *choose_folder(const char *beside) {
  if (beside != NULL) return aq_path_parent(beside);
  const char *named = getenv("TMPDIR");
  return aq_strdup(named != NULL && named[0] != '\0' ? named : "/var/tmp");
}

static aq_status fail_file(const aq_scratch *s, int e, const char *action, aq_error *err) {
  const aq_status status = aq_fail_errno(err, e, "%s", action);
  if (status == AQ_ERR_DISK_FULL) {
    (void)aq_error_hint(err, status,
                        "Planning needs room there for the time being; free some, or choose another place");
  }
  return aq_error_in_file(err, status, s->folder);
}

static aq_status open_file(aq_scratch *s, aq_error *err) {
  char *name = aq_path_join(s->folder, ".arrowquant-XXXXXX");
  if (name == NULL) return aq_fail_memory(err, 256);
  s->fd = mkostemp(name, O_CLOEXEC);
  const int failed = s->fd < 0 || unlink(name) != 0 ? errno : 0;
  aq_free(name);
  return failed == 0 ? AQ_OK : fail_file(s, failed, "create a temporary file", err);
}

aq_status aq_scratch_create(const char *beside, aq_scratch **out, aq_error *err) {
  *out = NULL;
  aq_scratch *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  s->fd = -1;
  s->folder = choose_folder(beside);
  const aq_status status = s->folder != NULL ? open_file(s, err) : aq_fail_memory(err, 256);
  if (status == AQ_OK) {
    *out = s;
  } else {
    aq_scratch_free(s);
  }
  return status;
}

void aq_scratch_free(aq_scratch *s) {
  if (s == NULL) return;
  if (s->fd >= 0) (void)close(s->fd);
  aq_free(s->folder);
  aq_free(s);
}

uint64_t aq_scratch_reserve(aq_scratch *s, uint64_t size) { return atomic_fetch_add(&s->reserved, size); }

aq_status aq_scratch_write(aq_scratch *s, uint64_t at, const void *bytes, size_t size, aq_error *err) {
  const uint8_t *from = bytes;
  while (size > 0) {
    const ssize_t wrote = pwrite(s->fd, from, size, (off_t)at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return fail_file(s, wrote < 0 ? errno : EIO, "write to a temporary file", err);
    from += wrote;
    at += (uint64_t)wrote;
    size -= (size_t)wrote;
  }
  return AQ_OK;
}

aq_status aq_scratch_read(const aq_scratch *s, uint64_t at, void *bytes, size_t size, aq_error *err) {
  uint8_t *to = bytes;
  while (size > 0) {
    const ssize_t got = pread(s->fd, to, size, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail_file(s, got < 0 ? errno : EIO, "read from a temporary file", err);
    to += got;
    at += (uint64_t)got;
    size -= (size_t)got;
  }
  return AQ_OK;
}
