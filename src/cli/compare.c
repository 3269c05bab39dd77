/* compare.c - "arrowquant compare". */
#include "commands.h"

static const cli_option options[] = {
    {.name = "min-cosine",
     .kind = CLI_REAL,
     .field = CLI_FIELD(min_cosine),
     .argument = "X",
     .least = 0,
     .most = 1,
     .help = "exit with status 4 when the mean cosine is below X (default: no threshold)"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.run = *run_options;
  o.min_cosine = values->min_cosine;
  return aq_compare(values->operands[0], values->operands[1], &o, report, err);
}

const cli_command cli_compare = {
    .name = "compare",
    .summary = "measure how far the weights of two models or tables are apart",
    .usage = "REFERENCE OTHER [OPTIONS]",
    .about =
        "Measures for every tensor, and for all of them together, how well OTHER agrees with REFERENCE: cosine, "
        "signal-to-noise ratio, RMSE and the largest error. Both must hold the same tensors; quantized ones are "
        "dequantized.\n\n"
        "Each is a .safetensors file, a folder with a model, or a weight table in Parquet.",
    .examples =
        "  arrowquant compare model.safetensors model.parquet\n"
        "  arrowquant compare model.safetensors model.parquet --min-cosine 0.99 --quiet\n",
    .operands = {"REFERENCE", "OTHER"},
    .operand_words = {"the model to compare with", "the model or table to judge"},
    .groups = groups,
    .run = run,
};
