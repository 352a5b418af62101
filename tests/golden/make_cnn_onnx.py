#!/usr/bin/env python3
"""Write cnn_onnx.h5: what ONNX Runtime makes of networks that emgtwin wrote as ONNX.

usage: make_cnn_onnx.py EMGTWIN. Networks and windows are formulas that test_cnn_file.c has too; the
digest of each ONNX file ties what is tested to what was run. Needs onnx, onnxruntime, numpy, h5py.
"""

import hashlib
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import onnx
import onnxruntime

UNITS, CHANNELS, WINDOW, STEP, WINDOWS = 2, 3, 24, 4, 3
FLAT = ((WINDOW - 4) // 2 - 4) // 2
LAYERS = [("c1", (3, CHANNELS, 128)), ("c2", (3, 128, 128)), ("c3", (3, 128, 128)),
          ("c4", (3, 128, 64)), ("f1", (FLAT * 64, 256)), ("f2", (256, 1))]
FIRST_OWN = {"so": 0, "mo": 2, "shared": 4, "multilabel": 6}


def formula(n, scale):
    return (((np.arange(n) * 7919) % 2001 - 1000) / 1000 * scale).astype("f4")


def write(path, name):
    first, at = FIRST_OWN[name], 0
    layers = LAYERS[:5] + [("f2", (256, UNITS))] if name == "multilabel" else LAYERS
    sizes = [int(np.prod(shape)) + shape[-1] for _, shape in layers]
    weights = formula(sum(sizes[:first]) + UNITS * sum(sizes[first:]) if first < 6 else sum(sizes),
                      0.12)
    with h5py.File(path, "w") as f:
        f["kind"] = np.bytes_(b"emgtwin network 1")
        for unit in range(-1, UNITS if first < 6 else 0):
            for i, (layer, shape) in enumerate(layers):
                if (i >= first) != (unit >= 0):
                    continue
                full = f"u{unit:04d}_{layer}" if unit >= 0 else layer
                n = int(np.prod(shape))
                f[f"model_weights/{full}/{full}/kernel:0"] = weights[at:at + n].reshape(shape)
                f[f"model_weights/{full}/{full}/bias:0"] = weights[at + n:at + n + shape[-1]]
                at += n + shape[-1]
        numbers = {"n_units": UNITS, "n_channels": CHANNELS, "n_channels_recorded": CHANNELS,
                   "window": WINDOW, "step": STEP, "sampling_rate_hz": 2048, "band_low_hz": 20,
                   "band_high_hz": 500, "notch_hz": 0, "scale_uv": 1, "refractory_ms": 20,
                   "soft_label_ms": 0}
        for key, value in numbers.items():
            f["network/" + key] = float(value)
        f["network/name"] = np.bytes_(name.encode())
        f["network/channel"] = np.arange(CHANNELS, dtype="i4")
        f["network/threshold"] = np.full(UNITS, 0.5)
        f["network/labels_sha256"] = np.bytes_(b"0" * 64)
        f["network/seed"] = np.uint64(1)
        f.attrs["complete"] = 1
    assert at == len(weights)


here = os.path.dirname(os.path.abspath(__file__))
with tempfile.TemporaryDirectory() as folder, h5py.File(os.path.join(here, "cnn_onnx.h5"), "w",
                                                        libver="earliest") as out:
    out.attrs["onnxruntime"] = onnxruntime.__version__
    windows = formula(WINDOWS * WINDOW * CHANNELS, 1).reshape(WINDOWS, WINDOW, CHANNELS)
    for name in FIRST_OWN:
        source, target = os.path.join(folder, name + ".h5"), os.path.join(folder, name + ".onnx")
        write(source, name)
        subprocess.run([sys.argv[1], "convert", source, target, "-q"], check=True)
        onnx.checker.check_model(target, full_check=True)
        session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
        probability = session.run(["probability"], {"window": windows})[0]
        print(name, probability.ravel())
        out[name + "/probability"] = probability
        with open(target, "rb") as f:
            out[name + "/sha256"] = np.bytes_(hashlib.sha256(f.read()).hexdigest().encode())
