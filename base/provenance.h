// provenance.h -- how a file came to be, as datasets of it
#ifndef EMG_BASE_PROVENANCE_H
#define EMG_BASE_PROVENANCE_H

#include <emgtwin/file.h>

#include "h5.h"

// /provenance/{config_yaml,command,input_sha256,version,cpu,blas,seed}; what is NULL is left out or
// that of this program on this machine.
emg_status emg_provenance_write(emg_h5 *file, const emg_provenance *provenance, emg_error *err);

#endif
