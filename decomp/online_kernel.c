// online_kernel.c -- many filters at a few samples: the product that must be quick
#include "online_priv.h"

#include <string.h>

#include <base/kernel.h>

// Eight sums side by side: one register of AVX2, half of AVX-512, two of the baseline.
enum { LANES = 8 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

// A weight is loaded once for all samples of the group, whose sums hide each other's latency. Rows
// of samples begin at any address.
EMG_KERNEL void emg_online_sources(int n_units, int n_padded, const float *weights, int step,
                                   const float *x, float *sources) {
  for (int u = 0; u < n_units; u++) {
    const float *w = weights + (ptrdiff_t)u * n_padded;
    lanes sum[EMG_ONLINE_GROUP] = {{0}};

    for (int d = 0; d < n_padded; d += LANES) {
      lanes weight;
      memcpy(&weight, w + d, sizeof weight);
      for (int s = 0; s < EMG_ONLINE_GROUP; s++) {
        lanes value;
        memcpy(&value, x + (ptrdiff_t)s * step + d, sizeof value);
        sum[s] += weight * value;
      }
    }
    for (int s = 0; s < EMG_ONLINE_GROUP; s++) {
      float total = 0;
      for (int lane = 0; lane < LANES; lane++) {
        total += sum[s][lane];
      }
      sources[u * EMG_ONLINE_GROUP + s] = total;
    }
  }
}
