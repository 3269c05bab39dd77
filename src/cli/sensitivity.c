/* sensitivity.c - "arrowquant sensitivity". */
#include "arrowquant_experimental.h"
#include "commands.h"

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .field = CLI_FIELD(output),
     .argument = "OUT",
     .help = "write the figures there, as JSON (default: nowhere)"},
    {.name = "force", .kind = CLI_FLAG, .field = CLI_FIELD(force), .help = "replace OUT when it exists"},
    {.name = "types",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(types),
     .argument = "LIST",
     .help = "types to try, separated by commas (default: int8,int4,int3,int2)"},
    {.name = "texts",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(texts_file),
     .argument = "FILE",
     .help = "run the model on these texts: a text a line, or JSONL with a member text (default: built-in texts, "
             "others than "
             "those of compare and "
             "validate)"},
    {.name = "folder",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(folder),
     .argument = "DIR",
     .help = "folder of config.json and the tokenizer (default: in the table, or beside the weights)"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_sensitivity_options o;
  aq_sensitivity_options_init(&o);
  o.run = *run_options;
  o.types = values->types;
  o.texts_file = values->texts_file;
  o.folder = values->folder;
  o.output = values->output;
  o.force = values->force;
  return aq_sensitivity(values->operands[0], &o, report, err);
}

const cli_command cli_sensitivity = {
    .name = "sensitivity",
    .summary = "measure what quantizing each tensor alone does to the outputs",
    .usage = "MODEL [-o OUT] [OPTIONS]",
    .about =
        "Quantizes one tensor at a time to each type, with the defaults of that type, runs the model with all others "
        "unchanged, and tells the loss: 1 - mean cosine of the embeddings of texts with those of the unchanged model. "
        "Tensors that lose much are worth more bits. What is chosen by these figures should be judged on other texts, "
        "as compare and validate do.\n\n"
        "MODEL is a sentence encoder of the BERT family that is not quantized, with its config.json and tokenizer: a "
        "folder with a model, its .safetensors file, or a weight table in Parquet.",
    .examples =
        "  arrowquant sensitivity ./all-MiniLM-L6-v2 -o sens.json\n"
        "  arrowquant sensitivity ./all-MiniLM-L6-v2 --types int4,int2 --texts queries.txt\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to study"},
    .groups = groups,
    .run = run,
};
