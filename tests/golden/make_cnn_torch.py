#!/usr/bin/env python3
"""Write cnn_torch.h5: loss, logits and gradients of the four networks by PyTorch in float64.

Inputs, weights and labels are formulas that test_cnn_engine.c has too; masks of dropout come from
Philox as in base/rng.c. Each network is written here from the paper (Wen et al. 2021, fig. 1), not
from our tables. Needs torch, numpy, h5py.
"""

import os

import h5py
import numpy as np
import torch
import torch.nn.functional as F

UNITS, CHANNELS, WINDOW, SPACING, CHUNKS, POINTS = 2, 3, 24, 4, 2, 40
SEED, STEP, RATE, CNN_DROPOUT = 7, 3, 0.5, 18
KEPT = 1 - RATE


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def mask(chunk, stage, unit, n):
    out, block = [], 0
    entity = (unit + 1) * 256 + stage * 16 + chunk
    while len(out) < n:
        for word in reversed(philox([block, entity, STEP, CNN_DROPOUT], [SEED, 0])):
            out += [(word >> (8 * k)) & 255 for k in range(4)]
        block += 1
    return torch.tensor(np.array(out[:n]) >= round(RATE * 256), dtype=torch.float64) / KEPT


def formula(a, b, i):
    i = np.asarray(i, dtype=np.float64)
    return np.sin(a * i + b) * np.cos(0.37 * b + 0.0713 * (i % 97))


# name, features in, out, taps or rows; from which layer on a unit has its own
def layers(n_last):
    flat = ((WINDOW - 4) // 2 - 4) // 2
    return [("conv", CHANNELS, 128), ("conv", 128, 128), ("pool",), ("conv", 128, 128),
            ("conv", 128, 64), ("pool",), ("dense", flat * 64, 256), ("dense", 256, n_last)]


FIRST_OWN = {"so": 0, "mo": 3, "shared": 6, "multilabel": 8}


def run(name, n_runs, n_windows):
    first = FIRST_OWN[name]
    table = layers(UNITS if name == "multilabel" else 1)

    def sizes(layer):
        if layer[0] == "pool":
            return 0, 0
        kernel = (3 if layer[0] == "conv" else 1) * layer[1] * layer[2]
        return kernel, layer[2]

    n_shared = sum(sum(sizes(x)) for x in table[:first])
    n_own = sum(sum(sizes(x)) for x in table[first:])
    n_weights = n_shared + UNITS * n_own if first < 8 else n_shared
    weights = torch.tensor(0.12 * formula(1.7, 0.3, np.arange(n_weights)), requires_grad=True)

    def parameters(i, unit):
        base = 0 if i < first else n_shared + unit * n_own
        base += sum(sum(sizes(x)) for x in (table[:i] if i < first else table[first:i]))
        kernel, bias = sizes(table[i])
        w = weights[base:base + kernel]
        if table[i][0] == "conv":
            w = w.reshape(3, table[i][1], table[i][2]).permute(2, 1, 0)
        else:
            w = w.reshape(table[i][1], table[i][2])
        return w, weights[base + kernel:base + kernel + bias], base, kernel + bias

    length = (n_windows - 1) * SPACING + WINDOW
    pitch = (length + 3) // 4 * 4

    def dropped(x, chunk, i, unit, rows):
        # x (run, feature, row); the mask covers `rows` rows for each run
        m = mask(chunk, i, unit, n_runs * rows * x.shape[1])
        m = m.reshape(n_runs, rows, x.shape[1]).permute(0, 2, 1)
        return x * m[:, :, :x.shape[2]]

    def apply(x, chunk, i, unit):
        unit = unit if i >= first else -1
        if table[i][0] == "pool":
            x = F.max_pool1d(x, 2)
            return dropped(x, chunk, i, unit, pitch // (2 if i == 2 else 4))
        w, b = parameters(i, unit)[:2]
        if table[i][0] == "conv":
            return F.relu(F.conv1d(x, w, b))
        if i == 6:  # windows of a run laid out, rows outermost
            rows = ((WINDOW - 4) // 2 - 4) // 2
            parts = [x[:, :, j * SPACING // 4:j * SPACING // 4 + rows] for j in range(n_windows)]
            x = torch.stack(parts, 1).permute(0, 1, 3, 2).reshape(n_runs * n_windows, -1)
            x = F.relu(x @ w + b)
            return x * mask(chunk, i, unit, x.numel()).reshape(x.shape)
        return x @ w + b

    logits = []
    for chunk in range(CHUNKS):
        x = torch.empty(n_runs, CHANNELS, length, dtype=torch.float64)
        for r in range(n_runs):
            values = 0.8 * formula(0.911, chunk * n_runs + r, np.arange(length * CHANNELS))
            x[r] = torch.tensor(values.reshape(length, CHANNELS).T.copy())
        for i in range(first):
            x = apply(x, chunk, i, -1)
        if first == 8:
            logits.append(x)
            continue
        answers = []
        for unit in range(UNITS):
            y = x
            for i in range(first, 8):
                y = apply(y, chunk, i, unit)
            answers.append(y)
        logits.append(torch.cat(answers, 1))
    z = torch.cat(logits)
    n = z.shape[0]
    rows, units = np.meshgrid(np.arange(n), np.arange(UNITS), indexing="ij")
    target = torch.tensor(np.where((rows + units) % 3 == 0, 1, 0.25 * (rows % 2)))
    loss = F.binary_cross_entropy_with_logits(z, target, reduction="sum") / n
    loss.backward()
    index = []
    for i in range(8):
        if table[i][0] == "pool":
            index += [0] * POINTS
            continue
        for k in range(POINTS):
            _, _, base, size = parameters(i, k % UNITS)
            index.append(base + (size - 1) * k // (POINTS - 1))
    gradient = weights.grad.numpy()[index]
    return loss.item(), z.detach().numpy().ravel(), np.array(index), gradient


path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cnn_torch.h5")
with h5py.File(path, "w", libver="earliest") as f:
    f.attrs["torch"] = str(torch.__version__)
    for name in FIRST_OWN:
        for how, sizes in (("windows", (2, 1)), ("run", (1, 3))):
            loss, logit, index, gradient = run(name, *sizes)
            f[f"{name}/{how}/loss"] = loss
            f[f"{name}/{how}/logit"] = logit
            f[f"{name}/{how}/index"] = index
            f[f"{name}/{how}/gradient"] = gradient
