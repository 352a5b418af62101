// cpu.c -- what processor this is
#include "cpu.h"

#include <stdio.h>
#include <string.h>

void emg_cpu_name(char *name, size_t size) {
  FILE *info = fopen("/proc/cpuinfo", "r");
  char line[512];

  snprintf(name, size, "unknown");
  if (!info) {
    return;
  }
  while (fgets(line, sizeof line, info)) {
    char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) == 0 && value) {
      value += 1 + strspn(value + 1, " \t");
      value[strcspn(value, "\n")] = '\0';
      snprintf(name, size, "%s", value);
      break;
    }
  }
  fclose(info);
}
