/* output_paths.c - the files that a quantization writes, checked before it begins. */
#include "ops/output_paths.h"

#include <string.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "transform/output_check.h"

typedef struct place {
  const char *path; /* NULL: not asked for */
  const char *what;
} place;

/* One place is the same name in the same folder; neither file need exist. */
static aq_status same_place(const char *a, const char *b, bool *same, aq_error *err) {
  aq_file_id ids[2];
  *same = aq_path_id(a, &ids[0]) && aq_path_id(b, &ids[1]) && aq_file_id_equal(ids[0], ids[1]);
  if (*same || strcmp(aq_path_name(a), aq_path_name(b)) != 0) return AQ_OK;
  char *folders[] = {aq_path_parent(a), aq_path_parent(b)};
  const bool had = folders[0] != NULL && folders[1] != NULL;
  *same = had && aq_path_id(folders[0], &ids[0]) && aq_path_id(folders[1], &ids[1]) && aq_file_id_equal(ids[0], ids[1]);
  aq_free(folders[0]);
  aq_free(folders[1]);
  return had ? AQ_OK : aq_fail_memory(err, strlen(a) + strlen(b));
}

static aq_status check_apart(const place *written, const place *other, aq_error *err) {
  bool same = false;
  if (written->path == NULL || other->path == NULL) return AQ_OK;
  AQ_TRY(same_place(written->path, other->path, &same, err));
  if (!same) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s and %s cannot have one name", other->what, written->what);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose another name for %s", written->what);
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, written->path);
}

/* Whether it can be created: begins to write it, and thinks better of it. */
static aq_status check_writable(const char *path, bool force, aq_error *err) {
  aq_outfile *file;
  AQ_TRY(aq_outfile_create(path, force, &file, err));
  aq_outfile_abort(file);
  return AQ_OK;
}

aq_status aq_output_paths_check(const aq_source *source, const char *output, const aq_quantize_options *o,
                                aq_error *err) {
  const bool file = o->calib != NULL && strcmp(o->calib, "builtin") != 0 && strcmp(o->calib, "none") != 0 &&
                    strcmp(o->calib, "self") != 0;
  const place written[] = {
      {output, "the table"}, {o->save_plan_path, "the plan"}, {o->search->save_stats_path, "the statistics"}};
  const place read[] = {{file ? o->calib : NULL, "the texts"},
                        {o->search->stats_path, "the statistics that are read"},
                        {o->plan_path, "the plan that is read"},
                        {o->search->tune_from, "the table to go on with"}};
  for (size_t i = 0; i < AQ_COUNT_OF(written); i++) {
    if (written[i].path == NULL) continue;
    AQ_TRY(aq_check_output(source, written[i].path, err));
    for (size_t k = 0; k < i; k++) AQ_TRY(check_apart(&written[i], &written[k], err));
    for (size_t k = 0; k < AQ_COUNT_OF(read); k++) {
      const bool rewritten = written[i].path == o->save_plan_path && read[k].path == o->plan_path;
      if (!rewritten) AQ_TRY(check_apart(&written[i], &read[k], err));
    }
  }
  for (size_t i = 0; i < AQ_COUNT_OF(written); i++) {
    const bool wanted = written[i].path != NULL && !(i == 0 && o->dry_run);
    if (wanted) AQ_TRY(check_writable(written[i].path, o->table.force, err));
  }
  return AQ_OK;
}
