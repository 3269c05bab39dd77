/* hub_cache.h - models in the cache of huggingface_hub on this machine. Nothing is ever downloaded. */
#ifndef AQ_IO_HUB_CACHE_H
#define AQ_IO_HUB_CACHE_H

#include <stdbool.h>

#include "arrowquant.h"

/* True when the text can be a model's name, ORG/NAME or NAME. */
bool aq_hub_name_ok(const char *text);

/* Where the repository of a model would be in the cache, whether it is there or not. Free *folder with aq_free. NULL
 * with AQ_OK when the environment names no cache at all. */
AQ_MUST_CHECK aq_status aq_hub_repository(const char *name, char **folder, aq_error *err);

/* True when the folder is a repository of the cache: it has a folder `snapshots`. */
bool aq_hub_is_repository(const char *folder);

/* The snapshot that refs/main names, or the only one there is. Free *snapshot with aq_free. */
AQ_MUST_CHECK aq_status aq_hub_snapshot(const char *repository, char **snapshot, aq_error *err);

#endif
