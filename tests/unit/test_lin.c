// test_lin.c -- products, factors and eigenvectors against their definitions
#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cblas.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

#include "base/lin.h"

enum { N = 9, M = 6, K = 7 };

static void fill_random(int n, uint32_t stream, double *x) {
  emg_rng rng = emg_rng_stream(8, EMG_RNG_TEST, stream, 0);
  for (int i = 0; i < n; i++) {
    x[i] = emg_rng_gaussian(&rng);
  }
}

static void products_are_sums_of_products_in_all_four_forms(void **state) {
  (void)state;
  double a[M * K], b[K * N], c[M * N], start[M * N];
  float a_f[M * K], b_f[K * N], c_f[M * N];
  for (int form = 0; form < 4; form++) {
    int transa = form & 1, transb = form >> 1;
    fill_random(M * K, 0, a);
    fill_random(K * N, 1, b);
    fill_random(M * N, 2, start);
    memcpy(c, start, sizeof c);
    for (int i = 0; i < M * K; i++) {
      a_f[i] = (float)a[i];
    }
    for (int i = 0; i < K * N; i++) {
      b_f[i] = (float)b[i];
    }
    for (int i = 0; i < M * N; i++) {
      c_f[i] = (float)c[i];
    }
    int lda = transa ? M : K, ldb = transb ? K : N;
    emg_dgemm(transa, transb, M, N, K, 2, a, lda, b, ldb, -1, c, N);
    emg_sgemm(transa, transb, M, N, K, 2, a_f, lda, b_f, ldb, -1, c_f, N);
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        double sum = -start[i * N + j];
        for (int k = 0; k < K; k++) {
          sum += 2 * (transa ? a[k * lda + i] : a[i * lda + k]) *
                 (transb ? b[j * ldb + k] : b[k * ldb + j]);
        }
        assert_true(fabs(c[i * N + j] - sum) < 1e-13);
        assert_true(fabs(c_f[i * N + j] - sum) < 1e-5);
      }
    }
  }
}

// Not by the reference BLAS that GSL brings under the same names.
static void products_are_computed_by_openblas(void **state) {
  (void)state;
  Dl_info info;
  void (*product)(CBLAS_ORDER, CBLAS_TRANSPOSE, CBLAS_TRANSPOSE, blasint, blasint, blasint, float,
                  const float *, blasint, const float *, blasint, float, float *, blasint) =
      cblas_sgemm;
  void *address;
  memcpy(&address, &product, sizeof address);
  assert_int_not_equal(dladdr(address, &info), 0);
  assert_non_null(strstr(info.dli_fname, "openblas"));
}

// A = X X^T of more columns than rows: symmetric, positive definite.
static void fill_covariance(double *a) {
  double x[N * 2 * N];
  fill_random(N * 2 * N, 3, x);
  emg_dgemm(0, 1, N, N, 2 * N, 1, x, 2 * N, x, 2 * N, 0, a, N);
}

static void eigenvectors_are_rows_in_ascending_order(void **state) {
  (void)state;
  double a[N * N], v[N * N], values[N];
  fill_covariance(a);
  memcpy(v, a, sizeof v);
  assert_int_equal(emg_eigen_symmetric(N, v, values, NULL), EMG_OK);
  for (int i = 0; i < N; i++) {
    assert_true(i == 0 || values[i] >= values[i - 1]);
    for (int row = 0; row < N; row++) {
      double product = 0;
      for (int column = 0; column < N; column++) {
        product += a[row * N + column] * v[i * N + column];
      }
      assert_true(fabs(product - values[i] * v[i * N + row]) < 1e-12 * values[N - 1]);
    }
    for (int j = 0; j < N; j++) {
      double dot = 0;
      for (int k = 0; k < N; k++) {
        dot += v[i * N + k] * v[j * N + k];
      }
      assert_true(fabs(dot - (i == j)) < 1e-13);
    }
  }
}

static void a_cholesky_factor_is_lower_and_multiplies_back(void **state) {
  (void)state;
  double a[N * N], l[N * N], back[N * N];
  fill_covariance(a);
  memcpy(l, a, sizeof l);
  assert_int_equal(emg_cholesky(N, l, NULL), EMG_OK);
  for (int row = 0; row < N; row++) {
    assert_true(l[row * N + row] > 0);
    for (int column = row + 1; column < N; column++) {
      assert_true(l[row * N + column] == 0);
    }
  }
  emg_dgemm(0, 1, N, N, N, 1, l, N, l, N, 0, back, N);
  for (int i = 0; i < N * N; i++) {
    assert_true(fabs(back[i] - a[i]) < 1e-12);
  }
}

static void a_solution_solves_every_right_hand_side(void **state) {
  (void)state;
  double a[N * N], factor[N * N], b[3 * N], x[3 * N];
  fill_covariance(a);
  memcpy(factor, a, sizeof factor);
  fill_random(3 * N, 4, b);
  memcpy(x, b, sizeof x);
  assert_int_equal(emg_solve_spd(N, factor, 3, x, NULL), EMG_OK);
  for (int rhs = 0; rhs < 3; rhs++) {
    for (int row = 0; row < N; row++) {
      double sum = 0;
      for (int column = 0; column < N; column++) {
        sum += a[row * N + column] * x[rhs * N + column];
      }
      assert_true(fabs(sum - b[rhs * N + row]) < 1e-11);
    }
  }
}

static void mixing_by_a_triangle_equals_the_full_product(void **state) {
  (void)state;
  double l[M * M], b[M * N], full[M * N];
  float l_f[M * M], b_f[M * N];
  fill_random(M * M, 5, l);
  fill_random(M * N, 6, b);
  for (int row = 0; row < M; row++) {
    for (int column = 0; column < M; column++) {
      l[row * M + column] *= column <= row;
      l_f[row * M + column] = (float)l[row * M + column];
    }
  }
  for (int i = 0; i < M * N; i++) {
    b_f[i] = (float)b[i];
  }
  emg_dgemm(0, 0, M, N, M, 1, l, M, b, N, 0, full, N);
  emg_strmm_lower(M, N, l_f, M, b_f, N);
  for (int i = 0; i < M * N; i++) {
    assert_true(fabs(b_f[i] - full[i]) < 1e-5);
  }
}

static void matrices_that_are_not_positive_definite_are_refused(void **state) {
  (void)state;
  double copies[4] = {1, 1, 1, 1}, rhs[2] = {1, 2};
  emg_error err = {0};
  assert_int_equal(emg_cholesky(2, copies, &err), EMG_ERR_DATA);
  assert_non_null(strstr(emg_error_message(&err), "2 x 2"));
  double negative[4] = {1, 2, 2, 1};
  assert_int_equal(emg_solve_spd(2, negative, 1, rhs, &err), EMG_ERR_DATA);
  double broken[4] = {NAN, 0, 0, 1}, values[2];
  assert_int_equal(emg_cholesky(2, broken, &err), EMG_ERR_DATA);
  double unknown[4] = {NAN, 0, 0, 1};
  assert_int_equal(emg_eigen_symmetric(2, unknown, values, &err), EMG_ERR_DATA);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products_are_sums_of_products_in_all_four_forms),
      cmocka_unit_test(products_are_computed_by_openblas),
      cmocka_unit_test(eigenvectors_are_rows_in_ascending_order),
      cmocka_unit_test(a_cholesky_factor_is_lower_and_multiplies_back),
      cmocka_unit_test(a_solution_solves_every_right_hand_side),
      cmocka_unit_test(mixing_by_a_triangle_equals_the_full_product),
      cmocka_unit_test(matrices_that_are_not_positive_definite_are_refused),
  };
  emg_init();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
