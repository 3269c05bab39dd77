/* help.c - help texts, made from the table of options. */
#include "help.h"

#include <string.h>

#define COLUMNS 100
#define OPTION_COLUMN 29
#define COMMAND_COLUMN 15

/* Prints words from the column that the line has reached, breaking lines at COLUMNS and indenting what follows. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t indent) {
  bool first = true;
  while (*text != '\0') {
    const size_t word = strcspn(text, " ");
    if (!first && column + 1 + word > COLUMNS) {
      (void)fprintf(out, "\n%*s", (int)indent, "");
      column = indent;
    } else if (!first) {
      (void)fputc(' ', out);
      column++;
    }
    (void)fprintf(out, "%.*s", (int)word, text);
    column += word;
    text += word;
    text += strspn(text, " ");
    first = false;
  }
  (void)fputc('\n', out);
}

/* Paragraphs are separated by empty lines. */
static void print_paragraphs(FILE *out, const char *text) {
  while (*text != '\0') {
    char paragraph[1024];
    const char *end = strstr(text, "\n\n");
    const size_t length = end != NULL ? (size_t)(end - text) : strlen(text);
    (void)snprintf(paragraph, sizeof paragraph, "%.*s", (int)length, text);
    print_wrapped(out, paragraph, 0, 0);
    text += length;
    if (end != NULL) {
      (void)fputc('\n', out);
      text += 2;
    }
  }
}

static void print_option(FILE *out, const aq_option *option) {
  char left[64], letter[8] = "    ";
  if (option->letter != 0) (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
  const char *argument = option->argument;
  const bool alone = option->sets != NULL && argument != NULL; /* its value can be left out */
  int n = snprintf(left, sizeof left, "  %s--%s%s%s%s", letter, option->name,
                   argument == NULL ? ""
                   : alone          ? "[="
                                    : " ",
                   argument != NULL ? argument : "", alone ? "]" : "");
  (void)fputs(left, out);
  if (n + 2 > OPTION_COLUMN) {
    (void)fputc('\n', out);
    n = 0;
  }
  (void)fprintf(out, "%*s", OPTION_COLUMN - n, "");
  print_wrapped(out, option->help, OPTION_COLUMN, OPTION_COLUMN);
}

void cli_help_command(FILE *out, const cli_command *command) {
  (void)fprintf(out, "Usage: arrowquant %s %s\n\n", command->name, command->usage);
  print_paragraphs(out, command->about);
  const char *title = NULL, *printed = NULL;
  for (const aq_option *o = aq_option_table; o->title != NULL || o->at[0].member != NULL; o++) {
    if (o->title != NULL) title = o->title;
    if (o->name == NULL || aq_option_place_of(o, command->owners) == NULL) continue;
    if (printed != title) (void)fprintf(out, "\n%s:\n", title);
    printed = title;
    print_option(out, o);
  }
  (void)fprintf(out, "\nExamples:\n%s", command->examples);
}

void cli_help_overview(FILE *out, const cli_command *const *commands, bool long_form) {
  (void)fputs(
      "arrowquant quantizes neural-network weights into Parquet tables, and measures what that costs.\n\n"
      "Usage: arrowquant COMMAND [ARGUMENTS]\n\nCommands:\n",
      out);
  for (; *commands != NULL; commands++) {
    (void)fprintf(out, "  %-*s", COMMAND_COLUMN - 2, (*commands)->name);
    print_wrapped(out, (*commands)->summary, COMMAND_COLUMN, COMMAND_COLUMN);
  }
  (void)fputs("\n'arrowquant help COMMAND' describes a command and its options.\n", out);
  if (!long_form) return;
  (void)fputs(
      "'arrowquant --version' shows the version and the instruction set in use.\n\n"
      "Examples:\n"
      "  arrowquant quantize model.safetensors -o model.parquet --type int4\n"
      "  arrowquant compare model.safetensors model.parquet --min-cosine 0.99\n"
      "  arrowquant export model.parquet -o restored.safetensors\n\n"
      "Exit status:\n"
      "  0    done\n"
      "  1    failed while running: reading, writing, permission, or a bug\n"
      "  2    wrong command line, an output that exists already, a pattern that matches nothing\n"
      "  3    an input is missing, invalid, damaged or not supported\n"
      "  4    done, but a measured value is below its threshold\n"
      "  5    done, but not all as asked, and --strict was given\n"
      "  6    out of memory or disk space\n"
      "  130  interrupted\n",
      out);
}
