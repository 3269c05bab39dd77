/* sensitivity.c - "arrowquant sensitivity". */
#include "arrowquant_experimental.h"
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_sensitivity(values->operands[0], &values->set.sensitivity, report, err);
}

const cli_command cli_sensitivity = {
    .name = "sensitivity",
    .summary = "measure what quantizing each tensor alone does to the outputs",
    .usage = "MODEL [-o OUT] [OPTIONS]",
    .about =
        "Quantizes one tensor at a time to each type, with the defaults of that type, runs the model with all others "
        "unchanged, and reports the loss: 1 - mean cosine of the embeddings with those of the unchanged model. Tensors "
        "with a large loss should get more bits. Evaluate such a choice on other texts, as compare and validate do.\n\n"
        "MODEL is a sentence encoder of the BERT family that is not quantized, with its config.json and tokenizer: a "
        "folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a weight table in Parquet.",
    .examples =
        "  arrowquant sensitivity ./all-MiniLM-L6-v2 -o sens.json\n"
        "  arrowquant sensitivity ./all-MiniLM-L6-v2 --types int4,int2 --texts queries.txt\n",
    .operands = {"MODEL"},
    .operand_words = {"the model to measure"},
    .owners = AQ_OPTIONS_OF(sensitivity) | CLI_COMMON_OPTIONS,
    .run = run,
};
