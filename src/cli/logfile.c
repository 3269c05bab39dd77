/* logfile.c - a file that remembers what was run, when, and how it ended.
 *
 * A log that cannot be opened stops the command before it begins; one that fails later does not undo finished work, so
 * such failures are passed over. Nothing is appended to what begins as a model, a table or a JSON file does: a slip of
 * the hand must not ruin one. */
#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

#define MAX_COMMAND 4096

/* Whether a file holds something, and that is no log. Read through a descriptor of its own: the log's only writes. */
static bool is_no_log(const char *path) {
  unsigned char head[16];
  struct stat found;
  if (stat(path, &found) != 0 || !S_ISREG(found.st_mode)) return false;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return false;
  const ssize_t size = read(fd, head, sizeof head);
  (void)close(fd);
  if (size >= 4 && memcmp(head, "PAR1", 4) == 0) return true;
  if (size > 0 && (head[0] == '{' || head[0] == '[')) return true;
  for (ssize_t i = 0; i < size; i++) {
    if (head[i] < 0x20 && memchr("\t\n\r", head[i], 3) == NULL) return true;
  }
  return false;
}

aq_status cli_log_open(cli_log *log, const char *path, aq_error *err) {
  log->fd = -1;
  log->path = path;
  if (path == NULL) return AQ_OK;
  if (is_no_log(path)) {
    const aq_status status = cli_usage_error(err, "Choose another --log-file", "exists and is no log");
    (void)snprintf(err->file, sizeof err->file, "%s", path);
    return status;
  }
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
