/* listing.c - the names in a folder, sorted. */
#include "io/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

/* A folder of a model holds tens of names; this only keeps a wrong path from taking all memory. */
#define NAMES_MAX ((size_t)1 << 20)
/* Names that an error message lists. */
#define NAMES_SHOWN ((size_t)6)

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static aq_status append(aq_listing *listing, const char *name, aq_error *err) {
  const size_t count = listing->count;
  AQ_FAIL_IF(count >= NAMES_MAX, AQ_ERR_UNSUPPORTED, "the folder holds more than %zu names", NAMES_MAX);
  if (count == 0 || (count >= 16 && (count & (count - 1)) == 0)) {
    const size_t room = count == 0 ? 16 : count * 2;
    char **bigger = aq_realloc_array(listing->names, room, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, room * sizeof *bigger);
    listing->names = bigger;
  }
  listing->names[count] = aq_strdup(name);
  if (listing->names[count] == NULL) return aq_fail_memory(err, strlen(name));
  listing->count++;
  return AQ_OK;
}

static aq_status read_names(DIR *folder, aq_listing *out, aq_error *err) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (entry == NULL) {
      const int e = errno;
      return e == 0 ? AQ_OK : aq_fail_errno(err, e, "list the folder");
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    AQ_TRY(append(out, entry->d_name, err));
  }
}

aq_status aq_listing_read(const char *folder, aq_listing *out, aq_error *err) {
  *out = (aq_listing){NULL, 0};
  DIR *stream = opendir(folder);
  if (stream == NULL) {
    const int e = errno;
    return aq_error_in_file(err, aq_fail_errno(err, e, "list the folder"), folder);
  }
  const aq_status status = read_names(stream, out, err);
  (void)closedir(stream);
  if (status != AQ_OK) {
    aq_listing_reset(out);
    return aq_error_in_file(err, status, folder);
  }
  if (out->count > 1) qsort(out->names, out->count, sizeof *out->names, compare_names);
  return AQ_OK;
}

void aq_listing_reset(aq_listing *listing) {
  for (size_t i = 0; i < listing->count; i++) aq_free(listing->names[i]);
  aq_free(listing->names);
  *listing = (aq_listing){NULL, 0};
}

bool aq_listing_has(const aq_listing *listing, const char *name) {
  for (size_t i = 0; i < listing->count; i++) {
    if (strcmp(listing->names[i], name) == 0) return true;
  }
  return false;
}

void aq_listing_filter_by(aq_listing *listing, bool (*keep)(const void *ctx, const char *name), const void *ctx) {
  size_t kept = 0;
  for (size_t i = 0; i < listing->count; i++) {
    char *name = listing->names[i];
    if (keep(ctx, name)) {
      listing->names[kept++] = name;
    } else {
      aq_free(name);
    }
  }
  listing->count = kept;
}

typedef bool (*plain_test)(const char *name);

static bool passes(const void *ctx, const char *name) { return (*(const plain_test *)ctx)(name); }

void aq_listing_filter(aq_listing *listing, bool (*keep)(const char *name)) {
  aq_listing_filter_by(listing, passes, &keep);
}

const char *aq_names_text(const char *const *names, size_t count, char *out, size_t size) {
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < count && used < size; i++) {
    /* The last name is shown rather than "and 1 more". */
    if (i >= NAMES_SHOWN && count - i > 1) {
      (void)snprintf(out + used, size - used, " and %zu more", count - i);
      break;
    }
    used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
  }
  return out;
}

const char *aq_listing_text(const aq_listing *listing, char *out, size_t size) {
  return aq_names_text((const char *const *)listing->names, listing->count, out, size);
}

bool aq_ends_with(const char *text, const char *end) {
  const size_t length = strlen(text), end_length = strlen(end);
  return length >= end_length && strcmp(text + length - end_length, end) == 0;
}
