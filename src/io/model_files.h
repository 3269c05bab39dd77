/* model_files.h - the small files of a model: its configuration and its tokenizer. A folder has them beside the
 * weights, or, when modules.json says so, in the folder of its first module; a table carries them in its metadata,
 * under AQ_MODEL_FILE_KEY and the file's name as text, or under AQ_MODEL_FILE_ZSTD_KEY and the name compressed
 * (zstd_text.h), which is how files that are no text travel: models of SentencePiece. */
#ifndef AQ_IO_MODEL_FILES_H
#define AQ_IO_MODEL_FILES_H

#include <stddef.h>

#include "arrowquant.h"
#include "io/module_list.h"

#define AQ_MODEL_FILE_KEY "arrowquant.file."
#define AQ_MODEL_FILE_ZSTD_KEY "arrowquant.file_zstd." /* no name of a file follows "arrowquant.file" at once */
#define AQ_GGUF_JSON_NAME "gguf.json"                  /* the metadata of a GGUF file, docs/formats/gguf.md */
#define AQ_MODEL_FILE_MAX ((size_t)64 << 20)           /* of the text of one file that is read */
#define AQ_MODEL_FILES_MAX ((size_t)16 << 20)          /* of all values that a table carries */

/* The text or the bytes of a file of the model, with a zero after the end; *text is NULL with AQ_OK when there is no
 * such file. It is looked for in `folder`, when one is given; else in the metadata, when they hold any file of a model,
 * else in the folder of the source: files of two models are never mixed.
 *
 * modules.json, config_sentence_transformers.json and names with a folder in front ("1_Pooling/config.json") are looked
 * for there; every other name is a file of the first module, in whose folder it is looked for ("0_Transformer"). A name
 * leaves the model's folder in no way. A value that was compressed and is damaged is an error that names its key. Free
 * *text with aq_free. */
AQ_MUST_CHECK aq_status aq_model_file_read(const aq_source *source, const char *folder, const char *name, char **text,
                                           size_t *size, aq_error *err);

/* The modules of the model, from where aq_model_file_read finds modules.json; none when it is not there or wrong, which
 * is for those to say who run the model. aq_module_list_reset frees. */
AQ_MUST_CHECK aq_status aq_model_modules_read(const aq_source *source, const char *folder, aq_module_list *out,
                                              aq_error *err);

/* The folder that holds the model's small files; NULL with AQ_OK for a source that is no file. Free it with aq_free. */
AQ_MUST_CHECK aq_status aq_model_folder(const aq_source *source, char **folder, aq_error *err);

/* The same for a source, by a place in the model's folder, which is taken as it is. */
AQ_MUST_CHECK aq_status aq_model_file_read_place(const aq_source *source, const char *place, char **text, size_t *size,
                                                 aq_error *err);

/* Bytes of the file at a place in the model's folder; 0 when there is none, and of one that the metadata hold. */
AQ_MUST_CHECK aq_status aq_model_file_measure_place(const aq_source *source, const char *place, uint64_t *bytes,
                                                    aq_error *err);

/* The place that a key of the metadata is about; NULL when it is about no file of a model. */
const char *aq_model_file_key_place(const char *key);

/* The compressed value of the metadata for a place, borrowed; NULL when there is none. */
const char *aq_model_file_compressed(const aq_source *source, const char *place);

/* Calls put(ctx, key, value) for every file that travels with a table made from the source: those of a fixed list and
 * the configurations of the modules that modules.json names, as far as they exist, are text (UTF-8 without zeros) or a
 * model of SentencePiece, and their values fit, with the ones before them, in AQ_MODEL_FILES_MAX; what exists and does
 * not travel becomes a note of the source. A vocab.txt travels when no tokenizer.json does, vocab.json and merges.txt
 * when neither of these is there, a model of SentencePiece when none of them is. Large files are compressed, once for a
 * source. */
typedef aq_status (*aq_model_file_fn)(void *ctx, const char *key, const char *value, aq_error *err);
AQ_MUST_CHECK aq_status aq_model_files_each(aq_source *source, aq_model_file_fn put, void *ctx, aq_error *err);

/* The first part of that work, and what can go on beside other work: reads the texts; *count items are then for
 * aq_model_files_compress, an aq_pool_fn whose ctx is the source. What it leaves out is done by aq_model_files_each. */
AQ_MUST_CHECK aq_status aq_model_files_read(aq_source *source, uint64_t *count, aq_error *err);
aq_status aq_model_files_compress(void *source, uint64_t item, uint32_t worker, aq_error *err);

/* Calls put(ctx, place, text, size) for the same files, as far as they exist and are text, at any size up to
 * AQ_MODEL_FILE_MAX: what a folder of the model has. Of a source whose files have not been asked for before. */
typedef aq_status (*aq_model_text_fn)(void *ctx, const char *place, const char *text, size_t size, aq_error *err);
AQ_MUST_CHECK aq_status aq_model_files_each_text(aq_source *source, aq_model_text_fn put, void *ctx, aq_error *err);

/* Bytes that those values and their keys will take in a table. */
AQ_MUST_CHECK aq_status aq_model_files_measure(aq_source *source, uint64_t *bytes, aq_error *err);

/* Bytes that values and keys of model files take in a source's own file; 0 when it carries none, or is no file. */
uint64_t aq_model_files_bytes(const aq_source *source);

/* The source's file without them: what ratios of sizes count. The files are not weights, and take the same room at any
 * number of bits. */
uint64_t aq_counted_bytes(const aq_source *source);

#endif
