#!/usr/bin/python3
"""Simulate every preset, check that its EMG is physically sensible, and print them as a table.

usage: preset_table.py EMGTWIN [--write README.md] [PRESET...]

EMGTWIN is the program. With --write the table replaces the one between the two marks in that file.
Amplitudes, spectra and rates are measured from the files with h5py and numpy; the exit code is 1 if
any lies outside the range seen in surface EMG, if noise is not at the ratio asked for, or if the
clean signal drifts. Times are CPU seconds and peak memory of the program.
"""
import json
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

MARKS = "<!-- presets: begin -->\n", "<!-- presets: end -->\n"
ACTIVE = {"wen2021": 110, "bmiss2025": 100}  # stated in the papers

# What surface EMG of a contraction up to 30 % looks like, as (lowest, highest).
PLAUSIBLE = {
    "rms_uv": (10, 500),              # median channel at the highest excitation
    "largest_muap_uv": (50, 2000),    # peak to peak, of the active units
    "median_hz": (30, 150),           # of the power spectrum
    "drift": (0, 0.03),               # spread of means of 1 s, of the signal's own spread
    "beyond_band": (0, 0.02),         # power below 5 Hz and above 500 Hz
    "clipped": (0, 0),                # samples at the end of the stored range
    "rate_hz": (5, 40),               # lowest and highest rate of a unit
    "snr_error_db": (0, 0.05),
}


def simulate(program, preset, folder):
    """Run the program; CPU seconds, peak MiB and the recording's path."""
    path = os.path.join(folder, preset + ".h5")
    command = [program, "simulate", preset, "-o", path, "-q", "--set", "output.clean=true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)}: failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, path


def spectrum_figures(clean, rate):
    power = np.zeros(clean.shape[1] // 2 + 1)
    for channel in clean:
        power += np.abs(np.fft.rfft(channel - channel.mean())) ** 2
    hz = np.fft.rfftfreq(clean.shape[1], 1 / rate)
    share = np.cumsum(power) / power.sum()
    outside = share[np.searchsorted(hz, 5)] + 1 - share[np.searchsorted(hz, 500)]
    return float(hz[np.searchsorted(share, 0.5)]), float(outside)


def unit_rates(samples, offsets, rate):
    """Mean rate of every unit within its bursts."""
    rates = []
    for first, end in zip(offsets[:-1], offsets[1:]):
        isi = np.diff(samples[first:end]) / rate
        isi = isi[isi < 0.4]
        if len(isi) >= 10:
            rates.append(1 / isi.mean())
    return rates


def measure(path):
    with h5py.File(path) as f:
        rate = float(f["emg/sampling_rate_hz"][()])
        raw, scale = f["emg/data"][:], float(f["emg/data"].attrs["scale"])
        clean, signal = f["emg/clean"][:].astype(float), raw * scale
        samples, offsets = f["truth/spike_samples"][:], f["truth/spike_offsets"][:]
        muap = f["truth/muap"][:]
        excitation = np.atleast_2d(f["truth/excitation"][:]).max(axis=0)
        fibres = int(f["truth/units/fibre_count"][:].sum())

    active = np.diff(offsets) > 0
    high = excitation > 0.9 * excitation.max()
    seconds = int(clean.shape[1] / rate)
    means = clean[:, :int(seconds * rate)].reshape(len(clean), seconds, -1).mean(axis=2)
    median_hz, beyond_band = spectrum_figures(clean, rate)
    rates = unit_rates(samples, offsets, rate)
    span = slice(samples.min(), samples.max() + 1)
    noise = np.mean((signal - clean)[:, span] ** 2)
    limit = np.iinfo(raw.dtype).max if raw.dtype.kind == "i" else np.inf
    return {
        "channels": len(raw), "units": len(active), "active": int(active.sum()), "fibres": fibres,
        "duration_s": raw.shape[1] / rate,
        "rms_uv": float(np.median(np.sqrt(np.mean(clean[:, high] ** 2, axis=1)))),
        "largest_muap_uv": float(np.ptp(muap[active], axis=2).max()),
        "median_hz": median_hz, "beyond_band": beyond_band,
        "drift": float((means.std(axis=1) / clean.std(axis=1)).max()),
        "clipped": int((np.abs(raw.astype(float)) >= limit).sum()),
        "rate_hz": [min(rates), max(rates)],
        "snr_db": 10 * np.log10(np.mean(clean[:, span] ** 2) / noise) if noise > 0 else 200.0,
    }


def crosstalk(path):
    """Forearm: amplitude over the resting side as a share of the contracting side, both ways."""
    with h5py.File(path) as f:
        clean, rate = f["emg/clean"][:], float(f["emg/sampling_rate_hz"][()])
        angle = np.degrees(np.arctan2(f["emg/electrodes/y_mm"][:], f["emg/electrodes/x_mm"][:]))
    flexors, extensors = np.abs(angle) < 45, np.abs(angle) > 135
    shares = []
    for start_s, here, there in ((3.5, flexors, extensors), (13.5, extensors, flexors)):
        rms = clean[:, int(start_s * rate):int((start_s + 3) * rate)].std(axis=1)
        shares.append(float(rms[there].mean() / rms[here].mean()))
    return shares


def check(preset, figures, snr_db):
    """Sentences about figures that cannot be right."""
    figures = dict(figures, snr_error_db=abs(min(figures["snr_db"], 200) - snr_db))
    for name, (low, high) in PLAUSIBLE.items():
        for value in np.atleast_1d(figures[name]):
            if not low <= value <= high:
                yield f"{preset}: {name} = {value:.4g} is not from {low} to {high}"
    if figures["active"] != ACTIVE.get(preset, figures["active"]):
        yield f"{preset}: {figures['active']} units are active, not {ACTIVE[preset]}"
    for share in figures.get("crosstalk", []):
        if not 0.05 <= share <= 0.7:
            yield f"{preset}: crosstalk is {share:.3g} of the contracting side"


def asked_snr_db(program, preset):
    out = subprocess.run([program, "init", preset], check=True, capture_output=True, text=True)
    line = next(x for x in out.stdout.splitlines() if x.strip().startswith("snr_db:"))
    return float(line.split(":")[1])


def table(rows):
    yield "| preset | channels | time | units, active | fibres | EMG | largest MUAP | CPU | memory |\n"
    yield "| --- " * 9 + "|\n"
    for preset, f in rows:
        yield (f"| `{preset}` | {f['channels']} | {f['duration_s']:.0f} s "
               f"| {f['units']}, {f['active']} | {f['fibres']} | {f['rms_uv']:.0f} uV "
               f"| {f['largest_muap_uv']:.0f} uV | {f['cpu_s']:.1f} s | {f['peak_mib']:.0f} MiB |\n")


def replace_table(path, text):
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + MARKS[0] + text + MARKS[1] + after)


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    program, arguments = arguments[0], arguments[1:]
    target = None
    if arguments[:1] == ["--write"]:
        target, arguments = arguments[1], arguments[2:]
    listed = subprocess.run([program, "init", "--list", "--json"], check=True, capture_output=True)
    presets = arguments or [p["name"] for p in json.loads(listed.stdout)["presets"]]

    rows, complaints = [], []
    with tempfile.TemporaryDirectory() as folder:
        # all of them before any is read: a child's peak memory is at least its parent's at the fork
        runs = [(preset, *simulate(program, preset, folder)) for preset in presets]
        for preset, cpu_s, peak_mib, path in runs:
            figures = dict(measure(path), cpu_s=cpu_s, peak_mib=peak_mib)
            if preset == "forearm-ring":
                figures["crosstalk"] = crosstalk(path)
            rows.append((preset, figures))
            complaints += check(preset, figures, asked_snr_db(program, preset))
            shown = {k: np.round(v, 4).tolist() for k, v in figures.items()}
            print(preset, json.dumps(shown), file=sys.stderr)
    text = "".join(table(rows))
    print(text, end="")
    if target:
        replace_table(target, text)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
