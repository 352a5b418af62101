// test_native_hostile.c -- HDF5 files that nobody should have written: refused with a sentence
#include <math.h>

#include <hdf5.h>

#include <emgtwin/emgtwin.h>

#include "../file_fixture.h"

// A file like ours with /emg/data of int16 made by `properties`; the caller may add to it.
static hid_t make_file(const char *path, int rank, const hsize_t *dims, hid_t type,
                       hid_t properties, hid_t *data) {
  int64_t one = 1;
  double rate = 2048;
  emg_init();
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t group = H5Gcreate2(file, "emg", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  hid_t space = H5Screate_simple(rank, dims, NULL), scalar = H5Screate(H5S_SCALAR);
  hid_t mark = H5Acreate2(file, "complete", H5T_STD_I64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(mark, H5T_NATIVE_INT64, &one);
  H5Aclose(mark);
  hid_t rate_id = H5Dcreate2(group, "sampling_rate_hz", H5T_IEEE_F64LE, scalar, H5P_DEFAULT,
                             H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(rate_id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &rate);
  H5Dclose(rate_id);
  *data = H5Dcreate2(group, "data", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  assert_true(*data >= 0);
  H5Sclose(space);
  H5Sclose(scalar);
  H5Gclose(group);
  return file;
}

static void refuse_file(int rank, const hsize_t *dims, hid_t type, hid_t properties,
                        const char *fragment) {
  hid_t data, file = make_file(fixture_path("h.h5"), rank, dims, type, properties, &data);
  H5Dclose(data);
  H5Fclose(file);
  refuse(fixture_path("h.h5"), fragment);
}

static hid_t chunked(int rank, const hsize_t *chunk) {
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, rank, chunk);
  return properties;
}

static void a_claim_of_10_gib_is_refused_before_memory_is_taken(void **state) {
  (void)state;
  const hsize_t dims[] = {64, 83886080}, chunk[] = {64, 4096};
  hid_t properties = chunked(2, chunk);
  refuse_file(2, dims, H5T_STD_I16LE, properties, "claims 10737.4 MB");
  H5Pset_deflate(properties, 1);
  refuse_file(2, dims, H5T_STD_I16LE, properties, "claims 10737.4 MB");
  H5Pclose(properties);
  // never written, so not stored
  refuse_file(2, dims, H5T_STD_I16LE, H5P_DEFAULT, "claims 10737.4 MB");
}

static void chunks_that_are_not_there_are_missed(void **state) {
  (void)state;
  const hsize_t dims[] = {4, 8}, chunk[] = {2, 4};
  hid_t properties = chunked(2, chunk);
  refuse_file(2, dims, H5T_STD_I16LE, properties, "not all of it is in the file");
  H5Pclose(properties);
}

static void other_shapes_and_types_are_refused(void **state) {
  (void)state;
  const hsize_t dims[] = {3, 4, 2, 2, 2};
  hid_t bits = H5Tcopy(H5T_STD_I32LE);
  H5Tset_precision(bits, 20);
  refuse_file(1, dims, H5T_STD_I16LE, H5P_DEFAULT, "not all of it");
  hid_t early = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_alloc_time(early, H5D_ALLOC_TIME_EARLY);
  refuse_file(1, dims, H5T_STD_I16LE, early, "has 1 dimensions, not 2");
  refuse_file(5, dims, H5T_STD_I16LE, early, "at most 4 dimensions");
  refuse_file(2, dims, H5T_C_S1, early, "does not hold numbers");
  refuse_file(2, dims, bits, early, "does not hold numbers");
  refuse_file(2, dims, H5T_STD_REF_OBJ, early, "does not hold numbers");
  H5Tclose(bits);
  H5Pclose(early);
}

static void empty_recordings_are_refused(void **state) {
  (void)state;
  refuse_file(2, (const hsize_t[]){4, 0}, H5T_STD_I16LE, H5P_DEFAULT, "4 channels but 0 samples");
  refuse_file(2, (const hsize_t[]){0, 4}, H5T_STD_I16LE, H5P_DEFAULT, "holds no EMG");
}

static void other_filters_and_files_are_not_followed(void **state) {
  (void)state;
  const hsize_t dims[] = {4, 8}, chunk[] = {2, 4};
  hid_t properties = chunked(2, chunk);
  H5Pset_scaleoffset(properties, H5Z_SO_INT, 3);
  refuse_file(2, dims, H5T_STD_I16LE, properties, "filter other than shuffle and gzip");
  H5Pclose(properties);

  properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(properties, "/etc/passwd", 0, 64);
  refuse_file(2, dims, H5T_STD_I16LE, properties, "stored in another file");
  H5Pclose(properties);

  // the whole group in another file, and a soft link in a circle
  emg_init();
  hid_t file = H5Fcreate(fixture_path("l.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  int64_t one = 1;
  hid_t scalar = H5Screate(H5S_SCALAR);
  hid_t mark = H5Acreate2(file, "complete", H5T_STD_I64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(mark, H5T_NATIVE_INT64, &one);
  H5Aclose(mark);
  H5Sclose(scalar);
  H5Lcreate_external("h.h5", "/emg", file, "emg", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/truth", file, "truth", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  refuse(fixture_path("l.h5"), "holds no EMG");
}

// A sound recording of one channel, written by another program in the layout of ours.
static void write_samples(const float *samples, hsize_t n) {
  const hsize_t dims[] = {1, n};
  hid_t data, file = make_file(fixture_path("s.h5"), 2, dims, H5T_IEEE_F32BE, H5P_DEFAULT, &data);
  hid_t text = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
  H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, samples);
  H5Tset_size(text, 3);
  hid_t units = H5Acreate2(data, "units", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(units, text, "mV");
  H5Aclose(units);
  H5Tclose(text);
  H5Sclose(scalar);
  H5Dclose(data);
  H5Fclose(file);
}

static void a_channel_of_not_numbers_is_flagged(void **state) {
  (void)state;
  const float samples[] = {1, NAN, INFINITY, -2};
  write_samples(samples, 4);
  emg_recording rec = read_or_die(fixture_path("s.h5"), NULL);
  assert_int_equal(rec.data.n_rows, 1);
  assert_int_equal(rec.channels[0].state, EMG_CHANNEL_NOT_FINITE);
  assert_true(emg_row2f(&rec.data, 0)[0] == 1000 && emg_row2f(&rec.data, 0)[1] == 0);
  assert_true(emg_row2f(&rec.data, 0)[2] == 0 && emg_row2f(&rec.data, 0)[3] == -2000);
  assert_true(has_note(&rec, "2 samples of 1 channels are not finite"));
  emg_recording_free(&rec);
}

static void a_file_without_rate_asks_for_it(void **state) {
  (void)state;
  write_samples((const float[]){1, 2}, 2);
  hid_t file = H5Fopen(fixture_path("s.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, "emg/sampling_rate_hz", H5P_DEFAULT);
  H5Fclose(file);
  refuse(fixture_path("s.h5"), "does not state its sampling rate");
  emg_recording rec = read_or_die(fixture_path("s.h5"), &(emg_read_options){.rate_hz = 100});
  assert_true(rec.rate_hz == 100);
  emg_recording_free(&rec);
}

static void a_file_without_its_mark_is_refused(void **state) {
  (void)state;
  write_samples((const float[]){1, 2}, 2);
  hid_t file = H5Fopen(fixture_path("s.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Adelete(file, "complete");
  H5Fclose(file);
  refuse(fixture_path("s.h5"), "not written to its end");
  file = H5Fopen(fixture_path("s.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, "emg", H5P_DEFAULT);
  H5Fclose(file);
  refuse(fixture_path("s.h5"), "not one of emgtwin");
}

static void damaged_spike_trains_are_refused(void **state) {
  (void)state;
  static const int64_t offsets[] = {0, 3, 2}, samples[] = {5, 4};
  const hsize_t three = 3, two = 2;
  write_samples((const float[]){1, 2, 3, 4, 5, 6, 7, 8}, 8);
  for (int k = 0; k < 2; k++) {
    emg_spikes spikes;
    emg_error err = {0};
    hid_t file = H5Fopen(fixture_path("s.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    if (k > 0) {
      H5Ldelete(file, "truth", H5P_DEFAULT);
    }
    hid_t group = H5Gcreate2(file, "truth", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, k == 0 ? &three : &two, NULL);
    hid_t id = H5Dcreate2(group, "spike_offsets", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT,
                          H5P_DEFAULT);
    H5Dwrite(id, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT,
             k == 0 ? offsets : (const int64_t[]){0, 2});
    H5Dclose(id);
    H5Sclose(space);
    space = H5Screate_simple(1, &two, NULL);
    id = H5Dcreate2(group, "spike_samples", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT,
                    H5P_DEFAULT);
    H5Dwrite(id, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, samples);
    H5Dclose(id);
    H5Sclose(space);
    H5Gclose(group);
    H5Fclose(file);
    assert_int_equal(emg_spikes_read(fixture_path("s.h5"), true, &spikes, &err), EMG_ERR_DATA);
    assert_non_null(strstr(emg_error_message(&err), k == 0 ? "does not rise" : "do not ascend"));
    assert_string_equal(err.items[0].file, fixture_path("s.h5"));
    refuse(fixture_path("s.h5"), k == 0 ? "does not rise" : "do not ascend");
  }
}

static void a_file_that_was_cut_or_flipped_is_refused_or_read(void **state) {
  (void)state;
  static const char *const names[] = {"old.h5", "new.h5", "packed.h5"};
  for (int k = 0; k < 3; k++) {
    char path[256];
    size_t n;
    snprintf(path, sizeof path, EMG_SOURCE "/tests/fuzz/corpus/native/%s", names[k]);
    char *bytes = fixture_slurp(path, &n);
    for (size_t i = 0; i < 150; i++) {
      emg_recording rec;
      size_t at = n * i / 150;
      // even: cut there; odd: turn a bit there
      char kept = bytes[at];
      bytes[at] = (char)(i % 2 ? kept ^ 1 << i % 8 : kept);
      fixture_write("x.h5", bytes, i % 2 ? n : at);
      bytes[at] = kept;
      emg_error err = {0};
      emg_status status = emg_recording_read(fixture_path("x.h5"), NULL, &rec, &err);
      if (status == EMG_OK) {
        emg_recording_free(&rec);
        assert_true(i % 2 == 1);
      } else {
        assert_int_equal(status, EMG_ERR_DATA);
        assert_true(emg_error_message(&err)[0] != '\0');
      }
    }
    free(bytes);
  }
}

// HDF5 1.10 loses a few hundred bytes of its own for a damaged object; leaks of ours still count.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5_serial\n";
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_claim_of_10_gib_is_refused_before_memory_is_taken),
      cmocka_unit_test(chunks_that_are_not_there_are_missed),
      cmocka_unit_test(other_shapes_and_types_are_refused),
      cmocka_unit_test(empty_recordings_are_refused),
      cmocka_unit_test(other_filters_and_files_are_not_followed),
      cmocka_unit_test(a_channel_of_not_numbers_is_flagged),
      cmocka_unit_test(a_file_without_rate_asks_for_it),
      cmocka_unit_test(a_file_without_its_mark_is_refused),
      cmocka_unit_test(damaged_spike_trains_are_refused),
      cmocka_unit_test(a_file_that_was_cut_or_flipped_is_refused_or_read),
  };
  return cmocka_run_group_tests(tests, make_fixture_folder, remove_fixture_folder);
}
