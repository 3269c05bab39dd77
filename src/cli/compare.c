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
    {.name = "outputs",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(outputs),
     .help = "run both as well, and compare their embeddings of texts"},
    {.name = "texts",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(texts_file),
     .argument = "FILE",
     .help = "run both on these texts: a text a line, or JSONL with a member text (default: built-in texts)"},
    {.name = "labels",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(labels_file),
     .argument = "FILE",
     .help = "compare both with labels: lines of TEXT, tab, TEXT, tab, number, which says how alike the two are"},
    {.name = "folder",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(folder),
     .argument = "DIR",
     .help = "folder of config.json and the tokenizer of both (default: in the table, or beside the weights)"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_compare_options o;
  aq_compare_options_init(&o);
  o.run = *run_options;
  o.min_cosine = values->min_cosine;
  o.outputs = values->outputs;
  o.texts_file = values->texts_file;
  o.labels_file = values->labels_file;
  o.folder = values->folder;
  return aq_compare(values->operands[0], values->operands[1], &o, report, err);
}

const cli_command cli_compare = {
    .name = "compare",
    .summary = "measure how far the weights of two models or tables are apart",
    .usage = "REFERENCE OTHER [OPTIONS]",
    .about =
        "Measures for every tensor, and for all of them together, how well OTHER agrees with REFERENCE: cosine, "
        "signal-to-noise ratio, RMSE and the largest error. Both must hold the same tensors; quantized ones are "
        "dequantized. With --outputs, both are run, and the embeddings of texts are compared: their cosines, whether "
        "the nearest neighbours stay, and whether all similarities keep their order. That takes a sentence encoder of "
        "the BERT family, with its config.json and tokenizer.\n\n"
        "Each is a .safetensors file, a folder with a model, or a weight table in Parquet.",
    .examples =
        "  arrowquant compare model.safetensors model.parquet\n"
        "  arrowquant compare model.safetensors model.parquet --min-cosine 0.99 --quiet\n"
        "  arrowquant compare ./all-MiniLM-L6-v2 model.parquet --outputs --labels pairs.tsv\n",
    .operands = {"REFERENCE", "OTHER"},
    .operand_words = {"the model to compare with", "the model or table to judge"},
    .groups = groups,
    .run = run,
};
