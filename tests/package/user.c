// user.c -- the smallest program that uses the library: a preset, one key changed, its text back
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/emgtwin.h>

int main(void) {
  static emg_config config;
  static emg_error err;
  char *yaml = NULL;

  if (strcmp(emg_version(), EMG_VERSION) != 0) {
    fprintf(stderr, "library %s, header %s\n", emg_version(), EMG_VERSION);
    return 1;
  }
  if (emg_config_preset("quick", &config, &err) != EMG_OK ||
      emg_config_set(&config, "conductor.fat_thickness_mm=0.5 cm", &err) != EMG_OK ||
      emg_config_write(&config, false, NULL, &yaml, &err) != EMG_OK) {
    fprintf(stderr, "%s\n", emg_error_message(&err));
    return 1;
  }
  int found = strstr(yaml, "fat_thickness_mm: 5\n") != NULL;
  free(yaml);
  emg_set_threads(1);  // reaches into OpenBLAS, HDF5 and GSL
  printf("emgtwin %s with %s kernels\n", emg_version(), emg_blas_core());
  return found ? 0 : 1;
}
