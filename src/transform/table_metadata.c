/* table_metadata.c - the keys arrowquant.* of FORMAT.md, section Metadata. */
#include "transform/table_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/fingerprint.h"
#include "io/model_files.h"

static aq_status put_json(aq_sink *sink, const char *key, json_t *value, aq_error *err) {
  char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  json_decref(value);
  if (text == NULL) return aq_fail_memory(err, 1024);
  const aq_status status = aq_sink_metadata(sink, key, text, err);
  free(text); /* jansson's own memory */
  return status;
}

static aq_status put_aliases(aq_sink *sink, const aq_plan *plan, aq_error *err) {
  json_t *aliases = json_object();
  for (size_t i = 0; aliases != NULL && i < plan->count; i++) {
    const aq_plan_entry *e = &plan->entries[i];
    if (!e->tied) continue;
    if (json_object_set_new(aliases, e->name, json_string(plan->entries[e->tied_to].name)) != 0) {
      json_decref(aliases);
      return aq_fail_memory(err, 256);
    }
  }
  if (aliases != NULL && json_object_size(aliases) == 0) {
    json_decref(aliases);
    return AQ_OK;
  }
  return put_json(sink, "arrowquant.aliases", aliases, err);
}

/* Names of kept tensors whose values are not the source's. */
static aq_status put_adjusted(aq_sink *sink, const aq_plan *plan, aq_error *err) {
  json_t *names = json_array();
  for (size_t i = 0; names != NULL && i < plan->count; i++) {
    if (!plan->entries[i].adjusted) continue;
    if (json_array_append_new(names, json_string(plan->entries[i].name)) != 0) {
      json_decref(names);
      return aq_fail_memory(err, 256);
    }
  }
  if (names != NULL && json_array_size(names) == 0) {
    json_decref(names);
    return AQ_OK;
  }
  return put_json(sink, "arrowquant.adjusted", names, err);
}

static aq_status put_file(void *ctx, const char *key, const char *value, aq_error *err) {
  return aq_sink_metadata(ctx, key, value, err);
}

aq_status aq_table_metadata_put(void *metadata, aq_sink *sink, aq_error *err) {
  const aq_table_metadata *m = metadata;
  aq_source *s = m->source;
  char fingerprint[33];
  AQ_TRY(aq_source_fingerprint(s, fingerprint, err));
  AQ_TRY(put_json(sink, "arrowquant.source",
                  json_pack("{s:s, s:I, s:I, s:s}", "format", s->format, "tensors", (json_int_t)s->tensor_count,
                            "bytes", (json_int_t)s->file_bytes, "fingerprint", fingerprint),
                  err));
  AQ_TRY(put_aliases(sink, m->plan, err));
  if (m->config != NULL) AQ_TRY(put_json(sink, "arrowquant.config", json_incref(m->config), err));
  AQ_TRY(put_adjusted(sink, m->plan, err));
  AQ_TRY(aq_model_files_each(s, put_file, sink, err));
  if (m->schema_version < 2) return AQ_OK;
  json_t *plan;
  AQ_TRY(aq_plan_to_json(m->plan, s->tensors, false, &plan, err));
  return put_json(sink, "arrowquant.plan", plan, err);
}

/* ---- their size ---- */

enum { PAIRS_BYTES = 1024 }; /* keys and lengths of all pairs, the source, and what is of one size always */

static uint64_t json_bytes(const json_t *json) {
  return json != NULL ? json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS) : 0;
}

/* Of names in aliases and among the adjusted tensors: quotes and escapes make them longer. */
static uint64_t names_bytes(const aq_plan *plan) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < plan->count; i++) {
    const aq_plan_entry *e = &plan->entries[i];
    if (e->tied) bytes += 2 * (strlen(e->name) + strlen(plan->entries[e->tied_to].name)) + 8;
    if (e->adjusted) bytes += 2 * strlen(e->name) + 4;
  }
  return bytes;
}

aq_status aq_table_metadata_measure(const aq_table_metadata *m, uint64_t *bytes, aq_error *err) {
  json_t *plan = NULL;
  AQ_TRY(aq_model_files_measure(m->source, bytes, err));
  if (m->schema_version >= 2) AQ_TRY(aq_plan_to_json(m->plan, m->source->tensors, false, &plan, err));
  *bytes += PAIRS_BYTES + names_bytes(m->plan) + json_bytes(m->config) + json_bytes(plan);
  json_decref(plan);
  return AQ_OK;
}
