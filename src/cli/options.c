/* options.c - the option parser.
 *
 * A value that begins with '-' is accepted only after '=': "-o --force" is a forgotten value far more often than a file
 * of that name. Of an option given twice the last value counts, so that scripts can append to a list of defaults. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options/option_size.h"
#include "suggest.h"

#define MAX_OPTIONS 64

typedef struct parser {
  const cli_command *command;
  int argc;
  char *const *argv;
  int next; /* argument to read next */
  cli_values *values;
  aq_error *err;
  const aq_option *seen[MAX_OPTIONS];
  size_t seen_count;
} parser;

/* How an option was written, for messages: "--type" or "-t". */
typedef struct spelling {
  char text[64];
} spelling;

aq_status cli_usage_error(aq_error *err, const char *hint, const char *format, ...) {
  memset(err, 0, sizeof *err);
  err->code = AQ_ERR_ARGUMENT;
  err->row_group = -1;
  err->offset = AQ_ERROR_NO_OFFSET;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  (void)snprintf(err->hint, sizeof err->hint, "%s", hint);
  return AQ_ERR_ARGUMENT;
}

void cli_values_reset(cli_values *values) {
  for (size_t i = 0; i < values->list_count; i++) free(values->lists[i]);
  memset(values, 0, sizeof *values);
}

/* ---- Looking options up ---- */

const aq_option *cli_next_option(const cli_command *command, const aq_option *after) {
  const aq_option *option = after != NULL ? after + 1 : aq_option_table;
  for (; option->title != NULL || option->at[0].member != NULL; option++) {
    if (option->name != NULL && aq_option_place_of(option, command->owners) != NULL) return option;
  }
  return NULL;
}

/* Compares a typed name of some length with an option's, taking '_' for '-'. */
static bool same_name(const char *typed, size_t length, const char *name) {
  for (size_t i = 0; i < length; i++) {
    if ((typed[i] == '_' ? '-' : typed[i]) != name[i]) return false;
  }
  return name[length] == '\0';
}

static const aq_option *find_by_name(const cli_command *command, const char *typed, size_t length) {
  const aq_option *option = cli_next_option(command, NULL);
  while (option != NULL && !same_name(typed, length, option->name)) option = cli_next_option(command, option);
  return option;
}

static const aq_option *find_by_letter(const cli_command *command, char letter) {
  const aq_option *option = cli_next_option(command, NULL);
  while (option != NULL && option->letter != letter) option = cli_next_option(command, option);
  return option;
}

static aq_status unknown_option(parser *p, const char *typed, size_t length) {
  char name[33];
  cli_suggestion near;
  char hint[128];
  (void)snprintf(name, sizeof name, "%.*s", (int)length, typed);
  for (char *c = name; *c != '\0'; c++) {
    if (*c == '_') *c = '-';
  }
  cli_suggest_begin(&near, name);
  for (const aq_option *o = cli_next_option(p->command, NULL); o != NULL; o = cli_next_option(p->command, o)) {
    cli_suggest_try(&near, o->name);
  }
  if (near.best != NULL) {
    (void)snprintf(hint, sizeof hint, "Did you mean '--%s'?", near.best);
  } else {
    (void)snprintf(hint, sizeof hint, "'arrowquant help %s' lists the options", p->command->name);
  }
  return cli_usage_error(p->err, hint, "'%s' has no option '--%.*s'", p->command->name, (int)length, typed);
}

/* ---- Values ---- */

static bool takes_value(const aq_option *option) { return option->argument != NULL; }

static void *member_at(const parser *p, size_t offset) { return (char *)&p->values->set + offset; }

static const aq_option_place *place_of(const parser *p, const aq_option *option) {
  return aq_option_place_of(option, p->command->owners);
}

static void set_member(const parser *p, const aq_option *option, const void *value) {
  const aq_option_place *place = place_of(p, option);
  memcpy(member_at(p, place->offset), value, place->size);
}

/* A member of the library gets the text, an enumeration the number of the word. */
static void set_word_member(parser *p, const aq_option *option, size_t word) {
  const char *value = option->values != NULL ? option->values[word] : option->words[word];
  const int number = (int)word;
  set_member(p, option, option->kind == AQ_OPTION_ENUM ? (const void *)&number : (const void *)&value);
}

static aq_status set_word(parser *p, const aq_option *option, const spelling *as, const char *text) {
  char allowed[256] = "";
  size_t used = 0;
  for (size_t i = 0; option->words[i] != NULL; i++) {
    if (strcasecmp(option->words[i], text) == 0) {
      set_word_member(p, option, i);
      return AQ_OK;
    }
    const char *separator = i == 0 ? "" : option->words[i + 1] == NULL ? " or " : ", ";
    const int n = snprintf(allowed + used, sizeof allowed - used, "%s%s", separator, option->words[i]);
    if (n > 0 && (size_t)n < sizeof allowed - used) used += (size_t)n;
  }
  return cli_usage_error(p->err, "", "%s must be %s, not '%s'", as->text, allowed, text);
}

static aq_status set_uint(parser *p, const aq_option *option, const spelling *as, const char *text) {
  const size_t digits = strspn(text, "0123456789");
  const bool is_number = digits > 0 && digits <= 10 && text[digits] == '\0';
  const unsigned long value = is_number ? strtoul(text, NULL, 10) : 0;
  if (!is_number || (double)value < option->minimum || (double)value > option->maximum) {
    return cli_usage_error(p->err, "", "%s must be a whole number from %.0f to %.0f, not '%s'", as->text,
                           option->minimum, option->maximum, text);
  }
  const uint32_t number = (uint32_t)value;
  set_member(p, option, &number);
  return AQ_OK;
}

static aq_status set_size(parser *p, const aq_option *option, const spelling *as, const char *text) {
  uint64_t value = 0;
  if (!aq_option_size_parse(text, &value) || value == 0) {
    return cli_usage_error(p->err, "Units are B, kB, MB, GB, TB, KiB, MiB, GiB and TiB",
                           "%s must be a size such as 6MB, 1.5GiB or 4096, not '%s'", as->text, text);
  }
  set_member(p, option, &value);
  return AQ_OK;
}

static aq_status set_real(parser *p, const aq_option *option, const spelling *as, const char *text) {
  char *end = NULL;
  const bool plain = text[strspn(text, "0123456789.eE+-")] == '\0'; /* no "nan", "inf" or hexadecimal */
  const double value = plain ? strtod(text, &end) : 0;
  if (!plain || *end != '\0' || !(value >= option->minimum && value <= option->maximum)) {
    return cli_usage_error(p->err, "", "%s must be a number from %g to %g, not '%s'", as->text, option->minimum,
                           option->maximum, text);
  }
  set_member(p, option, &value);
  return AQ_OK;
}

/* A new list, kept in the values; every entry has an argument, so argc is an upper bound. */
static const char **new_list(parser *p) {
  cli_values *values = p->values;
  const char **list = values->list_count < CLI_MAX_LISTS ? calloc((size_t)p->argc, sizeof *list) : NULL;
  if (list != NULL) values->lists[values->list_count++] = list;
  return list;
}

static aq_status append_text(parser *p, const aq_option *option, const char *text) {
  const aq_option_place *place = place_of(p, option);
  const bool is_texts = option->kind == AQ_OPTION_TEXTS;
  const char **list;
  size_t *count = member_at(p, is_texts ? place->offset + offsetof(aq_text_list, count) : place->count);
  void *member = member_at(p, is_texts ? place->offset + offsetof(aq_text_list, texts) : place->offset);
  memcpy(&list, member, sizeof list);
  if (list == NULL) {
    list = new_list(p);
    if (list == NULL) {
      (void)cli_usage_error(p->err, "", "out of memory");
      return p->err->code = AQ_ERR_MEMORY;
    }
    memcpy(member, &list, sizeof list);
  }
  list[(*count)++] = text;
  return AQ_OK;
}

static aq_status set_value(parser *p, const aq_option *option, const spelling *as, const char *text) {
  if (text[0] == '\0' && !option->may_be_empty)
    return cli_usage_error(p->err, "", "%s needs a value: %s %s", as->text, as->text, option->argument);
  switch (option->kind) {
    case AQ_OPTION_WORD:
    case AQ_OPTION_ENUM:
      return set_word(p, option, as, text);
    case AQ_OPTION_UINT:
      return set_uint(p, option, as, text);
    case AQ_OPTION_SIZE:
      return set_size(p, option, as, text);
    case AQ_OPTION_REAL:
      return set_real(p, option, as, text);
    case AQ_OPTION_LIST:
    case AQ_OPTION_TEXTS:
      return append_text(p, option, text);
    case AQ_OPTION_TEXT:
    case AQ_OPTION_FLAG:
    case AQ_OPTION_INPUTS:
      break;
  }
  set_member(p, option, &text);
  return AQ_OK;
}

/* An option without a value of its own: a flag, or a name that stands for one. */
static aq_status set_alone(parser *p, const aq_option *option, const spelling *as) {
  const bool yes = true;
  if (option->sets != NULL) return set_value(p, option, as, option->sets);
  set_member(p, option, &yes);
  return AQ_OK;
}

/* ---- Arguments ---- */

static void note_seen(parser *p, const aq_option *option) {
  for (size_t i = 0; i < p->seen_count; i++) {
    if (p->seen[i] == option) return;
  }
  if (p->seen_count < MAX_OPTIONS) p->seen[p->seen_count++] = option;
}

static bool was_seen(const parser *p, const char *name) {
  for (size_t i = 0; i < p->seen_count; i++) {
    if (strcmp(p->seen[i]->name, name) == 0) return true;
  }
  return false;
}

/* The option's value: `attached`, or the next argument. */
static aq_status take_value(parser *p, const aq_option *option, const spelling *as, const char *attached) {
  note_seen(p, option);
  if (attached != NULL) return set_value(p, option, as, attached);
  if (option->sets != NULL) return set_alone(p, option, as);
  const char *text = p->next < p->argc ? p->argv[p->next] : NULL;
  if (text == NULL) return cli_usage_error(p->err, "", "%s needs a value: %s %s", as->text, as->text, option->argument);
  const bool number =
      option->kind == AQ_OPTION_UINT || option->kind == AQ_OPTION_SIZE || option->kind == AQ_OPTION_REAL;
  if (text[0] == '-' && text[1] != '\0' && !number) {
    char hint[128];
    (void)snprintf(hint, sizeof hint, "A value that begins with '-' is written --%s=VALUE", option->name);
    return cli_usage_error(p->err, hint, "%s needs a value, but '%s' follows", as->text, text);
  }
  p->next++;
  return set_value(p, option, as, text);
}

static aq_status parse_long(parser *p, const char *typed) {
  const char *equals = strchr(typed, '=');
  const size_t length = equals != NULL ? (size_t)(equals - typed) : strlen(typed);
  const aq_option *option = find_by_name(p->command, typed, length);
  if (option == NULL) return unknown_option(p, typed, length);
  spelling as;
  (void)snprintf(as.text, sizeof as.text, "--%s", option->name);
  if (takes_value(option)) return take_value(p, option, &as, equals != NULL ? equals + 1 : NULL);
  if (equals != NULL) return cli_usage_error(p->err, "", "%s accepts no value, but got '%s'", as.text, equals + 1);
  note_seen(p, option);
  return set_alone(p, option, &as);
}

/* "-q", "-qh", "-t 4", "-t4". */
static aq_status parse_letters(parser *p, const char *letters) {
  for (; *letters != '\0'; letters++) {
    const aq_option *option = find_by_letter(p->command, *letters);
    char hint[128];
    if (option == NULL) {
      (void)snprintf(hint, sizeof hint, "'arrowquant help %s' lists the options", p->command->name);
      return cli_usage_error(p->err, hint, "'%s' has no option '-%c'", p->command->name, *letters);
    }
    spelling as;
    (void)snprintf(as.text, sizeof as.text, "-%c", *letters);
    if (takes_value(option)) return take_value(p, option, &as, letters[1] != '\0' ? letters + 1 : NULL);
    note_seen(p, option);
    const aq_status status = set_alone(p, option, &as);
    if (status != AQ_OK) return status;
  }
  return AQ_OK;
}

static aq_status add_operand(parser *p, const char *text) {
  size_t wanted = 0;
  while (p->command->operands[wanted] != NULL) wanted++;
  if (p->values->operand_count == wanted) {
    char hint[128];
    (void)snprintf(hint, sizeof hint, "Usage: arrowquant %s %s", p->command->name, p->command->usage);
    return cli_usage_error(p->err, hint, "unexpected argument '%s'", text);
  }
  if (text[0] == '\0')
    return cli_usage_error(p->err, "", "%s is empty", p->command->operands[p->values->operand_count]);
  p->values->operands[p->values->operand_count++] = text;
  return AQ_OK;
}

/* What the whole line must satisfy. */
static aq_status check_complete(parser *p) {
  const cli_command *command = p->command;
  const size_t given = p->values->operand_count;
  char hint[128];
  if (p->values->set.help.help) return AQ_OK;
  (void)snprintf(hint, sizeof hint, "Usage: arrowquant %s %s", command->name, command->usage);
  if (command->operands[given] != NULL) {
    return cli_usage_error(p->err, hint, "'%s' needs %s, %s", command->name, command->operands[given],
                           command->operand_words[given]);
  }
  const bool writes = (command->owners & AQ_OPTIONS_OF(output)) != 0;
  if (writes && p->values->set.output.output == NULL && !p->values->set.quantize.dry_run) {
    return cli_usage_error(p->err, hint, "'%s' needs -o OUT, the file to write", command->name);
  }
  for (const cli_conflict *c = command->conflicts; c != NULL && c->first != NULL; c++) {
    if (was_seen(p, c->first) && was_seen(p, c->second)) {
      return cli_usage_error(p->err, "", "--%s and --%s exclude each other", c->first, c->second);
    }
  }
  return AQ_OK;
}

aq_status cli_parse(const cli_command *command, int argc, char *const *argv, cli_values *values, aq_error *err) {
  parser p = {.command = command, .argc = argc, .argv = argv, .values = values, .err = err};
  bool options_end = false;
  memset(values, 0, sizeof *values);
  aq_option_values_init(&values->set);
  while (p.next < argc) {
    const char *arg = argv[p.next++];
    aq_status status = AQ_OK;
    if (options_end || arg[0] != '-' || arg[1] == '\0') {
      status = add_operand(&p, arg);
    } else if (strcmp(arg, "--") == 0) {
      options_end = true;
    } else if (arg[1] == '-') {
      status = parse_long(&p, arg + 2);
    } else {
      status = parse_letters(&p, arg + 1);
    }
    if (status != AQ_OK) return status;
  }
  return check_complete(&p);
}

bool cli_has_flag(int argc, char *const *argv, const char *name, char letter) {
  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *arg = argv[i];
    if (arg[0] != '-') continue;
    if (arg[1] == '-' && strcmp(arg + 2, name) == 0) return true;
    if (letter != 0 && arg[1] == letter && arg[2] == '\0') return true;
  }
  return false;
}
