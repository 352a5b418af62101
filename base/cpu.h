// cpu.h -- what processor this is
#ifndef EMG_BASE_CPU_H
#define EMG_BASE_CPU_H

#include <stddef.h>

// Model name of the processor, "unknown" where the system does not say.
void emg_cpu_name(char *name, size_t size);

#endif
