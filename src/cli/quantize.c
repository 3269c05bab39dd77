/* quantize.c - "arrowquant quantize". */
#include <string.h>

#include "arrowquant_experimental.h"
#include "commands.h"

/* A plan is complete: next to it these would do nothing. */
static const cli_conflict conflicts[] = {{"sym", "asym"},
                                         {"type", "bits"},
                                         {"plan", "type"},
                                         {"plan", "bits"},
                                         {"plan", "per"},
                                         {"plan", "group-size"},
                                         {"plan", "sym"},
                                         {"plan", "asym"},
                                         {"plan", "method"},
                                         {"plan", "tensor"},
                                         {"plan", "keep"},
                                         {"plan", "ignore"},
                                         {"plan", "quantize-1d"},
                                         {"plan", "keep-unsupported"},
                                         {"target-size", "target-bpw"},
                                         {"target-size", "min-similarity"},
                                         {"target-bpw", "min-similarity"},
                                         {"bits", "target-size"},
                                         {"bits", "target-bpw"},
                                         {"bits", "min-similarity"},
                                         {"stats", "save-stats"},
                                         {NULL, NULL}};

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  return aq_quantize(values->operands[0], values->set.output.output, &values->set.quantize, report, err);
}

const cli_command cli_quantize = {
    .name = "quantize",
    .summary = "shrink the weights of a model to int8, int4, int3 or int2",
    .usage = "SRC -o OUT [OPTIONS]",
    .about =
        "Quantizes the weights of a model and writes them as a Parquet table (schema V2). Every tensor of the source "
        "is in the result: a tensor that is not quantized keeps its values.\n\n" CLI_SOURCE_HELP
        "\n\n"
        "PATTERN is an exact tensor name, a glob over the whole name (* ? [...]), or re:REGEX (POSIX extended, "
        "anywhere in the name). A pattern that matches no tensor is an error.",
    .examples =
        "  arrowquant quantize model.safetensors -o model.parquet --type int4\n"
        "  arrowquant quantize model.safetensors --dry-run --type int2 --tensor '*.query.weight=int8'\n"
        "  arrowquant quantize ./my-model -o m.parquet --bits 4 --group-size 32 --keep 're:embeddings'\n"
        "  arrowquant quantize ./my-model -o m.parquet --target-size 9MB\n"
        "  arrowquant quantize ./my-model -o m.parquet --min-similarity 0.99 --calib my-texts.txt\n",
    .operands = {"SRC"},
    .operand_words = {"the model to read"},
    .owners = AQ_OPTIONS_OF(quantize) | AQ_OPTIONS_OF(search) | AQ_OPTIONS_OF(output) | AQ_OPTIONS_OF(table) |
              CLI_COMMON_OPTIONS,
    .conflicts = conflicts,
    .run = run,
};
