/* file.h - reading files (by position, or mapped) and writing them so that they appear complete or not at all. */
#ifndef AQ_CORE_FILE_H
#define AQ_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/fork.h"

/* ---- reading ---- */

typedef struct aq_file {
  int fd; /* -1: not open */
  uint64_t size;
  char *path;
  const uint8_t *map; /* whole file, or NULL until aq_file_map */
} aq_file;

/* Opens a regular file. Errors name the path. On failure *file is closed. */
AQ_MUST_CHECK aq_status aq_file_open(aq_file *file, const char *path, aq_error *err);
void aq_file_close(aq_file *file);

/* Reads exactly [offset, offset+size); past the end is AQ_ERR_CORRUPT ("file ends at ..."). Any thread. */
AQ_MUST_CHECK aq_status aq_file_read(const aq_file *file, uint64_t offset, size_t size, void *out, aq_error *err);

/* Maps the whole file read-only; a second call does nothing. An empty file maps to a non-NULL pointer. */
AQ_MUST_CHECK aq_status aq_file_map(aq_file *file, aq_error *err);

/* A view of what stands at an offset, which the caller knows to be in the file: maps it when it is not yet. `lock` is
 * that of all files which threads may ask for at the same time. *view is not set after a failure. */
AQ_MUST_CHECK aq_status aq_file_view(aq_file *file, aq_lock *lock, uint64_t offset, const void **view, aq_error *err);

/* Reads a whole small file, at most `limit` bytes, with a zero after the end. Free *out with aq_free. */
AQ_MUST_CHECK aq_status aq_file_slurp(const char *path, size_t limit, char **out, size_t *size, aq_error *err);

/* ---- writing ---- */

typedef struct aq_outfile aq_outfile;

/* Starts NAME.partial beside `path`; refuses an existing `path` unless force. */
AQ_MUST_CHECK aq_status aq_outfile_create(const char *path, bool force, aq_outfile **out, aq_error *err);

/* Appends at the end (buffered). */
AQ_MUST_CHECK aq_status aq_outfile_write(aq_outfile *out, const void *bytes, size_t size, aq_error *err);

/* Overwrites bytes that were written or skipped before. */
AQ_MUST_CHECK aq_status aq_outfile_write_at(aq_outfile *out, uint64_t offset, const void *bytes, size_t size,
                                            aq_error *err);

/* Where the next aq_outfile_write goes. */
uint64_t aq_outfile_offset(const aq_outfile *out);

/* Flushes, fsyncs, renames to the final name, fsyncs the folder. Frees `out` whatever happens; on failure nothing is
 * left behind. */
AQ_MUST_CHECK aq_status aq_outfile_commit(aq_outfile *out, aq_error *err);

/* The same of two files of which `out` names `beside`: they appear together, and at no time is a file `out` there that
 * names another's bytes. Frees both whatever happens; on failure neither is left behind, and files that they were to
 * replace may be gone. */
AQ_MUST_CHECK aq_status aq_outfile_commit_pair(aq_outfile *out, aq_outfile *beside, aq_error *err);

/* Removes the partial file and frees `out`. NULL is fine. */
void aq_outfile_abort(aq_outfile *out);

/* Writes a whole file in one go, atomically. */
AQ_MUST_CHECK aq_status aq_file_write_all(const char *path, bool force, const void *bytes, size_t size, aq_error *err);

/* What tells a file from all others, under any name; false when there is none. */
typedef struct aq_file_id {
  uint64_t device, inode;
} aq_file_id;
bool aq_path_id(const char *path, aq_file_id *out);
static inline bool aq_file_id_equal(aq_file_id a, aq_file_id b) { return a.device == b.device && a.inode == b.inode; }

bool aq_path_is_folder(const char *path);
bool aq_path_exists(const char *path);
const char *aq_path_name(const char *path);               /* its last component, within `path` */
char *aq_path_parent(const char *path);                   /* folder of a path; NULL when out of memory */
char *aq_path_join(const char *folder, const char *name); /* NULL when out of memory */
AQ_MUST_CHECK aq_status aq_folder_create(const char *path, aq_error *err); /* parents too; fine when it exists */

#endif
