/* fields.h - what the library calls a field of its options, as the command writes it.
 *
 * A hint of the library marks fields: `force=true`, `target_bpw=2.5`, `keep_patterns`. The table of
 * options knows which option of the command fills it. */
#ifndef AQ_CLI_FIELDS_H
#define AQ_CLI_FIELDS_H

#include "options.h"

/* Writes the text with the marked fields of this command as its options ("--force", "--target-bpw 2.5", "--keep"); what
 * is marked and no option of it stays. Cut to size-1 bytes, with a terminating zero. */
void cli_render_fields(const cli_command *command, const char *text, char *out, size_t size);

#endif
