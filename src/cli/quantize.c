/* quantize.c - "arrowquant quantize". */
#include <string.h>

#include "arrowquant_experimental.h"
#include "commands.h"

static const cli_word types[] = {{"int8", "int8"}, {"int4", "int4"}, {"int3", "int3"},
                                 {"int2", "int2"}, {"fp16", "fp16"}, {"bf16", "bf16"},
                                 {"fp32", "fp32"}, {"auto", "auto"}, {NULL, NULL}};
static const cli_word bits[] = {{"8", "int8"}, {"4", "int4"}, {"3", "int3"}, {"2", "int2"}, {NULL, NULL}};
static const cli_word granularities[] = {
    {"tensor", "tensor"}, {"channel", "channel"}, {"group", "group"}, {NULL, NULL}};
static const cli_word methods[] = {{"minmax", "minmax"}, {"mse", "mse"}, {"gptq", "gptq"}, {NULL, NULL}};
static const cli_word nonfinite[] = {{"refuse", "refuse"}, {"keep", "keep"}, {NULL, NULL}};

static const cli_option output_options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = CLI_TEXT,
     .field = CLI_FIELD(output),
     .argument = "OUT",
     .help = "the table to write; may be left out with --dry-run"},
    {.name = "force", .kind = CLI_FLAG, .field = CLI_FIELD(force), .help = "replace OUT when it exists"},
    {.name = "dry-run",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(dry_run),
     .help = "show what every tensor would become, and by which rule; write no table"},
};
static const cli_group output_group = CLI_GROUP("Options", output_options);

static const cli_option scheme_options[] = {
    {.name = "type",
     .kind = CLI_WORD,
     .field = CLI_FIELD(type),
     .argument = "TYPE",
     .words = types,
     .help = "int8 (default), int4, int3, int2; fp16, bf16, fp32 to store floating-point values; auto (default with a "
             "target): the target chooses"},
    {.name = "bits",
     .kind = CLI_WORD,
     .field = CLI_FIELD(type),
     .argument = "N",
     .words = bits,
     .help = "8, 4, 3 or 2: another way to write --type int8, ..."},
    {.name = "per",
     .kind = CLI_WORD,
     .field = CLI_FIELD(granularity),
     .argument = "WHAT",
     .words = granularities,
     .help = "one scale per tensor, channel or group (default: channel for int8, group for the others)"},
    {.name = "group-size",
     .kind = CLI_UINT,
     .field = CLI_FIELD(group_size),
     .argument = "N",
     .least = 1,
     .most = 2147483647,
     .help = "values in a group (default: 64)"},
    {.name = "sym",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(symmetric),
     .help = "symmetric: zero points are 0 (default for int8)"},
    {.name = "asym",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(asymmetric),
     .help = "asymmetric: a zero point for every scale (default for int4, int3, int2)"},
    {.name = "method",
     .kind = CLI_WORD,
     .field = CLI_FIELD(method),
     .argument = "NAME",
     .words = methods,
     .help =
         "minmax: scales from the range of the values (default for int8); mse: scales that make the squared error "
         "small (default for the others); gptq: the same, and rounding that keeps the outputs of layers close on texts "
         "(--calib)"},
};
static const cli_group scheme_group = CLI_GROUP("What weights become", scheme_options);

static const cli_option target_options[] = {
    {.name = "target-size",
     .kind = CLI_SIZE,
     .field = CLI_FIELD(target_size),
     .argument = "SIZE",
     .help = "the best file of at most SIZE, all of it counted (9MB); chooses type, groups and scales of every tensor"},
    {.name = "target-bpw",
     .kind = CLI_REAL,
     .field = CLI_FIELD(target_bpw),
     .argument = "BITS",
     .least = 0.1,
     .most = 32,
     .help = "the best file with at most BITS bits a quantized weight on disk, scales and page headers counted"},
    {.name = "min-similarity",
     .kind = CLI_REAL,
     .field = CLI_FIELD(min_similarity),
     .argument = "X",
     .least = 0.01,
     .most = 0.999999,
     .help = "the smallest file whose embeddings have a mean cosine of at least X to the original's (0.99)"},
    {.name = "calib",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(calib),
     .argument = "WHAT",
     .help =
         "texts that show what matters: builtin (default for a model that can be run), a file with a text a line or "
         "JSONL with a member text, or none: go by the tensors alone"},
    {.name = "stats",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(stats),
     .argument = "FILE",
     .help = "statistics that --save-stats wrote, instead of gathering them"},
    {.name = "save-stats",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(save_stats),
     .argument = "FILE",
     .help = "write the statistics of the texts there, for another run of this model"},
    {.name = "tune",
     .kind = CLI_REAL,
     .field = CLI_FIELD(tune_seconds),
     .argument = "SECONDS",
     .least = 1,
     .most = 1e6,
     .alone = 300,
     .help = "after that, improve codes and scales by gradient descent for so long (--tune alone: 300)"},
    {.name = "tune-from",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(tune_from),
     .argument = "TABLE",
     .help = "tune this table of the model further instead of searching"},
};
static const cli_group target_group = CLI_GROUP("Targets", target_options);

static const cli_option tensor_options[] = {
    {.name = "tensor",
     .kind = CLI_LIST,
     .field = CLI_FIELD(tensor_rules),
     .argument = "PATTERN=SPEC",
     .help = "other settings for the tensors that match PATTERN; may be repeated, later ones win. SPEC: a list such as "
             "int4,per=group,group=32,asym,method=mse, or keep"},
    {.name = "keep",
     .kind = CLI_LIST,
     .field = CLI_FIELD(keep_patterns),
     .argument = "PATTERN",
     .help = "leave the tensors that match PATTERN as they are; may be repeated"},
    {.name = "ignore",
     .kind = CLI_LIST,
     .field = CLI_FIELD(keep_patterns),
     .argument = "PATTERN",
     .help = "another name of --keep"},
    {.name = "keep-unsupported",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(keep_unsupported),
     .help = "keep the bytes of tensors whose dtype cannot be read as numbers (F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, "
             "F6_E2M3, F6_E3M2, F4, C64), which are refused otherwise"},
    {.name = "quantize-1d",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(quantize_1d),
     .help = "quantize 1-D and small tensors too (biases, norms), which are kept otherwise"},
    {.name = "nonfinite",
     .kind = CLI_WORD,
     .field = CLI_FIELD(nonfinite),
     .argument = "WHAT",
     .words = nonfinite,
     .help = "a tensor with NaN or infinite values: refuse (default) or keep it as it is"},
    {.name = "allow-requantize",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(allow_requantize),
     .help = "take a source that is quantized already; its error adds up"},
    {.name = "strict",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(strict),
     .help = "exit with status 5 when a matrix was kept that no rule of yours keeps"},
};
static const cli_group tensor_group = CLI_GROUP("Which tensors", tensor_options);

static const cli_option plan_options[] = {
    {.name = "plan",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(plan),
     .argument = "FILE",
     .help = "do what this plan says for every tensor, instead of the options above"},
    {.name = "save-plan",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(save_plan),
     .argument = "FILE",
     .help = "write the plan there, as JSON that can be edited"},
};
static const cli_group plan_group = CLI_GROUP("Plans", plan_options);

static const cli_group *const groups[] = {&output_group, &scheme_group,    &target_group,     &tensor_group,
                                          &plan_group,   &cli_table_group, &cli_common_group, NULL};

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

static aq_status run(const cli_values *values, const aq_run_options *run_options, aq_report **report, aq_error *err) {
  aq_quantize_options o;
  aq_search_options search;
  aq_quantize_options_init(&o);
  aq_search_options_init(&search);
  o.run = *run_options;
  o.table = cli_table_options(values);
  o.type = values->type;
  o.granularity = values->granularity;
  o.group_size = values->group_size;
  if (values->symmetric) o.symmetry = AQ_SYMMETRIC;
  if (values->asymmetric) o.symmetry = AQ_ASYMMETRIC;
  o.method = values->method;
  if (values->nonfinite != NULL && strcmp(values->nonfinite, "keep") == 0) o.nonfinite = AQ_NONFINITE_KEEP;
  o.quantize_1d = values->quantize_1d;
  o.allow_requantize = values->allow_requantize;
  o.strict = values->strict;
  o.dry_run = values->dry_run;
  o.tensor_rules = values->tensor_rules.items;
  o.tensor_rule_count = values->tensor_rules.count;
  o.keep_patterns = values->keep_patterns.items;
  o.keep_pattern_count = values->keep_patterns.count;
  o.plan_path = values->plan;
  o.save_plan_path = values->save_plan;
  o.target_size = values->target_size;
  o.target_bpw = values->target_bpw;
  o.min_similarity = values->min_similarity;
  o.calib = values->calib;
  o.search = &search;
  search.stats_path = values->stats;
  search.save_stats_path = values->save_stats;
  search.tune_seconds = values->tune_seconds;
  search.tune_from = values->tune_from;
  o.keep_unsupported = values->keep_unsupported;
  return aq_quantize(values->operands[0], values->output, &o, report, err);
}

const cli_command cli_quantize = {
    .name = "quantize",
    .summary = "shrink the weights of a model to int8, int4, int3 or int2",
    .usage = "SRC -o OUT [OPTIONS]",
    .about =
        "Quantizes the weights of a model and writes them as a Parquet table (schema V2). Every tensor of the source "
        "is in the result: what is not quantized is kept as it is.\n\n" CLI_SOURCE_HELP
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
    .groups = groups,
    .conflicts = conflicts,
    .takes_output = true,
    .run = run,
};
