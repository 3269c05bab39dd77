/* option_values.h - where options are kept on their way from a surface (the command, the Python package) to the
 * library: one struct of each kind. */
#ifndef AQ_OPTIONS_OPTION_VALUES_H
#define AQ_OPTIONS_OPTION_VALUES_H

#include "arrowquant_experimental.h"

/* What only the command has, every command but tokenize. */
typedef struct aq_command_options {
  bool json, quiet, no_progress;
  const char *log_file;
} aq_command_options;

typedef struct aq_help_options {
  bool help;
} aq_help_options;

/* The file to write, where it is an argument of the operation and no member of its options. */
typedef struct aq_output_options {
  const char *output;
} aq_output_options;

/* What tokenize does is no operation with options. */
typedef struct aq_tokenize_options {
  aq_text_list texts;
  const char *input, *field;
  uint32_t max_tokens;
  bool no_special;
  bool decode;
} aq_tokenize_options;

/* `run` and `table` are for whichever operation takes them; aq_option_values_join hands them on. */
typedef struct aq_option_values {
  aq_run_options run;
  aq_table_options table;
  aq_convert_options convert;
  aq_quantize_options quantize;
  aq_search_options search;
  aq_export_options export;
  aq_info_options info;
  aq_verify_options verify;
  aq_compare_options compare;
  aq_validate_options validate;
  aq_sensitivity_options sensitivity;
  aq_perplexity_options perplexity;
  aq_generate_options generate;
  aq_embed_options embed;
  aq_score_options score;
  aq_scorer_options scorer;
  aq_encoder_options encoder;
  aq_decoder_options decoder;
  aq_source_options source;
  aq_tokenize_options tokenize;
  aq_output_options output;
  aq_command_options command;
  aq_help_options help;
} aq_option_values;

/* Every option has its default. */
void aq_option_values_init(aq_option_values *values);

/* Copies `run` and `table` into the options of each operation, and points quantize to its search. To be called once all
 * options are set; the values may not move afterwards. */
void aq_option_values_join(aq_option_values *values);

#endif
