// lin.c -- BLAS and LAPACK behind row-major calls
#include "lin.h"

#include <stddef.h>

#include <cblas.h>
#include <lapacke.h>

void emg_sgemm(int transa, int transb, int m, int n, int k, float alpha, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc) {
  cblas_sgemm(CblasRowMajor, transa ? CblasTrans : CblasNoTrans, transb ? CblasTrans : CblasNoTrans,
              m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void emg_dgemm(int transa, int transb, int m, int n, int k, double alpha, const double *a, int lda,
               const double *b, int ldb, double beta, double *c, int ldc) {
  cblas_dgemm(CblasRowMajor, transa ? CblasTrans : CblasNoTrans, transb ? CblasTrans : CblasNoTrans,
              m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void emg_strmm_lower(int m, int n, const float *l, int ldl, float *b, int ldb) {
  cblas_strmm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, m, n, 1, l, ldl, b,
              ldb);
}

// Symmetric matrices go to LAPACK as column-major, which avoids LAPACKE's transposing copy: upper
// and lower swap, and eigenvectors arrive as rows.

emg_status emg_eigen_symmetric(int n, double *a, double *eigenvalues, emg_error *err) {
  lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', n, a, n, eigenvalues);

  if (info != 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the eigenvalues of a %d x %d covariance do not converge; look for channels "
                    "with extreme values",
                    n, n);
  }
  return EMG_OK;
}

emg_status emg_cholesky(int n, double *a, emg_error *err) {
  lapack_int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, a, n);

  if (info < 0) {
    return emg_fail(err, EMG_ERR_DATA, "a %d x %d covariance holds values that are not finite", n,
                    n);
  }
  if (info > 0) {
    return emg_fail(err, EMG_ERR_DATA,
                    "a %d x %d covariance is not positive definite at row %d; channels may be "
                    "copies of each other",
                    n, n, (int)info);
  }
  for (int row = 0; row < n; row++) {
    for (int column = row + 1; column < n; column++) {
      a[(size_t)row * (size_t)n + (size_t)column] = 0;
    }
  }
  return EMG_OK;
}

emg_status emg_solve_spd(int n, double *a, int n_rhs, double *b, emg_error *err) {
  EMG_TRY(emg_cholesky(n, a, err));
  emg_cholesky_solve(n, a, n_rhs, b);
  return EMG_OK;
}

emg_status emg_invert_spd(int n, double *a, emg_error *err) {
  EMG_TRY(emg_cholesky(n, a, err));
  LAPACKE_dpotri(LAPACK_COL_MAJOR, 'U', n, a, n);
  for (int row = 0; row < n; row++) {
    for (int column = row + 1; column < n; column++) {
      a[(size_t)row * (size_t)n + (size_t)column] = a[(size_t)column * (size_t)n + (size_t)row];
    }
  }
  return EMG_OK;
}

void emg_cholesky_solve(int n, const double *factor, int n_rhs, double *b) {
  // without the search for NaN that LAPACKE adds, which costs as much as a few solutions
  LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', n, n_rhs, factor, n, b, n);
}
