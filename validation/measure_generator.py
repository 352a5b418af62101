#!/usr/bin/python3
"""Measure a simulated recording from its file and put each figure beside the stated one.

usage: measure_generator.py RECORDING.h5 [STATED.json]

Reads only the documented datasets, with h5py and numpy, and knows nothing of the program that wrote
them. STATED.json holds the expected figures (validation/wen2021.json); each is checked within its
own tolerance and the exit code is 1 if any is off. The SNR needs /emg/clean in the recording.
"""
import json
import sys

import h5py
import numpy as np


def trains(f):
    samples, offsets = f["truth/spike_samples"][:], f["truth/spike_offsets"][:]
    return [samples[a:b] for a, b in zip(offsets[:-1], offsets[1:])]


def plateau(excitation, rate_hz):
    """First and last sample of the longest stay near the maximum, a second in from each end."""
    on = np.flatnonzero(excitation >= 0.99 * excitation.max())
    return on[0] + rate_hz, on[-1] - rate_hz


def within(train, limits):
    return train[(train >= limits[0]) & (train <= limits[1])]


def isi_cov(spikes, limits):
    """CoV of the intervals on the plateau, root mean square over units weighted by intervals."""
    covs, weights = [], []
    for train in spikes:
        isi = np.diff(within(train, limits))
        if len(isi) > 50:
            covs.append(isi.std(ddof=1) / isi.mean())
            weights.append(len(isi))
    return float(np.sqrt(np.average(np.square(covs), weights=weights)))


def worst_rate_deviation(spikes, unit, excitation, limits, rate_hz):
    """Largest deviation of a unit's plateau rate from its rate law, in standard errors."""
    worst = 0.0
    for i, train in enumerate(spikes):
        isi = np.diff(within(train, limits)) / rate_hz
        if len(isi) > 100:
            law = min(unit["rate_max_hz"][i], unit["rate_min_hz"][i] + unit["rate_gain_hz"][i]
                      * (excitation.max() - unit["recruitment_threshold"][i]))
            standard_error = isi.std(ddof=1) / np.sqrt(len(isi))
            worst = max(worst, abs(isi.mean() - 1 / law) / standard_error)
    return worst


def measure(path):
    with h5py.File(path) as f:
        rate = float(f["emg/sampling_rate_hz"][()])
        data = f["emg/data"]
        signal = data[:] * float(data.attrs["scale"])
        excitation = np.atleast_2d(f["truth/excitation"][:])[0]
        spikes = trains(f)
        unit = {name: f["truth/units"][name][:] for name in f["truth/units"]}
        limits = plateau(excitation, rate)
        out = {
            "channels": signal.shape[0],
            "sampling_rate_hz": rate,
            "duration_s": signal.shape[1] / rate,
            "units": len(spikes),
            "fibres": int(unit["fibre_count"].sum()),
            "innervation_min": int(unit["fibre_count"].min()),
            "innervation_max": int(unit["fibre_count"].max()),
            "threshold_min": float(unit["recruitment_threshold"].min()),
            "threshold_max": float(unit["recruitment_threshold"].max()),
            "excitation_max": float(excitation.max()),
            "units_below_25_percent": int((unit["recruitment_threshold"] < 0.25).sum()),
            "units_discharging": sum(len(s) > 0 for s in spikes),
            "rate_at_recruitment_min_hz": float(unit["rate_min_hz"].min()),
            "rate_at_recruitment_max_hz": float(unit["rate_min_hz"].max()),
            "rate_max_min_hz": float(unit["rate_max_hz"].min()),
            "rate_max_max_hz": float(unit["rate_max_hz"].max()),
            "isi_cov_on_plateau": isi_cov(spikes, limits),
            "rate_deviation_worst_standard_errors": worst_rate_deviation(
                spikes, unit, excitation, limits, rate),
            "cv_mean_m_per_s": float(unit["conduction_velocity_m_per_s"].mean()),
            "cv_sd_m_per_s": float(unit["conduction_velocity_m_per_s"].std(ddof=1)),
        }
        if "clean" in f["emg"]:
            active = slice(min(s[0] for s in spikes if len(s)),
                           max(s[-1] for s in spikes if len(s)) + 1)
            clean = f["emg/clean"][:, active].astype(float)
            noise = signal[:, active] - clean
            out["snr_db"] = float(10 * np.log10(np.mean(clean**2) / np.mean(noise**2)))
        return out


def main():
    measured = measure(sys.argv[1])
    stated = {}
    if len(sys.argv) > 2:
        with open(sys.argv[2]) as f:
            stated = json.load(f)
    failures = 0
    print(f"{'figure':38s} {'measured':>12s} {'stated':>10s} {'tolerance':>10s}")
    for name, value in measured.items():
        line = f"{name:38s} {value:12.6g}"
        want = stated.get(name)
        if want is not None:
            off = abs(value - want["value"]) > want["tolerance"]
            failures += off
            line += f" {want['value']:10.6g} {want['tolerance']:10.3g}" + ("  OFF" if off else "")
        print(line)
    for name in stated:
        if name not in measured:
            failures += 1
            print(f"{name:38s} is not in the file")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
