/* validate.c - "arrowquant validate". */
#include "commands.h"

static const cli_option options[] = {
    {.name = "types",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(types),
     .argument = "LIST",
     .help = "types to try, separated by commas (default: int8,int4,int2)"},
    {.name = "output-dir",
     .letter = 'o',
     .kind = CLI_TEXT,
     .field = CLI_FIELD(output_dir),
     .argument = "DIR",
     .help = "folder for the reports (default: validation_results)"},
    {.name = "keep-unsupported",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(keep_unsupported),
     .help = "keep the bytes of tensors whose dtype cannot be read as numbers (F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, "
             "F6_E2M3, F6_E3M2, F4, C64), which are refused otherwise"},
    {.name = "keep-tables",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(keep_tables),
     .help = "leave the tables that were made in DIR, too"},
    {.name = "texts",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(texts_file),
     .argument = "FILE",
     .help = "run the model on these texts: a text a line, or JSONL with a member text (default: built-in texts)"},
    {.name = "labels",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(labels_file),
     .argument = "FILE",
     .help =
         "compare the outputs with labels: lines of TEXT, tab, TEXT, tab, number, which says how alike the two are"},
    {.name = "no-outputs",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(no_outputs),
     .help = "do not run the model, compare weights only"},
    {.name = "folder",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(folder),
     .argument = "DIR",
     .help = "folder of config.json and the tokenizer (default: in the table, or beside the weights)"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};
static const cli_conflict conflicts[] = {
    {"no-outputs", "texts"}, {"no-outputs", "labels"}, {"no-outputs", "folder"}, {NULL, NULL}};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_validate_options o;
  aq_validate_options_init(&o);
  o.run = *run_options;
  o.types = values->types;
  o.output_dir = values->output_dir;
  o.keep_tables = values->keep_tables;
  o.keep_unsupported = values->keep_unsupported;
  o.no_outputs = values->no_outputs;
  o.texts_file = values->texts_file;
  o.labels_file = values->labels_file;
  o.folder = values->folder;
  return aq_validate(values->operands[0], &o, report, err);
}

const cli_command cli_validate = {
    .name = "validate",
    .summary = "quantize a model to several types, measure each, and write a report",
    .usage = "MODEL [OPTIONS]",
    .about =
        "Converts a model, quantizes it to each type, reads the results back, measures them and applies the "
        "acceptance criteria. Writes validation.json and validation_summary.md into DIR. The exit status is 4 when a "
        "criterion fails.\n\n"
        "When the model is a sentence encoder of the BERT family, with its config.json and tokenizer, it is run before "
        "and after, and the embeddings of texts are compared too.\n\n"
        "MODEL is a .safetensors file, a folder with a model, or a weight table in Parquet.",
    .examples =
        "  arrowquant validate ./all-MiniLM-L6-v2\n"
        "  arrowquant validate model.safetensors --types int8,int4 --output-dir results\n"
        "  arrowquant validate ./all-MiniLM-L6-v2 --texts queries.txt --labels pairs.tsv\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to validate"},
    .groups = groups,
    .conflicts = conflicts,
    .run = run,
};
