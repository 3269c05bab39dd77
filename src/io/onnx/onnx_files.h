/* onnx_files.h - the files of an ONNX model: the graph's, and those beside it that hold external data. */
#ifndef AQ_IO_ONNX_ONNX_FILES_H
#define AQ_IO_ONNX_ONNX_FILES_H

#include "arrowquant.h"
#include "core/file.h"
#include "core/fork.h"

/* Where bytes lie: in memory, or from `begin` in a file. */
typedef struct aq_onnx_place {
  const uint8_t *memory; /* NULL: in the file */
  uint32_t file;
  uint64_t begin;
} aq_onnx_place;

/* Zero-initialise; the first file is the model's own. */
typedef struct aq_onnx_files {
  aq_file *files;
  size_t count;
  char *folder; /* of the model, without which no other file is opened */
  aq_lock map_lock;
  bool has_lock;
} aq_onnx_files;

AQ_MUST_CHECK aq_status aq_onnx_files_init(aq_onnx_files *files, const char *path, aq_error *err);
void aq_onnx_files_reset(aq_onnx_files *files);

/* The number of the file that external data name by `location`: a relative name that leaves the folder in no way.
 * Opened when it is named first. */
AQ_MUST_CHECK aq_status aq_onnx_files_open(aq_onnx_files *files, const char *location, uint32_t *number, aq_error *err);

/* Bytes [offset, offset + size) of a place. Any thread. */
AQ_MUST_CHECK aq_status aq_onnx_place_read(const aq_onnx_files *files, const aq_onnx_place *place, uint64_t offset,
                                           size_t size, void *out, aq_error *err);

/* The address of a place; a file is mapped when the first one in it is asked for. Any thread. */
AQ_MUST_CHECK aq_status aq_onnx_place_view(aq_onnx_files *files, const aq_onnx_place *place, const void **view,
                                           aq_error *err);

#endif
