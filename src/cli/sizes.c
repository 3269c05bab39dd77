/* sizes.c - sizes for people to read. */
#include "sizes.h"

#include <stdio.h>

const char *cli_size_text(double bytes, char *out, size_t size) {
  static const char *const names[] = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) {
    (void)snprintf(out, size, "%.0f B", bytes);
    return out;
  }
  size_t i = 0;
  double scaled = bytes / 1000;
  /* 999.95 would be printed as 1000.0. */
  while (scaled >= 999.95 && i + 1 < sizeof names / sizeof names[0]) {
    scaled /= 1000;
    i++;
  }
  (void)snprintf(out, size, "%.1f %s", scaled, names[i]);
  return out;
}
