// conductor_priv.h -- responses of the conductor in the (n, k) domain, for this module alone
//
// Conventions (Farina et al. 2004): unit source at (R, 0, 0), potential
//   phi(rho, theta, z) = 1/(4 pi^2) SUM_{n=-inf}^{inf} e^{in theta} INT dk e^{ikz} E_n G_n(k; rho,
//   R)
// with G_n in ohm m, positive, even in n and k. On the midpoint grid k_j = (j + 1/2) dk, j >= 0,
//   L(z)  = 1/(2 pi^2) SUM_j dk L^(k_j) cos(k_j z),   L^(k) = SUM_{n>=0} eps_n cos(n theta) E_n G_n
// eps_0 = 1, else 2. The grid makes L antiperiodic, L(z + P) = -L(z), P = 2 pi / dk, and lifts it
// by P / (4 S), S = SUM sz_j pi (r_j^2 - r_{j-1}^2): a monopole's potential is -|z| / (2 S) far
// away. What a fibre radiates carries no net current, so the constant never reaches its potential.
#ifndef EMG_SIM_CONDUCTOR_PRIV_H
#define EMG_SIM_CONDUCTOR_PRIV_H

#include <complex.h>
#include <stdbool.h>

#include <emgtwin/conductor.h>

// A fibre is a line only from outside: distances from its axis to a point electrode are held here.
#define EMG_FIBRE_CLEARANCE_M 27e-6

// EMG_ERR_ARG for sizes that are not positive and finite, or no shape.
emg_status emg_detection_check(const emg_detection *detection, emg_error *err);
// EMG_ERR_ARG for a scale or conductivity that is not positive, anything not finite.
emg_status emg_action_potential_check(const emg_action_potential *source, emg_error *err);

// --- Bessel functions as ratios (bessel.c) ----------------------------------------------------

// All orders of one argument x > 0. Only ratios are stored, so nothing overflows at any n and x.
typedef struct {
  double x, i0_scaled, k0_scaled;  // e^-x I_0(x), e^x K_0(x)
  double *rise;                    // x I_n'(x) / I_n(x), > 0
  double *fall;                    // -x K_n'(x) / K_n(x), > 0
  double *i_step, *k_step;         // I_n / I_{n-1} and K_n / K_{n-1}, from n = 1 (0 unused)
} emg_bessel_orders;

#define EMG_BESSEL_ROWS 4
// Fills `out` for n < n_orders; `memory` holds EMG_BESSEL_ROWS * n_orders doubles and outlives it.
void emg_bessel_orders_fill(double x, int n_orders, double *memory, emg_bessel_orders *out);
// I_n(a) / I_n(b) and K_n(b) / K_n(a) for arguments a <= b, `gap` = b - a without cancellation.
void emg_bessel_ratio_i(const emg_bessel_orders *a, const emg_bessel_orders *b, double gap,
                        int n_orders, double *ratio);
void emg_bessel_ratio_k(const emg_bessel_orders *a, const emg_bessel_orders *b, double gap,
                        int n_orders, double *ratio);

// --- All orders of one wavenumber (layers.c) ---------------------------------------------------
// k > 0 (a k whose argument underflows is held at the limit k -> 0, right for n >= 1); the source
// lies in the muscle layer. Cost O(n_orders). EMG_ERR_ARG outside the cylinder or for a source
// outside the muscle. Thread-safe: scratch is allocated per call.

// G_n(k; field, source), n = 0 .. n_orders - 1; field in any layer, on either side of the source.
emg_status emg_conductor_orders(const emg_conductor *conductor, double k_rad_per_m, double source_m,
                                double field_m, int n_orders, double *g_ohm_m, emg_error *err);

// G^s_n = G_n - I_n(lam r<) K_n(lam r>) / st, for a field point in the muscle: what the layers add
// to an unbounded muscle, lam = |k| sqrt(sz / st) of the muscle. Free of cancellation: decays like
// exp(-lam (2 b - rho - R)) from the outer boundary b, and alike from the bone.
emg_status emg_conductor_orders_smooth(const emg_conductor *conductor, double k_rad_per_m,
                                       double source_m, double field_m, int n_orders,
                                       double *g_ohm_m, emg_error *err);

// D_n(k; R) with G_n(k; rho, R) = G_n(k; rho, b) D_n(k; R) for every rho >= b, b the outer radius
// of the muscle: I_n(lam R) / I_n(lam b) without bone. In (0, 1] (0 at R = 0 for n >= 1).
emg_status emg_conductor_radial_ratio(const emg_conductor *conductor, double k_rad_per_m,
                                      double source_m, int n_orders, double *ratio, emg_error *err);

// Checks a fibre and a field point, and moves them onto a surface they miss by rounding (1e-9).
emg_status emg_conductor_place(const emg_conductor *conductor, double *source_m, double *field_m,
                               emg_error *err);

// S in S m: conductance per length of the whole cross-section; G_0 -> 2 pi / (S k^2) for k -> 0.
double emg_conductor_axial_conductance(const emg_conductor *conductor);

// --- The four lead functions (source.c) ---------------------------------------------------------
// With V(x) = A (x/l)^3 e^{-x/l}, u = x/l and a = A/l (Farina & Merletti 2001, eqs 16-22):
//   q0(D) = a INT_0^inf e^-u (6u - 6u^2 + u^3) L(D + l u) du
//   q1(D) = a INT_0^inf e^-u (6 - 12u + 3u^2) L(D + l u) du
//   q2(D) = a INT_0^inf e^-u (-6 + 3u) L(D + l u) du + 3 a L(D)
//   q3(D) = a INT_0^inf e^-u L(D + l u) du - a L(D)
// in V ohm / m. The wave launched at the end-plate to the right that has run x is
//   W(x, D) = q0(D - x) - e^{-x/l} SUM_{i<4} q_i(D) (x/l)^i   for x > 0, else 0,
// and with D = z_electrode - z_end_plate the fibre's potential is exactly
//   c [ W(vt, D) + W(vt, -D) - W(vt - L1, D - L1) - W(vt - L2, -D - L2) ],  c = pi r^2 sigma_i.
// (L is even; q_i are not.)

// Multipliers m_i(k) with q_i^(k) = m_i L^(k), in V/m; on the midpoint grid
//   q_i(z) = 1/(2 pi^2) Re SUM_j dk m_i(k_j) L^(k_j) e^{ik_j z}.
void emg_lead_function_transforms(const emg_action_potential *source, double k_rad_per_m,
                                  double complex multiplier[4]);

// Multiplier of the function p that all four are derivatives of: with D = l d/dz and beta = 1 /
// (1 - ikl), p^ = a ikl beta^4 L^ and
//   q0 = 6 D p,  q1 = 6 D (1 - D) p,  q2 = 3 D (1 - D)^2 p,  q3 = (1 - D)^3 p.
double complex emg_lead_primitive_transform(const emg_action_potential *source, double k_rad_per_m);

// q0..q3 of one electrode at angle `dtheta_rad` from a fibre at `source_m`, at n_z offsets:
// q_i(z_m[j]) is q[i * n_z + j], in V ohm / m. Direct sums, for tables to be checked against;
// interior electrodes include the free-space part. Error below `tolerance` of the peak over z at
// dtheta = 0.
emg_status emg_lead_functions(const emg_conductor *conductor, const emg_detection *detection,
                              const emg_action_potential *source, double source_m, double field_m,
                              double dtheta_rad, int n_z, const double *z_m, double tolerance,
                              double *q, emg_error *err);

// --- One fibre depth and one electrode depth (truncation.c) -----------------------------------

// `is_split`: both in the muscle, so the sums run over G^s and free space is added in closed form.
typedef struct {
  const emg_conductor *conductor;
  emg_detection detection;
  double source_m, field_m;
  bool is_split;
} emg_pair;

// EMG_ERR_CONFIG for a bad conductor; EMG_ERR_ARG for points outside, or for an electrode with an
// area that is not on the skin. `detection` NULL: a point.
emg_status emg_pair_create(const emg_conductor *conductor, const emg_detection *detection,
                           double source_m, double field_m, emg_pair *out, emg_error *err);

// eps_n E_n G_n (G^s if split) for `count` wavenumbers from k_first on: terms[i * n_orders + n].
emg_status emg_pair_terms(const emg_pair *pair, double k_first, double dk, int count, int n_orders,
                          double *terms, emg_error *err);

// Slowest decay along z in 1/m of what a source without net current leaves, the step apart.
double emg_conductor_slowest_decay(const emg_conductor *conductor);

// As emg_conductor_truncation, for an action potential of scale l. `scale` is the sum over (n, k)
// that the tolerance refers to, dk SUM |q0^| / (2 pi^2 a) at dtheta = 0 in ohm.
emg_status emg_pair_truncate(const emg_pair *pair, double scale_m, double reach_m, double tolerance,
                             emg_truncation *out, double *scale, emg_error *err);

// L^ of several angles, a block of wavenumbers at a time (lead_field.c).
typedef struct {
  const emg_pair *pair;
  const emg_truncation *truncation;
  int n_angles, block;
  double *cosines, *terms;  // cos(n dtheta): n_angles x n_orders; block x n_orders
  double *values;           // of the last block: n_angles x count
} emg_spectrum;

emg_status emg_spectrum_create(const emg_pair *pair, const emg_truncation *truncation, int n_angles,
                               const double *dtheta_rad, int block, emg_spectrum *out,
                               emg_error *err);
void emg_spectrum_free(emg_spectrum *spectrum);
// L^ dk / (2 pi^2) of wavenumbers first .. first + count - 1 to values[angle * count + i].
emg_status emg_spectrum_fill(emg_spectrum *spectrum, int first, int count, emg_error *err);

// --- Unbounded muscle (free_space.c) -----------------------------------------------------------

// 1 / (4 pi st sqrt(z^2 + (sz/st) d^2)) and its antiperiodic images (-1)^m at z + m P.
typedef struct {
  double factor_ohm_m, width_m, period_m;  // 1 / (4 pi st), sqrt(sz/st) d
} emg_free_space;

emg_free_space emg_free_space_at(const emg_pair *pair, double dtheta_rad, double period_m);
// Potential of 1 A with all its images, in ohm; |z| < P.
double emg_free_space_lead(const emg_free_space *free_space, double z_m);

// Quadrature rules of the four lead functions of the above.
typedef struct emg_free_rules emg_free_rules;
emg_status emg_free_rules_create(emg_free_rules **out, emg_error *err);
void emg_free_rules_free(emg_free_rules *rules);
// q_i(z) for i < 4.
void emg_free_space_functions(const emg_free_rules *rules, const emg_free_space *free_space,
                              const emg_action_potential *source, double z_m, double q[4]);

#endif
