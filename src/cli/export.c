/* export.c - "arrowquant export". */
#include "commands.h"

static const cli_word formats[] = {{"safetensors", "safetensors"}, {NULL, NULL}};
static const cli_word dtypes[] = {
    {"original", "original"}, {"fp32", "fp32"}, {"fp16", "fp16"}, {"bf16", "bf16"}, {NULL, NULL}};

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .field = CLI_FIELD(output),
     .argument = "OUT",
     .help = "the file to write"},
    {.name = "to",
     .kind = CLI_WORD,
     .field = CLI_FIELD(format),
     .argument = "FORMAT",
     .words = formats,
     .help = "safetensors (default, the only one so far)"},
    {.name = "dtype",
     .kind = CLI_WORD,
     .field = CLI_FIELD(dtype),
     .argument = "TYPE",
     .words = dtypes,
     .help = "store floating-point tensors as original (what they were before, default), fp32, fp16 or bf16"},
    {.name = "force", .kind = CLI_FLAG, .field = CLI_FIELD(force), .help = "replace OUT when it exists"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_export_options o;
  aq_export_options_init(&o);
  o.run = *run_options;
  o.format = values->format;
  o.dtype = values->dtype;
  o.force = values->force;
  return aq_export(values->operands[0], values->output, &o, report, err);
}

const cli_command cli_export = {
    .name = "export",
    .summary = "write the tensors of a table, dequantized, as a safetensors file",
    .usage = "SRC -o OUT [OPTIONS]",
    .about =
        "Writes every tensor of a table or model into another format. Quantized tensors are dequantized; tied tensors "
        "become tensors of their own again.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant export model.parquet -o restored.safetensors\n"
        "  arrowquant export model.parquet -o half.safetensors --dtype fp16\n",
    .operands = {"SRC"},
    .operand_words = {"the table to read"},
    .groups = groups,
    .takes_output = true,
    .run = run,
};
