// engine_sheet.c -- lead functions of one source radius over angles and axial offsets
#include "sim/engine_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/lin.h"
#include "sim/conductor_priv.h"

// E_n G_n at the skin for a source at the muscle's outer radius.
static emg_status fill_skin(const emg_table_source *source, emg_sheet_basis *basis,
                            emg_error *err) {
  const emg_conductor *conductor = &source->conductor;
  const int n_orders = basis->truncation.n_orders, n_waves = basis->truncation.n_wavenumbers;
  const double skin_m = emg_conductor_skin_radius_m(conductor);
  const double outer_m = emg_conductor_muscle_outer_m(conductor);

  EMG_TRY(emg_alloc((size_t)n_waves * (size_t)n_orders, sizeof(double), &basis->skin, err));
  for (int j = 0; j < n_waves; j++) {
    const double k = (j + 0.5) * basis->truncation.dk_rad_per_m;
    double *row = basis->skin + (ptrdiff_t)j * n_orders;
    EMG_TRY(emg_conductor_orders(conductor, k, outer_m, skin_m, n_orders, row, err));
    for (int n = 0; n < n_orders; n++) {
      row[n] *= emg_detection_transfer(&source->detection, n, k, skin_m);
    }
  }
  return EMG_OK;
}

emg_status emg_sheet_basis_create(const emg_table_source *source, const emg_truncation *truncation,
                                  int n_offsets, const double *offset_m, emg_sheet_basis *out,
                                  emg_error *err) {
  emg_status status = EMG_OK;
  const int n_waves = truncation->n_wavenumbers;

  *out = (emg_sheet_basis){.truncation = *truncation, .n_offsets = n_offsets};
  size_t size = (size_t)n_waves * (size_t)n_offsets;
  EMG_TRY_DONE(emg_alloc(size, sizeof(double), &out->cosine, err));
  EMG_TRY_DONE(emg_alloc(size, sizeof(double), &out->sine, err));
  for (int j = 0; j < n_waves; j++) {
    const double k = (j + 0.5) * truncation->dk_rad_per_m;
    for (int i = 0; i < n_offsets; i++) {
      out->cosine[(ptrdiff_t)j * n_offsets + i] = cos(k * offset_m[i]);
      out->sine[(ptrdiff_t)j * n_offsets + i] = sin(k * offset_m[i]);
    }
  }
  if (!source->is_interior) {
    EMG_TRY_DONE(fill_skin(source, out, err));
  }
done:
  if (status != EMG_OK) {
    emg_sheet_basis_free(out);
  }
  return status;
}

void emg_sheet_basis_free(emg_sheet_basis *basis) {
  free(basis->cosine);
  free(basis->sine);
  free(basis->skin);
  *basis = (emg_sheet_basis){0};
}

// G_n for all orders and wavenumbers: [wavenumber][order]. On the skin the depth of the source is
// a factor of its own, so the layers are solved once for all radii.
static emg_status fill_orders(const emg_table_source *source, const emg_sheet_basis *basis,
                              double source_m, double field_m, double *orders, emg_error *err) {
  const int n_orders = basis->truncation.n_orders;

  for (int j = 0; j < basis->truncation.n_wavenumbers; j++) {
    const double k = (j + 0.5) * basis->truncation.dk_rad_per_m;
    double *row = orders + (ptrdiff_t)j * n_orders;
    if (source->is_interior) {
      EMG_TRY(emg_conductor_orders_smooth(&source->conductor, k, source_m, field_m, n_orders, row,
                                          err));
      continue;
    }
    EMG_TRY(emg_conductor_radial_ratio(&source->conductor, k, source_m, n_orders, row, err));
    for (int n = 0; n < n_orders; n++) {
      row[n] *= basis->skin[(ptrdiff_t)j * n_orders + n];
    }
  }
  return EMG_OK;
}

// Multiply the lead field's transform by one lead function's, real and imaginary part.
static void apply_function(const emg_table_source *source, const emg_truncation *truncation,
                           int function, int n_angles, const double *lead, double *real,
                           double *imaginary) {
  const int n_waves = truncation->n_wavenumbers;
  const double measure = truncation->dk_rad_per_m / (2 * M_PI * M_PI);

  for (int j = 0; j < n_waves; j++) {
    const double k = (j + 0.5) * truncation->dk_rad_per_m;
    double complex multiplier[5];
    emg_lead_function_transforms(&source->source, k, multiplier);
    multiplier[EMG_SHEET_PRIMITIVE] = emg_lead_primitive_transform(&source->source, k);
    const double re = measure * creal(multiplier[function]);
    const double im = measure * cimag(multiplier[function]);

    for (int i = 0; i < n_angles; i++) {
      real[(ptrdiff_t)i * n_waves + j] = re * lead[(ptrdiff_t)i * n_waves + j];
      imaginary[(ptrdiff_t)i * n_waves + j] = im * lead[(ptrdiff_t)i * n_waves + j];
    }
  }
}

// q(z) = SUM_j dk/(2 pi^2) [Re(m L^) cos k_j z - Im(m L^) sin k_j z]: two products per function.
emg_status emg_sheet_fill(const emg_table_source *source, const emg_sheet_basis *basis,
                          double source_m, double field_m, int n_angles, const double *angle_rad,
                          int n_functions, const int *functions, double *even, double *odd,
                          emg_error *err) {
  emg_status status = EMG_OK;
  const int n_orders = basis->truncation.n_orders, n_waves = basis->truncation.n_wavenumbers;
  const int n_offsets = basis->n_offsets;
  const size_t sheet = (size_t)n_angles * (size_t)n_waves;
  double *orders = NULL, *cosines = NULL, *lead = NULL;

  EMG_TRY_DONE(emg_alloc((size_t)n_waves * (size_t)n_orders, sizeof(double), &orders, err));
  EMG_TRY_DONE(emg_alloc((size_t)n_angles * (size_t)n_orders, sizeof(double), &cosines, err));
  EMG_TRY_DONE(emg_alloc(3 * sheet, sizeof(double), &lead, err));
  double *real = lead + sheet, *imaginary = real + sheet;

  // sum over orders, in double: far round the limb its terms cancel
  EMG_TRY_DONE(fill_orders(source, basis, source_m, field_m, orders, err));
  for (int i = 0; i < n_angles; i++) {
    for (int n = 0; n < n_orders; n++) {
      cosines[(ptrdiff_t)i * n_orders + n] = (n == 0 ? 1 : 2) * cos(n * angle_rad[i]);
    }
  }
  emg_dgemm(0, 1, n_angles, n_waves, n_orders, 1, cosines, n_orders, orders, n_orders, 0, lead,
            n_waves);

  // sum over wavenumbers
  for (int f = 0; f < n_functions; f++) {
    const ptrdiff_t at = (ptrdiff_t)f * n_angles * n_offsets;
    apply_function(source, &basis->truncation, functions[f], n_angles, lead, real, imaginary);
    emg_dgemm(0, 0, n_angles, n_offsets, n_waves, 1, real, n_waves, basis->cosine, n_offsets, 0,
              even + at, n_offsets);
    emg_dgemm(0, 0, n_angles, n_offsets, n_waves, -1, imaginary, n_waves, basis->sine, n_offsets, 0,
              odd + at, n_offsets);
  }
done:
  free(orders);
  free(cosines);
  free(lead);
  return status;
}
