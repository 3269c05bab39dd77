/* perplexity.c - "arrowquant perplexity". */
#include "arrowquant_experimental.h"
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_perplexity(values->operands[0], &values->set.perplexity, report, err);
}

const cli_command cli_perplexity = {
    .name = "perplexity",
    .summary = "measure how well a language model predicts a text, and how far it is from its reference",
    .usage = "MODEL [--against REFERENCE] [OPTIONS]",
    .about =
        "Runs a decoder over windows of a text and prints its perplexity with the standard error. The second half of "
        "each window counts, so that every prediction has at least half a window in front of it. With --against the "
        "reference runs on the same windows, and the predictions are compared: the KL divergence in nats per token "
        "(mean, percentiles, and by how sure the reference is), and the share of positions where both models have the "
        "same first choice.\n\n"
        "MODEL and REFERENCE are each a folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a "
        "weight "
        "table in Parquet, quantized or not. Both are computed in FP32, MODEL in codes with --compute int8; the "
        "tokenizer is that of "
        "MODEL.",
    .examples =
        "  arrowquant perplexity ./SmolLM2-135M --texts wiki.txt\n"
        "  arrowquant perplexity smollm2-int4.parquet --against ./SmolLM2-135M --texts wiki.txt --windows 40\n",
    .operands = {"MODEL"},
    .operand_words = {"the language model to measure"},
    .owners = AQ_OPTIONS_OF(perplexity) | CLI_COMMON_OPTIONS,
    .run = run,
};
