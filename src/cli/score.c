/* score.c - "arrowquant score". */
#include <stdio.h>

#include "arrowquant_experimental.h"
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

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  aq_score_options o = values->set.score;
  if (o.query == NULL && o.texts.count > 0) {
    return cli_usage_error(err, "Add --query 'What is a cat?', or read pairs with --input",
                           "a --text is scored beside a --query");
  }
  if (o.input == NULL && o.texts.count == 0) o.input = "-";
  o.note = print_note;
  o.note_ctx = (void *)values;
  if (values->set.command.json) return aq_score(values->operands[0], &o, report, err);
  o.write = write_line;
  const aq_status status = aq_score(values->operands[0], &o, NULL, err);
  return status != AQ_OK || cli_flush_output(err) ? status : err->code;
}

const cli_command cli_score = {
    .name = "score",
    .summary = "score pairs of texts with a cross-encoder or classifier",
    .usage = "MODEL [--query TEXT] [--text TEXT]... [--input FILE] [OPTIONS]",
    .about =
        "Runs an encoder of the BERT family with its head for the classification of sequences, and prints a line for "
        "each pair: the score that sentence-transformers' CrossEncoder gives it, or with several labels those of all, "
        "with tabs between. A pair is a line of the input: the query, a tab and the text, or JSON: "
        "{\"query\": ..., \"text\": ...} or a list of the two. With --query each line, and each --text, is a text "
        "beside this query.\n\n"
        "MODEL is a folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a weight table in Parquet, "
        "quantized or not. A table that was made from a folder contains the configuration and the tokenizer, and needs "
        "nothing else.",
    .examples =
        "  arrowquant score reranker.parquet --query 'a cat' --text 'It purrs.' --text 'It rains.'\n"
        "  arrowquant score ./ms-marco-MiniLM-L6-v2 --input pairs.tsv --compute int8\n"
        "  arrowquant score reranker.parquet --input pairs.jsonl --raw --json > scores.json\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to run"},
    .owners = AQ_OPTIONS_OF(score) | CLI_COMMON_OPTIONS,
    .run = run,
};
