// kernel.h -- one source, compiled for several instruction sets and chosen at start-up
#ifndef EMG_BASE_KERNEL_H
#define EMG_BASE_KERNEL_H

// Put EMG_KERNEL before a hot function: it is compiled for AVX-512, AVX2 and the baseline, so the
// installed library runs anywhere and uses what is there. Not under sanitizers, whose start-up runs
// after the choice is made.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__)
#define EMG_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EMG_KERNEL
#endif

#endif
