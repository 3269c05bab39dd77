/* info.c - "arrowquant info". */
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_info(values->operands[0], &values->set.info, report, err);
}

const cli_command cli_info = {
    .name = "info",
    .summary = "show what is inside: tensors, types, sizes, bits per weight, metadata",
    .usage = "SRC [OPTIONS]",
    .about =
        "Shows the tensors of a model or table with their types and sizes, the bits per weight, and the metadata of "
        "the file. Values are not read.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant info model.parquet\n"
        "  arrowquant info model.safetensors --json\n",
    .operands = {"SRC"},
    .operand_words = {"the model or table to describe"},
    .owners = AQ_OPTIONS_OF(info) | CLI_COMMON_OPTIONS,
    .run = run,
};
