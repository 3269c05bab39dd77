/* verify.c - "arrowquant verify". */
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_verify(values->operands[0], &values->set.verify, report, err);
}

const cli_command cli_verify = {
    .name = "verify",
    .summary = "check a file for damage: every checksum and every length",
    .usage = "SRC [OPTIONS]",
    .about =
        "Checks the checksum of every page and the lengths of every row. The exit status is 0 when no damage "
        "was found, and 3 otherwise. With --against, a table of another model is damage too.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant verify model.parquet\n"
        "  arrowquant verify model.parquet --deep --quiet && echo intact\n"
        "  arrowquant verify model.parquet --against ./all-MiniLM-L6-v2\n",
    .operands = {"SRC"},
    .operand_words = {"the table or model to check"},
    .owners = AQ_OPTIONS_OF(verify) | CLI_COMMON_OPTIONS,
    .run = run,
};
