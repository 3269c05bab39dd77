/* validate.c - "arrowquant validate". */
#include "commands.h"

static const cli_conflict conflicts[] = {
    {"no-outputs", "texts"},   {"no-outputs", "labels"}, {"no-outputs", "folder"},           {"no-outputs", "context"},
    {"no-outputs", "windows"}, {"no-outputs", "max-kl"}, {"no-outputs", "max-ppl-increase"}, {NULL, NULL}};

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_validate(values->operands[0], &values->set.validate, report, err);
}

const cli_command cli_validate = {
    .name = "validate",
    .summary = "quantize a model to several types, measure each, and write a report",
    .usage = "MODEL [OPTIONS]",
    .about =
        "Converts a model, quantizes it to each type, reads the results back, measures them and applies the "
        "acceptance criteria. Writes validation.json and validation_summary.md into DIR. The exit status is 4 when a "
        "criterion fails.\n\n"
        "When the model is a sentence encoder of the BERT family or a language model of the Llama family, with its "
        "config.json and tokenizer, it is run before and after quantization, and the embeddings or the predictions of "
        "the next token are compared too, as compare does with --outputs.\n\n"
        "MODEL is a folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a weight table in Parquet.",
    .examples =
        "  arrowquant validate ./all-MiniLM-L6-v2\n"
        "  arrowquant validate model.safetensors --types int8,int4 --output-dir results\n"
        "  arrowquant validate ./all-MiniLM-L6-v2 --texts queries.txt --labels pairs.tsv\n"
        "  arrowquant validate ./SmolLM2-135M --types int8,int4 --texts wiki.txt --max-ppl-increase 5\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to validate"},
    .owners = AQ_OPTIONS_OF(validate) | CLI_COMMON_OPTIONS,
    .conflicts = conflicts,
    .run = run,
};
