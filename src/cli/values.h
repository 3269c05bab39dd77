/* values.h - what the command line said: every option of every command has one field here. Zero means "not given". */
#ifndef AQ_CLI_VALUES_H
#define AQ_CLI_VALUES_H

#include "arrowquant.h"

#define CLI_MAX_OPERANDS 2

/* Texts in the order given; the array is owned, the texts belong to argv. */
typedef struct cli_list {
  const char **items;
  size_t count;
} cli_list;

typedef struct cli_values {
  const char *operands[CLI_MAX_OPERANDS];
  size_t operand_count;

  /* every command */
  uint32_t threads;
  uint64_t max_memory;
  bool json, quiet, no_progress, help;
  const char *log_file;

  /* commands with an output */
  const char *output;
  bool force;
  const char *codec;
  uint64_t row_group_bytes, part_bytes;
  const char *dtype;     /* convert, export */
  bool keep_unsupported; /* quantize, convert, validate */
  const char *format;    /* export */

  /* quantize */
  const char *type, *granularity, *method, *nonfinite;
  uint32_t group_size;
  bool symmetric, asymmetric, quantize_1d, allow_requantize, strict, dry_run;
  cli_list tensor_rules, keep_patterns;
  const char *plan, *save_plan;
  uint64_t target_size;
  double target_bpw, min_similarity;
  const char *calib, *stats, *save_stats, *tune_from;
  double tune_seconds;

  /* verify, compare, validate, sensitivity */
  bool deep;
  const char *against;
  double min_cosine;
  const char *types, *output_dir;
  bool keep_tables;
  bool outputs, no_outputs;
  const char *texts_file, *labels_file;

  /* tokenize, embed */
  cli_list texts;
  const char *input;
  uint32_t max_length;
  const char *field, *compute, *folder, *prompt, *prompt_name; /* embed */
  bool normalize, no_prompt;
  bool no_special;
} cli_values;

void cli_values_reset(cli_values *values);

#endif
