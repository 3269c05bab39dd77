/* exit.c - the exit status of the process. docs/arrowquant.1 describes the numbers. */
#include "exit.h"

static const struct {
  aq_status status;
  int exit_status;
} table[] = {
    {AQ_OK, CLI_EXIT_DONE},
    {AQ_ERR_ARGUMENT, CLI_EXIT_USAGE},
    {AQ_ERR_MEMORY, CLI_EXIT_RESOURCES},
    {AQ_ERR_INTERRUPTED, CLI_EXIT_INTERRUPTED},
    {AQ_ERR_INTERNAL, CLI_EXIT_FAILED},
    {AQ_ERR_IO, CLI_EXIT_FAILED},
    {AQ_ERR_NOT_FOUND, CLI_EXIT_INPUT},
    {AQ_ERR_EXISTS, CLI_EXIT_USAGE},
    {AQ_ERR_DISK_FULL, CLI_EXIT_RESOURCES},
    {AQ_ERR_PERMISSION, CLI_EXIT_FAILED},
    {AQ_ERR_FORMAT, CLI_EXIT_INPUT},
    {AQ_ERR_CORRUPT, CLI_EXIT_INPUT},
    {AQ_ERR_UNSUPPORTED, CLI_EXIT_INPUT},
    {AQ_ERR_NONFINITE, CLI_EXIT_INPUT},
    {AQ_ERR_NO_MATCH, CLI_EXIT_USAGE},
    {AQ_ERR_REQUANTIZE, CLI_EXIT_USAGE},
    {AQ_ERR_THRESHOLD, CLI_EXIT_THRESHOLD},
    {AQ_ERR_DEGRADED, CLI_EXIT_DEGRADED},
};

int cli_exit_status(aq_status status) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].status == status) return table[i].exit_status;
  }
  return CLI_EXIT_FAILED;
}
