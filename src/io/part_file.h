/* part_file.h - names of files that hold a part of a model or of a table, as those who write in parts name them. */
#ifndef AQ_IO_PART_FILE_H
#define AQ_IO_PART_FILE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct aq_part_file {
  uint64_t number; /* as the name has it: counted from 1 or from 0 */
  uint64_t total;  /* of model-00001-of-00003.safetensors: 3; 0 when the name does not say */
} aq_part_file;

/* True for NAME-00001-of-00003.safetensors (or .parquet, .bin, .pt, ...) with more than one part, and, of Parquet
 * files, for the names that Spark, Dask, pyarrow, DuckDB and polars give to the parts of a table:
 * part-00000-...parquet, part.0.parquet, part-0.parquet, data_0.parquet, 0.parquet, HEX-0.parquet. */
bool aq_part_file_parse(const char *name, aq_part_file *out);

#endif
