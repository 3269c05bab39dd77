/* main.c - the command "arrowquant": finds the command in a table and runs it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "exit.h"
#include "fields.h"
#include "help.h"
#include "logfile.h"
#include "output.h"
#include "progress.h"
#include "signals.h"
#include "suggest.h"

static const cli_command *const commands[] = {
    &cli_convert,  &cli_quantize, &cli_info,  &cli_verify,      &cli_compare,    &cli_validate, &cli_export,
    &cli_tokenize, &cli_embed,    &cli_score, &cli_sensitivity, &cli_perplexity, &cli_generate, NULL};

static const cli_command *find_command(const char *name) {
  for (const cli_command *const *c = commands; *c != NULL; c++) {
    if (strcmp((*c)->name, name) == 0) return *c;
  }
  return NULL;
}

static int unknown_command(const char *name) {
  aq_error err;
  char hint[128] = "'arrowquant --help' lists the commands";
  cli_suggestion near;
  cli_suggest_begin(&near, name);
  for (const cli_command *const *c = commands; *c != NULL; c++) cli_suggest_try(&near, (*c)->name);
  if (near.best != NULL) (void)snprintf(hint, sizeof hint, "Did you mean '%s'?", near.best);
  if (name[0] == '-') {
    (void)cli_usage_error(&err, "Usage: arrowquant COMMAND [ARGUMENTS]", "a command is expected first, not '%s'", name);
  } else {
    (void)cli_usage_error(&err, hint, "there is no command '%s'", name);
  }
  cli_print_error(&err);
  return CLI_EXIT_USAGE;
}

/* Help and version: a lost output is the only thing that can go wrong. */
static int finish_text(void) {
  aq_error err;
  if (cli_flush_output(&err)) return CLI_EXIT_DONE;
  cli_print_error(&err);
  return cli_exit_status(err.code);
}

static int show_help(const char *name) {
  const cli_command *command = name != NULL ? find_command(name) : NULL;
  if (name != NULL && command == NULL) return unknown_command(name);
  if (command != NULL) {
    cli_help_command(stdout, command);
  } else {
    cli_help_overview(stdout, commands, true);
  }
  return finish_text();
}

static int show_version(void) {
  (void)printf("arrowquant %s\n", aq_version());
  (void)printf("instruction set: %s (AQ_CPU accepts: %s)\n", aq_cpu_in_use(), aq_cpu_available());
  return finish_text();
}

/* Prints the report in the form asked for and adds it to the log. */
static aq_status deliver_report(const aq_report *report, const cli_values *values, cli_log *log, aq_error *err) {
  char *text = NULL;
  if (report == NULL) return AQ_OK;
  if (values->set.command.json) {
    const aq_status status = aq_report_render(report, AQ_REPORT_JSON, &text, err);
    if (status != AQ_OK) return status;
    cli_print_text(text);
    aq_free(text);
  }
  if (log->fd >= 0 || !(values->set.command.json || values->set.command.quiet)) {
    const aq_status status = aq_report_render(report, AQ_REPORT_TEXT, &text, err);
    if (status != AQ_OK) return status;
    if (!values->set.command.json && !values->set.command.quiet) cli_print_text(text);
    cli_log_report(log, text);
    aq_free(text);
  }
  return cli_flush_output(err) ? AQ_OK : err->code;
}

/* Reports a failure on the terminal, in the JSON document and in the log. `printed` is false when the report was not
 * printed on standard output. */
static int conclude(const cli_command *command, bool json, bool printed, cli_log *log, aq_status status,
                    const aq_error *err) {
  const int exit_status = cli_exit_status(status);
  char text[sizeof *err + 256];
  if (status != AQ_OK) {
    aq_error shown = *err;
    cli_render_fields(command, err->hint, shown.hint, sizeof shown.hint);
    cli_print_error(&shown);
    if (json && !printed) {
      aq_error lost;
      cli_print_error_json(command->name, &shown);
      (void)cli_flush_output(&lost);
    }
    (void)aq_error_format(&shown, text, sizeof text);
    cli_log_line(log, "error:", text);
  }
  (void)snprintf(text, sizeof text, "%s, exit status %d", command->name, exit_status);
  cli_log_line(log, "end:", text);
  return exit_status;
}

/* Runs the command with its options read. */
static int run_parsed(const cli_command *command, cli_values *values, cli_log *log) {
  aq_error err;
  aq_report *report = NULL;
  cli_progress progress;
  memset(&err, 0, sizeof err);
  cli_signals_catch();
  cli_progress_begin(&progress,
                     !values->set.command.quiet && !values->set.command.json && !values->set.command.no_progress);
  values->set.run.progress = cli_progress_update;
  values->set.run.progress_ctx = &progress;
  aq_option_values_join(&values->set);
  aq_status status = command->run(values, &report, &err);
  cli_progress_clear(&progress);
  bool printed = false;
  if (report != NULL) {
    aq_error late;
    const aq_status delivered = deliver_report(report, values, log, &late);
    printed = true;
    if (delivered != AQ_OK) {
      status = delivered;
      err = late;
    }
  }
  aq_report_free(report);
  return conclude(command, values->set.command.json, printed, log, status, &err);
}

static int run_command(const cli_command *command, int argc, char **argv) {
  if (cli_has_flag(argc - 2, argv + 2, "help", 'h')) return show_help(command->name);
  cli_values values;
  cli_log log = {-1, NULL};
  aq_error err;
  const bool json = cli_has_flag(argc - 2, argv + 2, "json", 0);
  aq_status status = cli_parse(command, argc - 2, argv + 2, &values, &err);
  if (status == AQ_OK && values.set.help.help) {
    cli_values_reset(&values);
    return show_help(command->name);
  }
  if (status == AQ_OK) status = cli_log_open(&log, values.set.command.log_file, &err);
  int exit_status;
  if (status != AQ_OK) {
    exit_status = conclude(command, json, false, &log, status, &err);
  } else {
    cli_log_command(&log, argc, argv);
    exit_status = run_parsed(command, &values, &log);
  }
  cli_log_close(&log);
  cli_values_reset(&values);
  return exit_status;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    cli_help_overview(stderr, commands, false);
    return CLI_EXIT_USAGE;
  }
  const char *first = argv[1];
  if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) return show_version();
  if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) return show_help(NULL);
  if (strcmp(first, "help") == 0) return show_help(argc > 2 ? argv[2] : NULL);
  const cli_command *command = find_command(first);
  return command != NULL ? run_command(command, argc, argv) : unknown_command(first);
}
