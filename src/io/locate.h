/* locate.h - from what a user names (a file, a folder, a Hugging Face model) to the one file to open. */
#ifndef AQ_IO_LOCATE_H
#define AQ_IO_LOCATE_H

#include "arrowquant.h"

/* A file: itself. A folder: model.safetensors.index.json or model.safetensors in it, else the only index, safetensors
 * file or Parquet table, or all parts of one (then *file is the folder, ending with a slash), else PyTorch's index or
 * pytorch_model.bin or only file, else the only GGUF file, model.onnx or the only ONNX file, else those of the folder
 * `onnx` in it; a repository of the Hugging Face cache: its snapshot. No such path, but a name like ORG/NAME: that
 * model in the Hugging Face cache. Where a folder's modules.json puts the model into a folder inside it, that one is
 * searched. Free *file with aq_free. */
AQ_MUST_CHECK aq_status aq_locate_file(const char *path, char **file, aq_error *err);

/* The same, and the folder that has the model's small files, when the file is not in it itself: the one with
 * modules.json, or the one that holds the folder `onnx`; else *folder is NULL. */
AQ_MUST_CHECK aq_status aq_locate_model(const char *path, char **file, char **folder, aq_error *err);

#endif
