"""Read a file for MUedit as MATLAB would: classes, transposed arrays, cells by reference."""

import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1]) as f, h5py.File(sys.argv[2]) as native:
    assert f.userblock_size == 512
    signal = f["signal"]
    assert signal.attrs["MATLAB_class"] == b"struct"
    data = signal["data"]
    uv = native["emg/data"][:] * native["emg/data"].attrs["scale"]
    assert data.attrs["MATLAB_class"] == b"double" and data.shape == uv.shape[::-1]
    assert np.allclose(1e3 * data[:].T, uv, rtol=1e-6, atol=1e-6)
    assert signal["fsamp"][0, 0] == native["emg/sampling_rate_hz"][()]
    n_grids = int(signal["ngrid"][0, 0])
    offsets, samples = native["truth/spike_offsets"][:], native["truth/spike_samples"][:]
    trains = [samples[a:b] for a, b in zip(offsets[:-1], offsets[1:]) if b > a]
    cells = signal["Dischargetimes"]
    assert cells.attrs["MATLAB_class"] == b"cell" and cells.shape == (len(trains), n_grids)
    for cell, train in zip(cells[:, 0], trains):
        assert (f[cell][:].ravel() == train + 1).all()
    source = f[signal["Pulsetrain"][0, 0]]
    assert source.shape == (uv.shape[1], len(trains))
    coordinates = f[signal["coordinates"][0, 0]]
    assert coordinates.shape == (2, uv.shape[0]) and coordinates[:].min() == 1
    name = bytes(f[signal["gridname"][0, 0]][:].astype("u1").ravel()).decode()
    assert f[signal["gridname"][0, 0]].attrs["MATLAB_class"] == b"char" and name

print("fields read")
