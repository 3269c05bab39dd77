/* generate.c - "arrowquant generate". */
#include <stdio.h>

#include "arrowquant_experimental.h"
#include "commands.h"
#include "output.h"
#include "progress.h"

static aq_status write_piece(void *ctx, const void *bytes, size_t size, aq_error *err) {
  (void)ctx;
  (void)cli_print_bytes(bytes, size); /* a failure stays in the stream */
  return cli_flush_output(err) ? AQ_OK : err->code;
}

static void print_note(void *ctx, const char *text) {
  const cli_values *values = ctx;
  if (!values->set.command.quiet) (void)fprintf(stderr, "arrowquant: note: %s\n", text);
}

static aq_status run(const cli_values *values, aq_report **report, aq_error *err) {
  aq_generate_options o = values->set.generate;
  if (o.prompt == NULL) {
    return cli_usage_error(err, "Add --prompt 'Once upon a time'", "a --prompt is needed");
  }
  if (values->set.command.json) return aq_generate(values->operands[0], &o, report, err);
  ((cli_progress *)o.run.progress_ctx)->enabled = false; /* the text is the progress */
  o.write = write_piece;
  o.note = print_note;
  o.note_ctx = (void *)values;
  aq_status status = aq_generate(values->operands[0], &o, NULL, err);
  if (status == AQ_OK) status = write_piece(NULL, "\n", 1, err);
  return status;
}

const cli_command cli_generate = {
    .name = "generate",
    .summary = "continue a prompt with a language model",
    .usage = "MODEL --prompt TEXT [OPTIONS]",
    .about =
        "Runs a decoder and prints the text that follows the prompt, as it is made. The prompt goes to the model as it "
        "is: a chat template is not applied. The text ends where the model ends it, before a --stop, or after "
        "--max-tokens. Without a --temperature the likeliest token follows each time.\n\n"
        "MODEL is a folder with a model, its file (safetensors, PyTorch, GGUF or ONNX), or a weight table in Parquet, "
        "quantized or not; it is "
        "computed in FP32, or with --compute int8 in codes.",
    .examples =
        "  arrowquant generate smollm2-int4.parquet --prompt 'The capital of France is' --max-tokens 20\n"
        "  arrowquant generate ./SmolLM2-135M --prompt 'Once upon a time' --temperature 0.8 --seed 1\n",
    .operands = {"MODEL"},
    .operand_words = {"the language model to run"},
    .owners = AQ_OPTIONS_OF(generate) | CLI_COMMON_OPTIONS,
    .run = run,
};
