/* option_values.c - one struct of options of each kind. */
#include "option_values.h"

#include <string.h>

void aq_option_values_init(aq_option_values *values) {
  memset(values, 0, sizeof *values);
  aq_convert_options_init(&values->convert);
  aq_quantize_options_init(&values->quantize);
  aq_search_options_init(&values->search);
  aq_export_options_init(&values->export);
  aq_info_options_init(&values->info);
  aq_verify_options_init(&values->verify);
  aq_compare_options_init(&values->compare);
  aq_validate_options_init(&values->validate);
  aq_sensitivity_options_init(&values->sensitivity);
  aq_perplexity_options_init(&values->perplexity);
  aq_generate_options_init(&values->generate);
  aq_embed_options_init(&values->embed);
  aq_score_options_init(&values->score);
  aq_scorer_options_init(&values->scorer);
  aq_encoder_options_init(&values->encoder);
  aq_decoder_options_init(&values->decoder);
  aq_source_options_init(&values->source);
}

void aq_option_values_join(aq_option_values *values) {
  values->convert.run = values->quantize.run = values->export.run = values->info.run = values->verify.run = values->run;
  values->compare.run = values->validate.run = values->sensitivity.run = values->embed.run = values->run;
  values->perplexity.run = values->generate.run = values->score.run = values->run;
  values->convert.table = values->quantize.table = values->table;
  values->quantize.search = &values->search;
}
