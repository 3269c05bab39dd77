/* convert.c - "arrowquant convert". */
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_convert(values->operands[0], values->set.output.output, &values->set.convert, report, err);
}

const cli_command cli_convert = {
    .name = "convert",
    .summary = "write a model as an ordinary Parquet table, one row per tensor",
    .usage = "SRC -o OUT [OPTIONS]",
    .about =
        "Writes every tensor of a model as a row of a Parquet table (schema V1), unchanged without "
        "--dtype.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant convert model.safetensors -o model.parquet\n"
        "  arrowquant convert ./all-MiniLM-L6-v2 -o model.parquet --dtype fp16 --codec zstd:9\n",
    .operands = {"SRC"},
    .operand_words = {"the model to read"},
    .owners = AQ_OPTIONS_OF(convert) | AQ_OPTIONS_OF(output) | AQ_OPTIONS_OF(table) | CLI_COMMON_OPTIONS,
    .run = run,
};
