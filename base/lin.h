// lin.h -- the only caller of BLAS and LAPACK. Row-major; one thread per call: parallelise outside.
#ifndef EMG_BASE_LIN_H
#define EMG_BASE_LIN_H

#include <emgtwin/status.h>

// C = alpha op(A) op(B) + beta C; transa/transb: use the transpose. C is m x n, the sum over k.
// A delayed copy of a recording stored time-major [sample][channel] is the same memory `delay`
// rows earlier, so extended products need no extended matrix: one product per delay.
void emg_sgemm(int transa, int transb, int m, int n, int k, float alpha, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc);
void emg_dgemm(int transa, int transb, int m, int n, int k, double alpha, const double *a, int lda,
               const double *b, int ldb, double beta, double *c, int ldc);

// Eigenvalues (ascending) and eigenvectors of a symmetric n x n matrix. `a` is overwritten: row i
// becomes the eigenvector of eigenvalue i. EMG_ERR_DATA if it does not converge.
emg_status emg_eigen_symmetric(int n, double *a, double *eigenvalues, emg_error *err);

// Cholesky solve of a symmetric positive definite n x n system for n_rhs right-hand sides, each a
// row of `b` (n_rhs x n), overwritten by the solutions; `a` is overwritten by its factor.
// EMG_ERR_DATA if not positive definite.
emg_status emg_solve_spd(int n, double *a, int n_rhs, double *b, emg_error *err);

// Inverse of a symmetric positive definite n x n matrix in place, both triangles. EMG_ERR_DATA if
// not positive definite.
emg_status emg_invert_spd(int n, double *a, emg_error *err);

// The same with the factor emg_cholesky left in `a`, which is kept.
void emg_cholesky_solve(int n, const double *factor, int n_rhs, double *b);

// B = L B in place, L lower triangular m x m, B m x n: mixes rows by a Cholesky factor.
void emg_strmm_lower(int m, int n, const float *l, int ldl, float *b, int ldb);

// Lower Cholesky factor (row-major) of `a` in place; the upper triangle is cleared.
emg_status emg_cholesky(int n, double *a, emg_error *err);

#endif
