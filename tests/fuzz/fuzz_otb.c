// fuzz_otb.c -- the readers of OT Bioelettronica's archives, and XML and tar below them
#include "base/formats.h"
#include "base/xml.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  const emg_read_options options = {.allow_no_emg = true};
  char path[64];
  emg_xml_file *xml;
  emg_recording rec;
  emg_error err;
  int fd = fuzz_file(bytes, n, path);

  if (emg_recording_read(path, &options, &rec, &err) == EMG_OK) {
    emg_recording_free(&rec);
  }
  if (emg_xml_parse("x", (const char *)bytes, n, &xml, &err) == EMG_OK) {
    emg_xml_free(xml);
  }
  close(fd);
  return 0;
}
