/* export.c - "arrowquant export". */
#include "commands.h"

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_export(values->operands[0], values->set.output.output, &values->set.export, report, err);
}

const cli_command cli_export = {
    .name = "export",
    .summary = "write the tensors of a table for other programs, dequantized or as codes",
    .usage = "SRC -o OUT [OPTIONS]",
    .about =
        "Writes every tensor of a table or model into another format. Quantized tensors are dequantized, or their "
        "codes "
        "are taken over where the format has codes; tied tensors become tensors of their own "
        "again.\n\n" CLI_SOURCE_HELP,
    .examples =
        "  arrowquant export model.parquet -o restored.safetensors\n"
        "  arrowquant export model.parquet -o half.safetensors --dtype fp16\n"
        "  arrowquant export model.parquet -o folder --dtype bf16\n"
        "  arrowquant export model.parquet -o folder --to compressed-tensors\n"
        "  arrowquant export model.parquet -o folder --to gptq\n"
        "  arrowquant export model.parquet -o folder --to mlx\n"
        "  arrowquant export model.parquet -o model.gguf --to gguf\n"
        "  arrowquant export model.parquet -o folder --to onnx\n",
    .operands = {"SRC"},
    .operand_words = {"the table to read"},
    .owners = AQ_OPTIONS_OF(export) | AQ_OPTIONS_OF(output) | CLI_COMMON_OPTIONS,
    .run = run,
};
