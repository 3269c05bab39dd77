/* report.h - a JSON document with a kind. For text and Markdown the kind's renderer (one file, and one line in
 * render_kinds.inc) fills a document of blocks (document.h) from it, which a writer lays out (writers.h).
 * docs/REPORTS.md describes the JSON. */
#ifndef AQ_REPORT_REPORT_H
#define AQ_REPORT_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"

struct aq_report {
  const char *kind; /* "convert", "quantize", "info", "verify", "compare", "export", "validate", ... */
  json_t *root;     /* {"kind", "arrowquant": version, "schema": 1, ...} */
};

/* A report of this kind, a string of static storage, with the common fields set. */
AQ_MUST_CHECK aq_status aq_report_create(const char *kind, aq_report **out, aq_error *err);

/* Sets root[key] = value and owns the reference; NULL value (out of memory) is an error. */
AQ_MUST_CHECK aq_status aq_report_set(json_t *object, const char *key, json_t *value, aq_error *err);
/* The same for the end of an array. */
AQ_MUST_CHECK aq_status aq_report_append(json_t *array, json_t *value, aq_error *err);

/* JSON values that exist for every C value. Numbers that JSON cannot hold (infinity, NaN) and a NULL string become
 * null; bytes that are not UTF-8 become U+FFFD (names, paths and metadata may hold any). */
json_t *aq_json_real(double value);
json_t *aq_json_string(const char *text);
json_t *aq_json_count(uint64_t value);

/* And back, for renderers: what is absent, null or of another type gives NULL, "", NaN, 0 or false. */
const json_t *aq_json_get(const json_t *object, const char *key);
const char *aq_json_get_string(const json_t *object, const char *key);
double aq_json_get_real(const json_t *object, const char *key);
uint64_t aq_json_get_count(const json_t *object, const char *key);
bool aq_json_get_flag(const json_t *object, const char *key);

/* Words for numbers, the same everywhere and in every locale. Each writes into out and returns it. AQ_WORD_SIZE is
 * enough for each of them; less cuts the text. */
#define AQ_WORD_SIZE 48
const char *aq_text_bytes(uint64_t bytes, char *out, size_t size);   /* "22.9 MB" (powers of 1000), "812 bytes" */
const char *aq_text_count(uint64_t count, char *out, size_t size);   /* "22,713,216" */
const char *aq_text_seconds(double seconds, char *out, size_t size); /* "41 ms", "3.2 s", "2 min 5 s" */
const char *aq_text_fixed(double value, int decimals, char *out, size_t size); /* "3.14"; NaN "-"; "inf", "-inf" */
const char *aq_text_scientific(double value, char *out, size_t size);          /* "1.23e-04", "0" */
/* Six decimals, cut and not rounded: "1.000000" stands for equal arrays only. */
const char *aq_text_cosine(double cosine, char *out, size_t size);

#endif
