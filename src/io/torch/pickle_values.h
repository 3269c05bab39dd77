/* pickle_values.h - the values that a pickle describes, in one array; they refer to each other by their index.
 *
 * All memory is counted, and none is allocated beyond the limit: a pickle of a few bytes can ask for gigabytes.
 * Zero-initialise and set `limit`; aq_pickle_values_reset frees. */
#ifndef AQ_IO_TORCH_PICKLE_VALUES_H
#define AQ_IO_TORCH_PICKLE_VALUES_H

#include "arrowquant.h"
#include "core/buffer.h"

/* Bytes that all values of a pickle may take, or the caller's limit if that is less. */
#define AQ_PICKLE_MEMORY_MAX ((uint64_t)512 << 20)

typedef enum aq_pickle_kind {
  AQ_PICKLE_NONE,
  AQ_PICKLE_BOOL,
  AQ_PICKLE_INT,
  AQ_PICKLE_TEXT,
  AQ_PICKLE_LIST,
  AQ_PICKLE_TUPLE,
  AQ_PICKLE_DICT,
  AQ_PICKLE_SET,
  AQ_PICKLE_NAME,    /* of the allow-list: number is its row */
  AQ_PICKLE_STORAGE, /* number counts the storages */
  AQ_PICKLE_TENSOR,  /* number counts the tensors */
  AQ_PICKLE_OTHER    /* a float, bytes, a device, ...: allowed, and of no use here */
} aq_pickle_kind;

typedef struct aq_pickle_value {
  aq_pickle_kind kind;
  uint32_t count; /* items of a list, tuple or set; twice the pairs of a dict; bytes of a text */
  uint32_t room;
  union {
    int64_t number;  /* of an int, bool, name, storage or tensor */
    size_t text;     /* where it begins in `texts` */
    uint32_t *items; /* indices of values; of a dict key, value, key, value, ... */
  } as;
} aq_pickle_value;

typedef struct aq_pickle_values {
  aq_pickle_value *values;
  uint32_t count, room;
  aq_buffer texts;      /* each with a zero after its end */
  uint64_t used, limit; /* bytes of memory */
} aq_pickle_values;

void aq_pickle_values_reset(aq_pickle_values *all);

/* Counts `bytes` more; fails when they would pass the limit. For memory of others that grows with the pickle too. */
AQ_MUST_CHECK aq_status aq_pickle_charge(aq_pickle_values *all, uint64_t bytes, aq_error *err);

/* A new value without items; *out is its index. */
AQ_MUST_CHECK aq_status aq_pickle_add(aq_pickle_values *all, aq_pickle_kind kind, int64_t number, uint32_t *out,
                                      aq_error *err);

/* Room for a text of `size` bytes, which the caller writes to *bytes; the zero after it is there already. */
AQ_MUST_CHECK aq_status aq_pickle_add_text(aq_pickle_values *all, size_t size, uint8_t **bytes, uint32_t *out,
                                           aq_error *err);

/* Appends items to a list, tuple, set or dict. */
AQ_MUST_CHECK aq_status aq_pickle_append(aq_pickle_values *all, uint32_t to, const uint32_t *items, uint32_t count,
                                         aq_error *err);

static inline const aq_pickle_value *aq_pickle_at(const aq_pickle_values *all, uint32_t id) { return &all->values[id]; }

/* The text of a value of that kind; it may hold zeros. Valid until the next text is added. */
const char *aq_pickle_text(const aq_pickle_values *all, uint32_t id);
bool aq_pickle_text_is(const aq_pickle_values *all, uint32_t id, const char *text);

/* "a list", "a text", ... for errors. */
const char *aq_pickle_kind_name(aq_pickle_kind kind);

#endif
