// median.c -- the middle of many values, without sorting them
#include "source_priv.h"

float emg_median(float *values, int64_t n) {
  int64_t middle = n / 2, first = 0, last = n - 1;

  // Hoare's FIND: what is not above and what is not below a pivot, until it is the middle
  while (first < last) {
    float pivot = values[middle];
    int64_t i = first, j = last;
    while (i <= j) {
      while (values[i] < pivot) {
        i++;
      }
      while (pivot < values[j]) {
        j--;
      }
      if (i <= j) {
        float swap = values[i];
        values[i++] = values[j];
        values[j--] = swap;
      }
    }
    first = j < middle ? i : first;
    last = middle < i ? j : last;
  }
  return n > 0 ? values[middle] : 0;
}
