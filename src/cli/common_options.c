/* common_options.c - options that several commands share. */
#include "commands.h"

static const cli_option common_options[] = {
    {.name = "threads",
     .letter = 't',
     .kind = CLI_UINT,
     .field = CLI_FIELD(threads),
     .argument = "N",
     .least = 1,
     .most = 1024,
     .help = "threads to use (default: the CPUs this process may use); the result does not depend on it"},
    {.name = "max-memory",
     .kind = CLI_SIZE,
     .field = CLI_FIELD(max_memory),
     .argument = "SIZE",
     .help = "limit of the working memory (default: none); a job that needs more fails and says so"},
    {.name = "json",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(json),
     .help = "print one JSON document on standard output, and nothing else there"},
    {.name = "quiet", .letter = 'q', .kind = CLI_FLAG, .field = CLI_FIELD(quiet), .help = "print errors only"},
    {.name = "no-progress",
     .kind = CLI_FLAG,
     .field = CLI_FIELD(no_progress),
     .help = "no progress line (it appears only when standard error is a terminal)"},
    {.name = "log-file",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(log_file),
     .argument = "FILE",
     .help = "append to FILE what was run, the report, and how it ended"},
    {.name = "help", .letter = 'h', .kind = CLI_FLAG, .field = CLI_FIELD(help), .help = "show this help"},
};
const cli_group cli_common_group = CLI_GROUP("Common options", common_options);

static const cli_option table_options[] = {
    {.name = "codec",
     .kind = CLI_TEXT,
     .field = CLI_FIELD(codec),
     .argument = "CODEC",
     .help =
         "auto (zstd where it saves at least 3 %, default), none, zstd, zstd:LEVEL, brotli (smallest), lz4 or snappy"},
    {.name = "row-group-size",
     .kind = CLI_SIZE,
     .field = CLI_FIELD(row_group_bytes),
     .argument = "SIZE",
     .help = "close a row group when its bytes pass SIZE (default: 64MiB)"},
    {.name = "part-size",
     .kind = CLI_SIZE,
     .field = CLI_FIELD(part_bytes),
     .argument = "SIZE",
     .help = "write a tensor of more FP32 bytes than SIZE as several rows (default: 1GiB)"},
};
const cli_group cli_table_group = CLI_GROUP("Options of the table", table_options);

aq_table_options cli_table_options(const cli_values *values) {
  const aq_table_options table = {
      .codec = values->codec,
      .row_group_bytes = values->row_group_bytes,
      .part_bytes = values->part_bytes,
      .force = values->force,
  };
  return table;
}
