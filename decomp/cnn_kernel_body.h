// cnn_kernel_body.h -- the product of cnn_kernel.c, for one instruction set
//
// Included with TARGET, which names the instruction set, LANES, the floats of one of its registers,
// and NAME(x), which makes names of it.

typedef float NAME(lanes) __attribute__((vector_size(LANES * sizeof(float))));
// The same anywhere in an array of floats.
typedef float NAME(place)
    __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
#define AT(p) (*(NAME(place) *)(p))
#define AT_CONST(p) (*(const NAME(place) *)(p))

// Columns from `column` on of one row, which do not fill the registers.
TARGET static void NAME(multiply_rest)(int n, int k, int column, const float *a, const float *w,
                                       const float *bias, float *out) {
  for (int c = column; c < n; c++) {
    float sum = bias[c];
    for (int i = 0; i < k; i++) {
      sum += a[i] * w[(ptrdiff_t)i * n + c];
    }
    out[c] = sum;
  }
}

// ROWS rows: two registers of weights at a time, each used for all rows.
TARGET static void NAME(multiply_rows)(int n, int k, const float *a, int lda, const float *w,
                                       const float *bias, float *out) {
  int column = 0;

  for (; column + 2 * LANES <= n; column += 2 * LANES) {
    NAME(lanes) low[ROWS], high[ROWS];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      low[r] = AT_CONST(bias + column);
      high[r] = AT_CONST(bias + column + LANES);
    }
    for (int i = 0; i < k; i++) {
      const float *weight = w + (ptrdiff_t)i * n + column;
      NAME(lanes) left = AT_CONST(weight), right = AT_CONST(weight + LANES);
#pragma GCC unroll 8
      for (int r = 0; r < ROWS; r++) {
        float value = a[(ptrdiff_t)r * lda + i];
        low[r] += value * left;
        high[r] += value * right;
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      AT(out + (ptrdiff_t)r * n + column) = low[r];
      AT(out + (ptrdiff_t)r * n + column + LANES) = high[r];
    }
  }
  for (int r = 0; r < ROWS; r++) {
    NAME(multiply_rest)(n, k, column, a + (ptrdiff_t)r * lda, w, bias, out + (ptrdiff_t)r * n);
  }
}

// out += four rows of weights, each times its value: they are read from memory side by side, while
// `out` stays in the nearest cache.
TARGET static void NAME(add_four)(int n, const float value[4], const float *const w[4],
                                  float *out) {
  const float a = value[0], b = value[1], c = value[2], d = value[3];
  const float *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3];
  int column = 0;

  for (; column + LANES <= n; column += LANES) {
    NAME(lanes) left = a * AT_CONST(wa + column) + b * AT_CONST(wb + column);
    NAME(lanes) right = c * AT_CONST(wc + column) + d * AT_CONST(wd + column);
    AT(out + column) = AT(out + column) + (left + right);
  }
  for (; column < n; column++) {
    out[column] += (a * wa[column] + b * wb[column]) + (c * wc[column] + d * wd[column]);
  }
}

// One row, as before a dense layer: what is 0, as much of it is behind a rectifier, needs no
// weights.
TARGET static void NAME(multiply_row)(int n, int k, const float *a, const float *w,
                                      const float *bias, float *out) {
  const float *rows[4];
  float value[4];
  int n_taken = 0;

  memcpy(out, bias, (size_t)n * sizeof *out);
  for (int i = 0; i < k; i++) {
    if (a[i] != 0) {
      rows[n_taken] = w + (ptrdiff_t)i * n;
      value[n_taken++] = a[i];
    }
    if (n_taken == 4) {
      NAME(add_four)(n, value, rows, out);
      n_taken = 0;
    }
  }
  for (int i = n_taken; i < 4 && n_taken > 0; i++) {
    rows[i] = rows[0];
    value[i] = 0;
  }
  if (n_taken > 0) {
    NAME(add_four)(n, value, rows, out);
  }
}

TARGET static void NAME(multiply)(int m, int n, int k, const float *a, int lda, const float *w,
                                  const float *bias, bool is_rectified, float *out) {
  int row = 0;

  for (; row + ROWS <= m; row += ROWS) {
    NAME(multiply_rows)(n, k, a + (ptrdiff_t)row * lda, lda, w, bias, out + (ptrdiff_t)row * n);
  }
  for (; row < m; row++) {
    NAME(multiply_row)(n, k, a + (ptrdiff_t)row * lda, w, bias, out + (ptrdiff_t)row * n);
  }
  for (ptrdiff_t i = 0; i < (ptrdiff_t)m * n && is_rectified; i++) {
    out[i] = out[i] > 0 ? out[i] : 0;
  }
}

#undef AT
#undef AT_CONST
