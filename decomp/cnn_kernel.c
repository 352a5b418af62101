// cnn_kernel.c -- a few rows times the weights of a layer: the product of networks that answer
// sample by sample
#include "cnn_priv.h"

#include <string.h>

// A library packs the weights before it multiplies, which takes as long as the product of so few
// rows. Here they are read once, where they lie. Vectors of the compiler's own are cut to those of
// the baseline before it makes the clones of base/kernel.h, so each instruction set has a copy.
enum { ROWS = 5 };

#define TARGET
#define LANES 4
#define NAME(name) name##_plain
#include "cnn_kernel_body.h"
#undef TARGET
#undef LANES
#undef NAME

#if defined(__GNUC__) && defined(__x86_64__)
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define NAME(name) name##_avx2
#include "cnn_kernel_body.h"
#undef TARGET
#undef LANES
#undef NAME

#define TARGET __attribute__((target("avx512f,fma")))
#define LANES 16
#define NAME(name) name##_avx512
#include "cnn_kernel_body.h"
#undef TARGET
#undef LANES
#undef NAME
#endif

void emg_cnn_multiply(int m, int n, int k, const float *a, int lda, const float *w,
                      const float *bias, bool is_rectified, float *out) {
#if defined(__GNUC__) && defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    multiply_avx512(m, n, k, a, lda, w, bias, is_rectified, out);
    return;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    multiply_avx2(m, n, k, a, lda, w, bias, is_rectified, out);
    return;
  }
#endif
  multiply_plain(m, n, k, a, lda, w, bias, is_rectified, out);
}
