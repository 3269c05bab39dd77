/* verify.c - "arrowquant verify". */
#include "commands.h"

static const cli_option options[] = {
    {.name = "deep", .kind = CLI_FLAG, .field = CLI_FIELD(deep), .help = "decode every value as well"},
    {.name = "against",
     .argument = "MODEL",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(against),
     .help = "and whether SRC is a table of MODEL: its tensors and shapes, and the bytes of those that are kept"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_verify_options o;
  aq_verify_options_init(&o);
  o.run = *run_options;
  o.deep = values->deep;
  o.against = values->against;
  return aq_verify(values->operands[0], &o, report, err);
}

const cli_command cli_verify = {
    .name = "verify",
    .summary = "check a file for damage: every checksum and every length",
    .usage = "SRC [OPTIONS]",
    .about =
        "Checks the checksum of every page and the lengths of every row. The exit status is 0 only when all is well, "
        "and 3 when something is damaged, or with --against is not the model's.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant verify model.parquet\n"
        "  arrowquant verify model.parquet --deep --quiet && echo sound\n"
        "  arrowquant verify model.parquet --against ./all-MiniLM-L6-v2\n",
    .operands = {"SRC"},
    .operand_words = {"the table or model to check"},
    .groups = groups,
    .run = run,
};
