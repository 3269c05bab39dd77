/* torch_files.h - files by the names that people give to those of torch.save. */
#ifndef AQ_IO_TORCH_TORCH_FILES_H
#define AQ_IO_TORCH_TORCH_FILES_H

#include <stdbool.h>

#define AQ_TORCH_SINGLE_NAME "pytorch_model.bin"
#define AQ_TORCH_INDEX_NAME "pytorch_model.bin.index.json"

/* NAME.bin, NAME.pt, NAME.pth, NAME.ckpt */
bool aq_torch_is_name(const char *name);

/* Of those, what transformers and accelerate leave beside a model that is being trained: no weights. */
bool aq_torch_is_training_state(const char *name);

#endif
