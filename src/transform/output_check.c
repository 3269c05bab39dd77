/* output_check.c - checks of an output before work begins. */
#include "transform/output_check.h"

#include <string.h>
#include <sys/statvfs.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/source.h"
#include "report/report.h"

aq_status aq_check_output(const aq_source *source, const char *output, aq_error *err) {
  char *partial = aq_format("%s.partial", output); /* the name it has while it is written */
  if (partial == NULL) return aq_fail_memory(err, strlen(output));
  const bool taken = aq_source_reads_file(source, output) || aq_source_reads_file(source, partial);
  aq_free(partial);
  if (!taken) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the output is the input");
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose another output name");
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, output);
}

aq_status aq_check_space(const char *output, uint64_t estimate, aq_error *err) {
  char *folder = aq_path_parent(output);
  if (folder == NULL) return aq_fail_memory(err, strlen(output));
  struct statvfs fs;
  const bool known = statvfs(folder, &fs) == 0;
  aq_free(folder);
  if (!known) return AQ_OK; /* creating the file will say why */
  const uint64_t block = fs.f_frsize, available = fs.f_bavail;
  if (block == 0 || available >= estimate / 2 / block) return AQ_OK;
  char need[32], have[32];
  (void)aq_fail(err, AQ_ERR_DISK_FULL, "about %s are needed, but only %s are free there",
                aq_text_bytes(estimate, need, sizeof need), aq_text_bytes(available * block, have, sizeof have));
  (void)aq_error_hint(err, AQ_ERR_DISK_FULL, "Free some space or choose another folder");
  return aq_error_in_file(err, AQ_ERR_DISK_FULL, output);
}
