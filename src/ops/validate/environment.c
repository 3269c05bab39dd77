/* environment.c - on what a measurement was made. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "core/compiler.h"
#include "core/error.h"
#include "ops/validate/validate.h"
#include "report/report.h"

/* The processor's name as Linux has it ("model name" on x86, "Model" on some ARM boards); "" when it has none. */
static void read_cpu_name(char *out, size_t size) {
  static const char *const keys[] = {"model name", "Model", "cpu model"};
  out[0] = '\0';
  FILE *f = fopen("/proc/cpuinfo", "r");
  if (f == NULL) return;
  char line[256];
  while (out[0] == '\0' && fgets(line, sizeof line, f) != NULL) {
    const char *colon = strchr(line, ':');
    if (colon == NULL) continue;
    for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
      const size_t length = strlen(keys[i]);
      if (strncmp(line, keys[i], length) != 0 || strchr(" \t:", line[length]) == NULL) continue;
      colon += strspn(colon, ": \t");
      (void)snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
      break;
    }
  }
  (void)fclose(f);
}

static aq_status fill(json_t *object, uint32_t threads) {
  char cpu[256], os[256] = "", finished[32] = "";
  read_cpu_name(cpu, sizeof cpu);
  struct utsname names;
  if (uname(&names) == 0) (void)snprintf(os, sizeof os, "%s %s %s", names.sysname, names.release, names.machine);
  const time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc) != NULL) (void)strftime(finished, sizeof finished, "%Y-%m-%dT%H:%M:%SZ", &utc);
  AQ_TRY(aq_report_set(object, "arrowquant", json_string(aq_version()), NULL));
  AQ_TRY(aq_report_set(object, "instruction_set", json_string(aq_cpu_in_use()), NULL));
  AQ_TRY(aq_report_set(object, "threads", aq_json_count(threads), NULL));
  AQ_TRY(aq_report_set(object, "cpu", aq_json_string(cpu[0] != '\0' ? cpu : NULL), NULL));
  AQ_TRY(aq_report_set(object, "os", aq_json_string(os), NULL));
  return aq_report_set(object, "finished", json_string(finished), NULL);
}

json_t *aq_environment_json(uint32_t threads) {
  json_t *object = json_object();
  if (fill(object, threads) == AQ_OK) return object;
  json_decref(object);
  return NULL;
}
