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

#include <emgtwin/conductor.h>

// A fibre is a line only from outside: distances from its axis to a point electrode are held here.
#define EMG_FIBRE_CLEARANCE_M 27e-6

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

#endif
