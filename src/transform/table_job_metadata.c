/* table_job_metadata.c - the keys arrowquant.* of FORMAT.md, section Metadata. */
#include "transform/table_job_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/fingerprint.h"
#include "io/model_files.h"

static aq_status put_json(aq_table_writer *writer, const char *key, json_t *value, aq_error *err) {
  char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  json_decref(value);
  if (text == NULL) return aq_fail_memory(err, 1024);
  const aq_status status = aq_table_writer_metadata(writer, key, text, err);
  free(text); /* jansson's own memory */
  return status;
}

static aq_status put_aliases(aq_table_writer *writer, const aq_source *s, aq_error *err) {
  json_t *aliases = json_object();
  for (size_t i = 0; aliases != NULL && i < s->tensor_count; i++) {
    if (s->tensors[i].alias_of < 0) continue;
    const char *target = s->tensors[s->tensors[i].alias_of].name;
    if (json_object_set_new(aliases, s->tensors[i].name, json_string(target)) != 0) {
      json_decref(aliases);
      return aq_fail_memory(err, 256);
    }
  }
  if (aliases != NULL && json_object_size(aliases) == 0) {
    json_decref(aliases);
    return AQ_OK;
  }
  return put_json(writer, "arrowquant.aliases", aliases, err);
}

/* Names of kept tensors whose values are not the source's. */
static aq_status put_adjusted(aq_table_writer *writer, const aq_table_job *job, aq_error *err) {
  json_t *names = json_array();
  for (size_t i = 0; names != NULL && i < job->plan->count; i++) {
    if (!job->plan->entries[i].adjusted) continue;
    if (json_array_append_new(names, json_string(job->plan->entries[i].name)) != 0) {
      json_decref(names);
      return aq_fail_memory(err, 256);
    }
  }
  if (names != NULL && json_array_size(names) == 0) {
    json_decref(names);
    return AQ_OK;
  }
  return put_json(writer, "arrowquant.adjusted", names, err);
}

static aq_status put_file(void *ctx, const char *key, const char *value, aq_error *err) {
  aq_table_writer *writer = ctx;
  return aq_table_writer_metadata(writer, key, value, err);
}

aq_status aq_table_put_metadata(aq_table_writer *writer, const aq_table_job *job, aq_error *err) {
  aq_source *s = job->source;
  char fingerprint[33];
  AQ_TRY(aq_source_fingerprint(s, fingerprint, err));
  AQ_TRY(put_json(writer, "arrowquant.source",
                  json_pack("{s:s, s:I, s:I, s:s}", "format", s->format, "tensors", (json_int_t)s->tensor_count,
                            "bytes", (json_int_t)s->file_bytes, "fingerprint", fingerprint),
                  err));
  AQ_TRY(put_aliases(writer, s, err));
  if (job->config != NULL) AQ_TRY(put_json(writer, "arrowquant.config", json_incref(job->config), err));
  AQ_TRY(put_adjusted(writer, job, err));
  AQ_TRY(aq_model_files_each(s, put_file, writer, err));
  if (job->schema_version < 2) return AQ_OK;
  json_t *plan;
  AQ_TRY(aq_plan_to_json(job->plan, s->tensors, false, &plan, err));
  return put_json(writer, "arrowquant.plan", plan, err);
}

/* ---- their size ---- */

enum { PAIRS_BYTES = 1024 }; /* keys and lengths of all pairs, the source, and what is of one size always */

static uint64_t json_bytes(const json_t *json) {
  return json != NULL ? json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS) : 0;
}

/* Of names in aliases and among the adjusted tensors: quotes and escapes make them longer. */
static uint64_t names_bytes(const aq_table_job *job) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < job->plan->count; i++) {
    const aq_tensor_info *t = &job->source->tensors[i];
    if (t->alias_of >= 0) bytes += 2 * (strlen(t->name) + strlen(job->source->tensors[t->alias_of].name)) + 8;
    if (job->plan->entries[i].adjusted) bytes += 2 * strlen(t->name) + 4;
  }
  return bytes;
}

aq_status aq_table_measure_metadata(const aq_table_job *job, uint64_t *bytes, aq_error *err) {
  json_t *plan = NULL;
  AQ_TRY(aq_model_files_measure(job->source, bytes, err));
  if (job->schema_version >= 2) AQ_TRY(aq_plan_to_json(job->plan, job->source->tensors, false, &plan, err));
  *bytes += PAIRS_BYTES + names_bytes(job) + json_bytes(job->config) + json_bytes(plan);
  json_decref(plan);
  return AQ_OK;
}
