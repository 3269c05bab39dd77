/* embed.c - "arrowquant embed". */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"

static const cli_word computes[] = {{"fp32", "fp32"}, {"int8", "int8"}, {NULL, NULL}};

static const cli_option options[] = {
    {.name = "text",
     .kind = CLI_LIST,
     .field = CLI_FIELD(texts),
     .argument = "TEXT",
     .may_be_empty = true,
     .help = "a text; may be repeated"},
    {.name = "input",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(input),
     .argument = "FILE",
     .help = "a file with a text a line, or JSONL; - is standard input, which is read when there is no --text either"},
    {.name = "field",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(field),
     .argument = "NAME",
     .help = "lines of the input are JSON objects, and their member NAME is the text (default for .jsonl, .ndjson and "
             ".json: text)"},
    {.name = "prompt",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(prompt),
     .argument = "WORDS",
     .may_be_empty = true,
     .help = "put WORDS before every text ('query: ')"},
    {.name = "prompt-name",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(prompt_name),
     .argument = "NAME",
     .help = "put there what the model has under NAME (default: what the model says, most often nothing)"},
    {.name = "no-prompt",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(no_prompt),
     .help = "put nothing there, whatever the model says"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .field = CLI_FIELD(output),
     .argument = "OUT",
     .help = "OUT.npy: an array for NumPy; OUT.parquet: a table with the columns text and embedding; any other name: "
             "JSONL (default: JSONL on standard output)"},
    {.name = "force", .kind = CLI_FLAG, .field = CLI_FIELD(force), .help = "replace OUT when it exists"},
    {.name = "compute",
     .kind = CLI_WORD,
     .field = CLI_FIELD(compute),
     .argument = "HOW",
     .words = computes,
     .help = "fp32 (default) or int8: several times faster, vectors agree to about 0.998"},
    {.name = "max-length",
     .kind = CLI_UINT,
     .field = CLI_FIELD(max_length),
     .argument = "N",
     .least = 2,
     .most = 1048576,
     .help = "use at most N tokens of a text (default: what the model's files say)"},
    {.name = "normalize",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(normalize),
     .help = "make every vector's length 1, even when the model does not"},
    {.name = "folder",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(folder),
     .argument = "DIR",
     .help = "take config.json and the tokenizer from DIR (default: from the table, or beside the weights)"},
};
static const cli_group own_group = CLI_GROUP("Options", options);
static const cli_group *const groups[] = {&own_group, &cli_common_group, NULL};

static aq_status write_line(void *ctx, const void *bytes, size_t size, aq_error *err) {
  (void)ctx;
  if (fwrite(bytes, 1, size, stdout) == size || cli_flush_output(err)) return AQ_OK;
  return err->code;
}

static void print_note(void *ctx, const char *text) {
  const cli_values *values = ctx;
  if (!values->quiet) (void)fprintf(stderr, "arrowquant: note: %s\n", text);
}

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  const bool to_stdout = values->output == NULL || strcmp(values->output, "-") == 0;
  if (to_stdout && values->json) {
    return cli_usage_error(err, "Name an --output", "--json prints a report where the vectors would go");
  }
  if ((values->prompt != NULL) + (values->prompt_name != NULL) + values->no_prompt > 1) {
    return cli_usage_error(err, "Give one of them",
                           "--prompt, --prompt-name and --no-prompt all say what goes before a text");
  }
  aq_embed_options o;
  aq_embed_options_init(&o);
  o.run = *run_options;
  o.compute = values->compute;
  o.folder = values->folder;
  o.max_tokens = values->max_length;
  o.normalize = values->normalize;
  o.texts.texts = values->texts.items;
  o.texts.count = values->texts.count;
  o.input = values->input != NULL || values->texts.count > 0 ? values->input : "-";
  o.field = values->field;
  o.prompt = values->no_prompt ? "" : values->prompt;
  o.prompt_name = values->prompt_name;
  o.output = to_stdout ? NULL : values->output;
  o.force = values->force;
  o.write = write_line;
  o.note = print_note;
  o.note_ctx = (void *)values;
  const aq_status status = aq_embed(values->operands[0], &o, to_stdout ? NULL : report, err);
  return status != AQ_OK || cli_flush_output(err) ? status : err->code;
}

const cli_command cli_embed = {
    .name = "embed",
    .summary = "turn texts into vectors, straight from a model or a table",
    .usage = "MODEL [--text TEXT]... [--input FILE] [-o OUT] [OPTIONS]",
    .about =
        "Runs a sentence encoder of the BERT family and writes one vector a text, as sentence-transformers would from "
        "the same weights. A line of JSONL is {\"text\": ..., \"embedding\": [...]}.\n\n"
        "MODEL is a folder with a model, its .safetensors file, or a weight table in Parquet, quantized or not. A "
        "table "
        "that was made from a folder holds the configuration and the tokenizer and is enough by itself.",
    .examples =
        "  arrowquant embed model.parquet --text 'A cat sits outside.'\n"
        "  arrowquant embed ./all-MiniLM-L6-v2 --input texts.txt -o vectors.npy --compute int8\n"
        "  zcat corpus.jsonl.gz | arrowquant embed model.parquet --field body > vectors.jsonl\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to run"},
    .groups = groups,
    .run = run,
};
