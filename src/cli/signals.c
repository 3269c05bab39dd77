/* signals.c - Ctrl-C and similar signals end a job cleanly: the progress callback reads the flag and stops the library,
 * which removes what it was writing. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void note_signal(int number) {
  (void)number;
  interrupted = 1;
}

void cli_signals_catch(void) {
  static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  (void)sigemptyset(&action.sa_mask);
  action.sa_handler = note_signal;
  action.sa_flags = (int)((unsigned)SA_RESTART | (unsigned)SA_RESETHAND);
  for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++) {
    if (sigaction(caught[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    (void)sigaction(caught[i], &action, NULL);
  }
  (void)signal(SIGXFSZ, SIG_IGN);
}

bool cli_interrupted(void) { return interrupted != 0; }
