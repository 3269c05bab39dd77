/* logfile.c - a file that remembers what was run, when, and how it ended.
 *
 * A log that cannot be opened stops the command before it begins; one that fails later does not undo finished work, so
 * such failures are passed over. */
#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

#define MAX_COMMAND 4096

aq_status cli_log_open(cli_log *log, const char *path, aq_error *err) {
  log->fd = -1;
  log->path = path;
  if (path == NULL) return AQ_OK;
  log->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
  if (log->fd >= 0) return AQ_OK;
  const int e = errno;
  (void)cli_usage_error(err, "Choose another --log-file", "cannot open the log: %s", strerror(e));
  (void)snprintf(err->file, sizeof err->file, "%s", path);
  return err->code = e == EACCES || e == EPERM || e == EROFS ? AQ_ERR_PERMISSION : AQ_ERR_IO;
}

static void write_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    const ssize_t n = write(fd, text, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text += n;
    length -= (size_t)n;
  }
}

void cli_log_line(cli_log *log, const char *word, const char *text) {
  if (log->fd < 0) return;
  char date[32] = "", line[MAX_COMMAND + 128];
  const time_t t = time(NULL);
  struct tm utc;
  if (gmtime_r(&t, &utc) != NULL) (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
  const int n = snprintf(line, sizeof line, "%s arrowquant[%ld]: %s %s", date, (long)getpid(), word, text);
  size_t length = n < 0 ? 0 : (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
  }
  line[length++] = '\n';
  write_all(log->fd, line, length);
}

/* Appends c while there is room. */
static void push(char *out, size_t *used, char c) {
  if (*used + 1 < MAX_COMMAND) out[(*used)++] = c;
}

static void push_quoted(char *out, size_t *used, const char *word) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
  const bool quote = word[0] == '\0' || word[strspn(word, plain)] != '\0';
  if (quote) push(out, used, '\'');
  for (; *word != '\0'; word++) {
    if (*word != '\'') {
      push(out, used, *word);
      continue;
    }
    for (const char *c = "'\\''"; *c != '\0'; c++) push(out, used, *c);
  }
  if (quote) push(out, used, '\'');
}

void cli_log_command(cli_log *log, int argc, char *const *argv) {
  if (log->fd < 0) return;
  char text[MAX_COMMAND];
  size_t used = 0;
  for (int i = 0; i < argc; i++) {
    if (i > 0) push(text, &used, ' ');
    push_quoted(text, &used, argv[i]);
  }
  text[used] = '\0';
  cli_log_line(log, "start:", text);
}

void cli_log_report(cli_log *log, const char *text) {
  if (log->fd < 0) return;
  while (*text != '\0') {
    const size_t length = strcspn(text, "\n");
    if (length > 0) write_all(log->fd, "  ", 2);
    write_all(log->fd, text, length);
    write_all(log->fd, "\n", 1);
    text += length;
    if (*text == '\n') text++;
  }
}

void cli_log_close(cli_log *log) {
  if (log->fd >= 0) (void)close(log->fd);
  log->fd = -1;
}
