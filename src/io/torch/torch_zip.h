/* torch_zip.h - the directory of a zip archive as torch.save writes it: entries are stored, not compressed, one
 * directly after another from the first byte of the file on.
 *
 * A zip archive says everything twice, before each entry and in the directory at its end, and readers differ in which
 * of the two they believe. Here both must say the same, and no byte of the file may belong to neither. */
#ifndef AQ_IO_TORCH_TORCH_ZIP_H
#define AQ_IO_TORCH_TORCH_ZIP_H

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/strmap.h"

typedef struct aq_zip_entry {
  const char *name;     /* of the whole path in the archive; lives as long as the directory */
  uint64_t header;      /* of the entry in the file */
  uint64_t begin, size; /* of its bytes in the file */
  uint32_t crc;
  uint16_t flags;
  bool is_compressed;
} aq_zip_entry;

typedef struct aq_zip_directory {
  aq_zip_entry *entries; /* in the order of their bytes */
  size_t count;
  aq_buffer names;
  uint64_t begin; /* of the directory in the file */
} aq_zip_directory;

/* Reads the directory of an archive: names are paths inside of it, and none stands twice. max_memory 0: no limit. */
AQ_MUST_CHECK aq_status aq_zip_directory_read(const aq_file *file, uint64_t max_memory, aq_zip_directory *out,
                                              aq_error *err);

/* Fails unless the entries lie where the directory says, one directly after another, and say the same of themselves;
 * sets where their bytes begin. Names that tell what the archive is are better looked for before. */
AQ_MUST_CHECK aq_status aq_zip_entries_check(const aq_file *file, aq_zip_directory *directory, aq_error *err);

void aq_zip_directory_reset(aq_zip_directory *directory);

#endif
