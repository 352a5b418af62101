// system.h -- the machine and the libraries below us: for provenance and `doctor` (internal)
#ifndef EMG_BASE_SYSTEM_H
#define EMG_BASE_SYSTEM_H

// Model name of the processor ("AMD EPYC 7763 64-Core Processor"), "unknown" if not told. Static.
const char *emg_cpu_name(void);
// Highest x86-64 level our kernels use here: "x86-64-v4 (AVX-512)", "x86-64-v3 (AVX2, FMA)", ...
const char *emg_simd_level(void);
// "OpenBLAS 0.3.21 SkylakeX": the library, its version and the kernel that runs. Static.
const char *emg_blas_name(void);

typedef struct {
  char name[24], version[64];
} emg_library;

#define EMG_LIBRARIES_MAX 10

// Versions of the libraries in use, as each reports its own; returns how many were filled.
int emg_libraries(emg_library out[EMG_LIBRARIES_MAX]);

#endif
