/* convert.c - "arrowquant convert". */
#include "commands.h"

static const cli_word dtypes[] = {{"keep", "keep"}, {"fp32", "fp32"}, {"fp16", "fp16"}, {"bf16", "bf16"}, {NULL, NULL}};

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .field = CLI_FIELD(output),
     .argument = "OUT",
     .help = "the table to write"},
    {.name = "dtype",
     .kind = CLI_WORD,
     .field = CLI_FIELD(dtype),
     .argument = "TYPE",
     .words = dtypes,
     .help = "store floating-point tensors as keep (unchanged, default), fp32, fp16 or bf16"},
    {.name = "keep-unsupported",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(keep_unsupported),
     .help = "keep the bytes of tensors whose dtype cannot be read as numbers (F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, "
             "F6_E2M3, F6_E3M2, F4, C64), which are refused otherwise"},
    {.name = "force", .kind = CLI_FLAG, .field = CLI_FIELD(force), .help = "replace OUT when it exists"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_table_group, &cli_common_group, NULL};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_convert_options o;
  aq_convert_options_init(&o);
  o.run = *run_options;
  o.table = cli_table_options(values);
  o.dtype = values->dtype;
  o.keep_unsupported = values->keep_unsupported;
  return aq_convert(values->operands[0], values->output, &o, report, err);
}

const cli_command cli_convert = {
    .name = "convert",
    .summary = "write a model as an ordinary Parquet table, every tensor a row",
    .usage = "SRC -o OUT [OPTIONS]",
    .about =
        "Writes every tensor of a model as a row of a Parquet table (schema V1), unchanged unless --dtype says "
        "otherwise.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant convert model.safetensors -o model.parquet\n"
        "  arrowquant convert ./all-MiniLM-L6-v2 -o model.parquet --dtype fp16 --codec zstd:9\n",
    .operands = {"SRC"},
    .operand_words = {"the model to read"},
    .groups = groups,
    .takes_output = true,
    .run = run,
};
