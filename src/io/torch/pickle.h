/* pickle.h - reads one pickle of protocol 2 to 5: what it describes, without doing any of what it asks for.
 *
 * A pickle is a program for a machine with a stack and a memo, whose opcodes name functions to be called. Here they
 * make values (pickle_values.h), and only the names of torch_names.h may be mentioned. Everything else is an error that
 * names the opcode or the function and the byte of the file. Memory grows with the bytes that were read, up to a limit.
 */
#ifndef AQ_IO_TORCH_PICKLE_H
#define AQ_IO_TORCH_PICKLE_H

#include "io/torch/pickle_reader.h"
#include "io/torch/pickle_values.h"
#include "io/torch/torch_objects.h"

/* Reads from where `reader` stands up to the end of the pickle, where the reader stands then. Values, storages and
 * tensors are added to those that are there; *root is the value that the pickle describes. */
AQ_MUST_CHECK aq_status aq_pickle_load(aq_pickle_reader *reader, aq_pickle_values *values, aq_torch_objects *objects,
                                       uint32_t *root, aq_error *err);

#endif
