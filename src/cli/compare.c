/* compare.c - "arrowquant compare". */
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_compare(values->operands[0], values->operands[1], &values->set.compare, report, err);
}

const cli_command cli_compare = {
    .name = "compare",
    .summary = "measure how well the weights of two models or tables agree",
    .usage = "REFERENCE OTHER [OPTIONS]",
    .about =
        "Measures for every tensor, and for all of them together, how well OTHER agrees with REFERENCE: cosine, "
        "signal-to-noise ratio, RMSE and the largest error. Both must hold the same tensors; quantized ones are "
        "dequantized.\n\n"
        "With --outputs, both are run. Of sentence encoders of the BERT family the embeddings of texts are compared: "
        "the cosines, overlap@10 (nearest neighbours that both have), and the rank correlation of all similarities. Of "
        "language models of the Llama family the predictions of the next token are compared: both perplexities, the KL "
        "divergence in nats per token, and how often both have the same first choice; a noise floor says what rounding "
        "the weights of REFERENCE to BF16 would do. Either needs config.json and the tokenizer.\n\n"
        "Each is a folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a weight table in Parquet.",
    .examples =
        "  arrowquant compare model.safetensors model.parquet\n"
        "  arrowquant compare model.safetensors model.parquet --min-cosine 0.99 --quiet\n"
        "  arrowquant compare ./all-MiniLM-L6-v2 model.parquet --outputs --labels pairs.tsv\n"
        "  arrowquant compare ./SmolLM2-135M model.parquet --texts wiki.txt --max-kl 0.05\n",
    .operands = {"REFERENCE", "OTHER"},
    .operand_words = {"the model to compare with", "the model or table to judge"},
    .owners = AQ_OPTIONS_OF(compare) | CLI_COMMON_OPTIONS,
    .run = run,
};
