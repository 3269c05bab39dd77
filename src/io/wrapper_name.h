/* wrapper_name.h - names that sentence-transformers' wrapper puts in front of those of a model's tensors. */
#ifndef AQ_IO_WRAPPER_NAME_H
#define AQ_IO_WRAPPER_NAME_H

#include <stddef.h>

/* Bytes of the wrapper's name in front of a tensor's own ("0.auto_model."); 0 when it has none. */
size_t aq_wrapper_name_length(const char *name);

#endif
