/* fields.c - what the library calls a field of its options, as the command writes it. */
#include "fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { FIELD_MAX = 64 };

/* "keep_patterns" -> "keep", "target_bpw" -> "target-bpw". */
static void name_of_field(const char *field, size_t length, char out[FIELD_MAX]) {
  static const char *const endings[] = {"_patterns", "_rules", "_path", "_file", "_seconds"};
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    const size_t ending = strlen(endings[i]);
    if (length > ending && memcmp(field + length - ending, endings[i], ending) == 0) {
      length -= ending;
      break;
    }
  }
  for (size_t i = 0; i < length; i++) out[i] = field[i] == '_' ? '-' : field[i];
  out[length] = '\0';
}

static const cli_option *find_option(const cli_command *command, const char *name) {
  for (const cli_group *const *group = command->groups; *group != NULL; group++) {
    for (size_t i = 0; i < (*group)->count; i++) {
      if (strcmp((*group)->options[i].name, name) == 0) return &(*group)->options[i];
    }
  }
  return NULL;
}

/* Writes the option of a marked text of `length` bytes; false when there is none. */
static bool write_option(const cli_command *command, const char *marked, size_t length, char *out, size_t size) {
  char name[FIELD_MAX];
  size_t field = 0;
  while (field < length &&
         (islower((unsigned char)marked[field]) || isdigit((unsigned char)marked[field]) || marked[field] == '_')) {
    field++;
  }
  if (field == 0 || field >= FIELD_MAX || (field < length && marked[field] != '=')) return false;
  name_of_field(marked, field, name);
  const cli_option *option = find_option(command, name);
  if (option == NULL) return false;
  if (option->kind == CLI_FLAG || field == length) {
    (void)snprintf(out, size, "--%s", name);
  } else {
    (void)snprintf(out, size, "--%s %.*s", name, (int)(length - field - 1), marked + field + 1);
  }
  return true;
}

void cli_render_fields(const cli_command *command, const char *text, char *out, size_t size) {
  size_t used = 0;
  while (*text != '\0' && used + 1 < size) {
    const char *end = *text == '`' ? strchr(text + 1, '`') : NULL;
    if (end != NULL && write_option(command, text + 1, (size_t)(end - text - 1), out + used, size - used)) {
      used += strlen(out + used);
      text = end + 1;
    } else {
      out[used++] = *text++;
    }
  }
  out[used] = '\0';
}
