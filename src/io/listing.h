/* listing.h - the names in a folder, sorted: what follows from them must not depend on the file system's order. */
#ifndef AQ_IO_LISTING_H
#define AQ_IO_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"

typedef struct aq_listing {
  char **names; /* owned; without "." and ".." */
  size_t count;
} aq_listing;

AQ_MUST_CHECK aq_status aq_listing_read(const char *folder, aq_listing *out, aq_error *err);
void aq_listing_reset(aq_listing *listing);
bool aq_listing_has(const aq_listing *listing, const char *name);

/* Leaves only the names for which `keep` is true. */
void aq_listing_filter(aq_listing *listing, bool (*keep)(const char *name));
void aq_listing_filter_by(aq_listing *listing, bool (*keep)(const void *ctx, const char *name), const void *ctx);

/* "a, b, c and 4 more" into out; returns out. */
const char *aq_listing_text(const aq_listing *listing, char *out, size_t size);

/* The same for any array of strings. */
const char *aq_names_text(const char *const *names, size_t count, char *out, size_t size);

bool aq_ends_with(const char *text, const char *end);

#endif
