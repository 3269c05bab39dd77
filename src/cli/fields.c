/* fields.c - what the library calls a field of its options, as the command writes it. */
#include "fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Writes the option of a marked text of `length` bytes; false when there is none. */
static bool write_option(const cli_command *command, const char *marked, size_t length, char *out, size_t size) {
  size_t field = 0;
  while (field < length &&
         (islower((unsigned char)marked[field]) || isdigit((unsigned char)marked[field]) || marked[field] == '_')) {
    field++;
  }
  if (field == 0 || (field < length && marked[field] != '=')) return false;
  const aq_option *option = aq_option_find_member(marked, field, command->owners);
  if (option == NULL || option->name == NULL) return false;
  if (option->argument == NULL || field == length) {
    (void)snprintf(out, size, "--%s", option->name);
  } else {
    (void)snprintf(out, size, "--%s %.*s", option->name, (int)(length - field - 1), marked + field + 1);
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
