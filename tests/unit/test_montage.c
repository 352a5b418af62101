// test_montage.c -- counts, weights, names and places of channels
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <emgtwin/emgtwin.h>

// Electrodes of a rows x columns grid on a cylinder of 50 mm, 10 mm apart, without those listed.
static emg_electrode_set flat_grid(const struct emg_config_electrodes *e) {
  emg_electrode_set set = {.skin_radius_m = 0.05, .pitch_m = 0.01};
  set.electrodes = calloc((size_t)(e->rows * e->columns), sizeof *set.electrodes);
  assert_non_null(set.electrodes);
  for (int row = 0; row < e->rows; row++) {
    for (int column = 0; column < e->columns; column++) {
      bool present = true;
      for (int i = 0; i < e->missing.n; i++) {
        present = present && e->missing.values[i] != row * e->columns + column;
      }
      if (present) {
        set.electrodes[set.n_electrodes++] =
            (emg_electrode){0.05, 0.2 * column, 0.01 * row, row, column};
      }
    }
  }
  return set;
}

static emg_montage montage_of(emg_config *config, int rows, int columns, int montage) {
  config->electrodes.rows = rows;
  config->electrodes.columns = columns;
  config->electrodes.montage = montage;
  emg_electrode_set set = flat_grid(&config->electrodes);
  emg_montage out;
  assert_int_equal(emg_montage_create(config, &set, &out, NULL), EMG_OK);
  emg_electrodes_free(&set);
  return out;
}

static double row_sum(const emg_montage *m, int channel) {
  double sum = 0;
  for (int64_t e = 0; e < m->weights.n_cols; e++) {
    sum += emg_row2d(&m->weights, channel)[e];
  }
  return sum;
}

static void monopolar_is_the_identity(void **state) {
  (void)state;
  emg_config config = {0};
  emg_montage m = montage_of(&config, 4, 3, EMG_MONTAGE_MONOPOLAR);
  assert_int_equal(m.weights.n_rows, 12);
  for (int c = 0; c < 12; c++) {
    for (int e = 0; e < 12; e++) {
      assert_true(emg_row2d(&m.weights, c)[e] == (c == e));
    }
  }
  assert_string_equal(m.channels[0].name, "R01C01");
  assert_string_equal(m.channels[11].name, "R04C03");
  emg_montage_free(&m);
}

static void a_13_by_5_grid_has_60_single_differential_channels(void **state) {
  (void)state;
  emg_config config = {0};
  emg_montage m = montage_of(&config, 13, 5, EMG_MONTAGE_SINGLE_DIFFERENTIAL);
  assert_int_equal(m.weights.n_rows, 60);
  // channel (7, 3): electrode (8, 3) minus (7, 3), half-way between them
  const emg_channel *channel = &m.channels[7 * 5 + 3];
  assert_int_equal(channel->row, 7);
  assert_int_equal(channel->column, 3);
  assert_true(emg_row2d(&m.weights, 38)[8 * 5 + 3] == 1);
  assert_true(emg_row2d(&m.weights, 38)[7 * 5 + 3] == -1);
  assert_true(fabs(channel->z_mm - 75) < 1e-9);
  assert_true(fabs(channel->x_mm - 50 * cos(0.6)) < 1e-9);
  assert_true(fabs(channel->y_mm - 50 * sin(0.6)) < 1e-9);
  emg_montage_free(&m);
}

static void a_missing_corner_takes_only_the_pair_that_needs_it(void **state) {
  (void)state;
  emg_config config = {0};
  config.electrodes.missing = (emg_list){1, {0}};
  emg_montage m = montage_of(&config, 13, 5, EMG_MONTAGE_SINGLE_DIFFERENTIAL);
  assert_int_equal(m.weights.n_rows, 59);
  assert_int_equal(m.channels[0].row, 0);
  assert_int_equal(m.channels[0].column, 1);
  int first_column = 0;
  for (int c = 0; c < 59; c++) {
    first_column += m.channels[c].column == 0;
    assert_true(m.channels[c].row != 0 || m.channels[c].column != 0);
  }
  assert_int_equal(first_column, 11);
  emg_montage_free(&m);

  m = montage_of(&config, 13, 5, EMG_MONTAGE_LAPLACIAN);  // no neighbourhood holds a corner
  assert_int_equal(m.weights.n_rows, 11 * 3);
  emg_montage_free(&m);
}

static void all_but_monopolar_rows_sum_to_zero(void **state) {
  (void)state;
  const int montages[] = {EMG_MONTAGE_SINGLE_DIFFERENTIAL, EMG_MONTAGE_DOUBLE_DIFFERENTIAL,
                          EMG_MONTAGE_LAPLACIAN, EMG_MONTAGE_AVERAGE_REFERENCE};
  for (size_t i = 0; i < sizeof montages / sizeof montages[0]; i++) {
    emg_config config = {0};
    emg_montage m = montage_of(&config, 6, 5, montages[i]);
    for (int c = 0; c < m.weights.n_rows; c++) {
      assert_true(fabs(row_sum(&m, c)) < 1e-14);
    }
    emg_montage_free(&m);
  }
}

static void average_reference_sums_to_zero_over_channels(void **state) {
  (void)state;
  emg_config config = {0};
  emg_montage m = montage_of(&config, 4, 4, EMG_MONTAGE_AVERAGE_REFERENCE);
  for (int e = 0; e < 16; e++) {
    double sum = 0;
    for (int c = 0; c < 16; c++) {
      sum += emg_row2d(&m.weights, c)[e];
    }
    assert_true(fabs(sum) < 1e-14);
  }
  emg_montage_free(&m);
}

static void double_differential_is_the_difference_of_differences(void **state) {
  (void)state;
  emg_config config = {0};
  emg_montage sd = montage_of(&config, 6, 2, EMG_MONTAGE_SINGLE_DIFFERENTIAL);
  emg_montage dd = montage_of(&config, 6, 2, EMG_MONTAGE_DOUBLE_DIFFERENTIAL);
  assert_int_equal(dd.weights.n_rows, 8);
  for (int c = 0; c < 8; c++) {
    for (int e = 0; e < 12; e++) {
      assert_true(emg_row2d(&dd.weights, c)[e] ==
                  emg_row2d(&sd.weights, c + 2)[e] - emg_row2d(&sd.weights, c)[e]);
    }
    assert_true(fabs(dd.channels[c].z_mm - 10 * (c / 2 + 1)) < 1e-9);
  }
  emg_montage_free(&sd);
  emg_montage_free(&dd);
}

static void laplacian_of_a_linear_field_is_zero_and_of_a_bowl_is_constant(void **state) {
  (void)state;
  emg_config config = {0};
  emg_montage m = montage_of(&config, 5, 5, EMG_MONTAGE_LAPLACIAN);
  assert_int_equal(m.weights.n_rows, 9);
  for (int c = 0; c < 9; c++) {
    double linear = 0, bowl = 0;
    for (int e = 0; e < 25; e++) {
      int row = e / 5, column = e % 5;
      linear += emg_row2d(&m.weights, c)[e] * (3 * row - 2 * column + 7);
      bowl += emg_row2d(&m.weights, c)[e] * (row * row + column * column);
    }
    assert_true(fabs(linear) < 1e-12);
    assert_true(fabs(bowl + 1) < 1e-12);  // centre minus mean of four: -(1 + 1 + 1 + 1) / 4
  }
  emg_montage_free(&m);
}

static void a_ring_closes_its_laplacian(void **state) {
  (void)state;
  emg_config config = {0};
  config.electrodes.layout = EMG_LAYOUT_RING;
  emg_montage m = montage_of(&config, 3, 8, EMG_MONTAGE_LAPLACIAN);
  assert_int_equal(m.weights.n_rows, 8);
  assert_true(emg_row2d(&m.weights, 0)[1 * 8 + 7] == -0.25);
  assert_true(emg_row2d(&m.weights, 0)[1 * 8 + 1] == -0.25);
  assert_int_equal(m.channels[0].column, 0);
  emg_montage_free(&m);
}

static void a_grid_without_room_for_the_montage_is_refused(void **state) {
  (void)state;
  emg_config config = {0};
  config.electrodes.rows = 2;
  config.electrodes.columns = 5;
  config.electrodes.montage = EMG_MONTAGE_DOUBLE_DIFFERENTIAL;
  emg_electrode_set set = flat_grid(&config.electrodes);
  emg_montage m;
  emg_error err = {0};
  assert_int_equal(emg_montage_create(&config, &set, &m, &err), EMG_ERR_CONFIG);
  assert_non_null(strstr(emg_error_message(&err), "2 x 5"));
  emg_electrodes_free(&set);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(monopolar_is_the_identity),
      cmocka_unit_test(a_13_by_5_grid_has_60_single_differential_channels),
      cmocka_unit_test(a_missing_corner_takes_only_the_pair_that_needs_it),
      cmocka_unit_test(all_but_monopolar_rows_sum_to_zero),
      cmocka_unit_test(average_reference_sums_to_zero_over_channels),
      cmocka_unit_test(double_differential_is_the_difference_of_differences),
      cmocka_unit_test(laplacian_of_a_linear_field_is_zero_and_of_a_bowl_is_constant),
      cmocka_unit_test(a_ring_closes_its_laplacian),
      cmocka_unit_test(a_grid_without_room_for_the_montage_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
