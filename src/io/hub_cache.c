/* hub_cache.c - finding a model in the local cache of huggingface_hub.
 *
 * Layout (huggingface_hub documentation, "Understand caching"): CACHE/models--ORG--NAME/refs/main holds the name of a
 * commit, CACHE/models--ORG--NAME/snapshots/COMMIT/ the files, as symbolic links into blobs/. CACHE is $HF_HUB_CACHE,
 * else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub; only the first that is set
 * counts, as in the Python package. */
#include "io/hub_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/listing.h"

#define NAME_MAX_LENGTH 200
#define COMMIT_MAX_LENGTH 128

/* ASCII only, whatever the locale. */
static bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Letters, digits, '-', '_', '.'; no part begins with a dot or is empty; at most one slash. */
bool aq_hub_name_ok(const char *text) {
  size_t slashes = 0, part = 0;
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '/') {
      if (part == 0 || ++slashes > 1) return false;
      part = 0;
    } else if (is_alphanumeric(*p) || *p == '-' || *p == '_' || (*p == '.' && part > 0)) {
      part++;
    } else {
      return false;
    }
  }
  return part > 0 && strlen(text) <= NAME_MAX_LENGTH;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

aq_status aq_hub_repository(const char *name, char **folder, aq_error *err) {
  static const struct {
    const char *name, *below;
  } places[] = {{"HF_HUB_CACHE", ""},
                {"HF_HOME", "/hub"},
                {"XDG_CACHE_HOME", "/huggingface/hub"},
                {"HOME", "/.cache/huggingface/hub"}};
  *folder = NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(places); i++) {
    const char *base = variable(places[i].name);
    if (base == NULL) continue;
    const char *slash = strchr(name, '/');
    const int org = slash != NULL ? (int)(slash - name) : 0;
    *folder = aq_format("%s%s/models--%.*s%s%s", base, places[i].below, org, name, slash != NULL ? "--" : "",
                        slash != NULL ? slash + 1 : name);
    return *folder != NULL ? AQ_OK : aq_fail_memory(err, strlen(base) + strlen(name));
  }
  return AQ_OK;
}

static aq_status join(const char *folder, const char *name, char **out, aq_error *err) {
  *out = aq_path_join(folder, name);
  return *out != NULL ? AQ_OK : aq_fail_memory(err, strlen(folder) + strlen(name));
}

bool aq_hub_is_repository(const char *folder) {
  char *snapshots = aq_path_join(folder, "snapshots");
  const bool is = snapshots != NULL && aq_path_is_folder(snapshots);
  aq_free(snapshots);
  return is;
}

/* The commit that refs/main names, without the white space around it; "" when there is no such file. */
static aq_status read_main(const char *repository, char commit[COMMIT_MAX_LENGTH + 1], aq_error *err) {
  char *path = NULL, *text = NULL;
  size_t size = 0;
  commit[0] = '\0';
  AQ_TRY(join(repository, "refs/main", &path, err));
  aq_status status = AQ_OK;
  if (aq_path_exists(path)) {
    status = aq_file_slurp(path, COMMIT_MAX_LENGTH, &text, &size, err);
    if (status == AQ_OK) {
      size = strcspn(text, " \t\r\n");
      text[size] = '\0';
      if (size == 0 || strchr(text, '/') != NULL || text[0] == '.') {
        status = aq_error_in_file(err, aq_fail(err, AQ_ERR_FORMAT, "does not hold the name of a commit"), path);
      } else {
        memcpy(commit, text, size + 1);
      }
    }
  }
  aq_free(text);
  aq_free(path);
  return status;
}

static aq_status only_snapshot(const char *snapshots, char commit[COMMIT_MAX_LENGTH + 1], aq_error *err) {
  aq_listing listing;
  AQ_TRY(aq_listing_read(snapshots, &listing, err));
  aq_status status = AQ_OK;
  char text[256];
  if (listing.count == 1 && strlen(listing.names[0]) <= COMMIT_MAX_LENGTH) {
    memcpy(commit, listing.names[0], strlen(listing.names[0]) + 1);
  } else if (listing.count == 0) {
    status = aq_fail(err, AQ_ERR_NOT_FOUND, "the cached model has no snapshot: it was not downloaded");
  } else {
    status = aq_fail(err, AQ_ERR_ARGUMENT, "the cached model has several snapshots and no refs/main: %s",
                     aq_listing_text(&listing, text, sizeof text));
    (void)aq_error_hint(err, status, "Name the folder of one snapshot");
  }
  aq_listing_reset(&listing);
  return aq_error_in_file(err, status, status == AQ_OK ? NULL : snapshots);
}

aq_status aq_hub_snapshot(const char *repository, char **snapshot, aq_error *err) {
  char commit[COMMIT_MAX_LENGTH + 1];
  char *snapshots = NULL;
  *snapshot = NULL;
  AQ_TRY(read_main(repository, commit, err));
  AQ_TRY(join(repository, "snapshots", &snapshots, err));
  aq_status status = AQ_OK;
  if (commit[0] == '\0') status = only_snapshot(snapshots, commit, err);
  if (status == AQ_OK) status = join(snapshots, commit, snapshot, err);
  if (status == AQ_OK && !aq_path_is_folder(*snapshot)) {
    status = aq_fail(err, AQ_ERR_NOT_FOUND, "refs/main names commit %s, but its snapshot is not there", commit);
    (void)aq_error_hint(err, status, "Download the model again");
    (void)aq_error_in_file(err, status, repository);
    aq_free(*snapshot);
    *snapshot = NULL;
  }
  aq_free(snapshots);
  return status;
}
