/* embed.c - "arrowquant embed". */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"

static aq_status write_line(void *ctx, const void *bytes, size_t size, aq_error *err) {
  (void)ctx;
  if (cli_print_bytes(bytes, size) || cli_flush_output(err)) return AQ_OK;
  return err->code;
}

static void print_note(void *ctx, const char *text) {
  const cli_values *values = ctx;
  if (!values->set.command.quiet) (void)fprintf(stderr, "arrowquant: note: %s\n", text);
}

static const cli_conflict conflicts[] = {
    {"prompt", "prompt-name"}, {"prompt", "no-prompt"}, {"prompt-name", "no-prompt"}, {NULL, NULL}};

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  aq_embed_options o = values->set.embed;
  const bool to_stdout = o.output == NULL || strcmp(o.output, "-") == 0;
  if (to_stdout && values->set.command.json) {
    return cli_usage_error(err, "Name an --output",
                           "--json prints the report on standard output, where the vectors would be written");
  }
  if (o.input == NULL && o.texts.count == 0) o.input = "-";
  if (to_stdout) o.output = NULL;
  o.write = write_line;
  o.note = print_note;
  o.note_ctx = (void *)values;
  const aq_status status = aq_embed(values->operands[0], &o, to_stdout ? NULL : report, err);
  return status != AQ_OK || cli_flush_output(err) ? status : err->code;
}

const cli_command cli_embed = {
    .name = "embed",
    .summary = "compute the embeddings of texts, from a model or a table",
    .usage = "MODEL [--text TEXT]... [--input FILE] [-o OUT] [OPTIONS]",
    .about =
        "Runs a sentence encoder of the BERT family, or static embeddings, and writes one vector per text, as "
        "sentence-transformers would compute it from the same weights. A line of JSONL is {\"text\": ..., "
        "\"embedding\": [...]}.\n\n"
        "MODEL is a folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a weight table in Parquet, "
        "quantized or not. A "
        "table that was made from a folder contains the configuration and the tokenizer, and needs nothing else.",
    .examples =
        "  arrowquant embed model.parquet --text 'A cat sits outside.'\n"
        "  arrowquant embed ./all-MiniLM-L6-v2 --input texts.txt -o vectors.npy --compute int8\n"
        "  zcat corpus.jsonl.gz | arrowquant embed model.parquet --field body > vectors.jsonl\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to run"},
    .owners = AQ_OPTIONS_OF(embed) | CLI_COMMON_OPTIONS,
    .conflicts = conflicts,
    .run = run,
};
