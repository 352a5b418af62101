"""Read every documented field of a simulation and of its decomposition with h5py."""

import sys

import h5py
import numpy as np


def check_spikes(group, n_samples):
    offsets, samples = group["spike_offsets"][:], group["spike_samples"][:]
    assert offsets.dtype == samples.dtype == np.int64
    assert offsets[0] == 0 and offsets[-1] == len(samples)
    for first, last in zip(offsets[:-1], offsets[1:]):
        assert (np.diff(samples[first:last]) > 0).all()
    assert ((samples >= 0) & (samples < n_samples)).all()
    return len(offsets) - 1


def check_provenance(f):
    for name in ["version", "command", "cpu", "blas"]:
        assert len(f["provenance/" + name][()].decode()) > 0, name
    assert len(f["provenance/input_sha256"][()]) == 64
    assert len(f["provenance/config_yaml"][()]) > 0 and f["provenance/seed"].dtype == np.uint64
    assert f.attrs["complete"] == 1


with h5py.File(sys.argv[1]) as f:
    data = f["emg/data"]
    rate, scale = data.attrs["sampling_rate_hz"], data.attrs["scale"]
    assert data.attrs["units"] == "uV" and f["emg/sampling_rate_hz"][()] == rate
    n_channels, n_samples = data.shape
    assert n_samples == 3 * rate
    for name in ["x_mm", "y_mm", "z_mm", "row", "column"]:
        assert f["emg/electrodes/" + name].shape == (n_channels,)
    assert f["emg/bad_channel"].shape == (n_channels,)
    # the sum of what is kept, to half a step of the stored recording
    whole = data[:] * scale
    parts = f["emg/clean"][:] + f["emg/noise"][:]
    assert np.abs(whole - parts).max() <= 0.5 * scale * 1.001 + 1e-5 * np.abs(parts).max()
    assert np.std(whole) > 0

    n_units = check_spikes(f["truth"], n_samples)
    assert n_units == 6
    muap = f["truth/muap"]
    assert muap.dtype == np.float32 and muap.shape[:2] == (n_units, n_channels)
    assert 0 <= muap.attrs["origin"] < muap.shape[2]
    for name in ["depth_mm", "angle_deg", "innervation_zone_mm", "conduction_velocity_m_per_s",
                 "fibre_count", "recruitment_threshold", "territory_radius_mm", "half_length_1_mm",
                 "half_length_2_mm"]:
        column = f["truth/units/" + name]
        assert column.shape == (n_units,) and column.dtype == np.float64
        assert isinstance(column.attrs["units"], str)
    assert f["truth/excitation"].shape == f["truth/force"].shape == (1, n_samples)
    check_provenance(f)
    assert "simulation:" in f["provenance/config_yaml"][()].decode()
    assert f["provenance/seed"][()] == 3

with h5py.File(sys.argv[2]) as f:
    n_units = check_spikes(f["units"], n_samples)
    for name in ["sil", "pnr_db", "isi_cov", "rate_hz"]:
        assert f["units/" + name].shape == (n_units,)
    assert f["emg/sampling_rate_hz"][()] == rate
    muap = f["units/muap"]
    assert muap.shape[:2] == (n_units, n_channels) and 0 <= muap.attrs["origin"] < muap.shape[2]
    check_provenance(f)

print("fields read")
