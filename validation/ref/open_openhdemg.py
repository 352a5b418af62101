"""Open converted files with openhdemg and compare them with the native file they come from."""

import os
import sys
import warnings

import h5py
import numpy as np

warnings.simplefilter("ignore")
from openhdemg import library as emg  # noqa: E402

folder, name = sys.argv[1:]


def read_trains(path, group):
    with h5py.File(path) as f:
        offsets, samples = f[group + "/spike_offsets"][:], f[group + "/spike_samples"][:]
    return [samples[a:b] for a, b in zip(offsets[:-1], offsets[1:]) if b > a]


with h5py.File(os.path.join(folder, "sim.h5")) as f:
    uv = f["emg/data"][:] * f["emg/data"].attrs["scale"]
    rate = f["emg/sampling_rate_hz"][()]
trains = read_trains(os.path.join(folder, name + ".h5"), "truth" if name == "sim" else "units")

opened = {
    "JSON": lambda: emg.emg_from_json(os.path.join(folder, name + ".json")),
    "DEMUSE": lambda: emg.emg_from_demuse(os.path.join(folder, name + "_demuse.mat")),
    "CSV": lambda: emg.emg_from_customcsv(os.path.join(folder, name + ".csv"), fsamp=rate, ied=8),
}
if hasattr(emg, "load_openhdemg_module"):
    opened["module"] = lambda: emg.load_openhdemg_module(
        os.path.abspath(folder), name + "_module", verify_checksum=True)

for what, open_file in opened.items():
    file = open_file()
    raw = file["RAW_SIGNAL"].to_numpy().T * 1e3
    assert file["FSAMP"] == rate and file["IED"] == 8, what
    assert file["NUMBER_OF_MUS"] == len(trains) and file["EMG_LENGTH"] == uv.shape[1], what
    assert all(np.array_equal(a, b) for a, b in zip(file["MUPULSES"], trains)), what
    assert file["BINARY_MUS_FIRING"].to_numpy().sum() == sum(map(len, trains)), what
    # DEMUSE goes through the grid column by column
    assert raw.shape == uv.shape and np.allclose(np.sort(raw[:, 7]), np.sort(uv[:, 7])), what
    if what != "DEMUSE":
        assert np.allclose(raw, uv, rtol=1e-6, atol=1e-6), what
    if name == "dec" and what != "CSV":
        assert file["IPTS"].shape == (uv.shape[1], len(trains)), what
        assert file["ACCURACY"].shape[0] == len(trains), what
    # what a user does next
    isi = emg.compute_idr(file)
    assert len(isi) == len(trains), what
print("%s: %d units and %d channels" % (", ".join(opened), len(trains), len(uv)))
