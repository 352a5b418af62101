#!/usr/bin/env python3
"""Reference transfer functions of random conductors: conductor_random.txt, in 80 digits.

Needs mpmath. The reference solves the layers as one linear system for the amplitudes of I_n and K_n
(Farina et al. 2004, TBME 51:415), so it has nothing in common with the admittances of sim/layers.c.

  python3 tests/golden/make_conductor_random.py > tests/golden/conductor_random.txt

One case a line: n_layers muscle radius_m[] transverse[] axial[] n k_rad_per_m source_m field_m G_ohm_m
"""
import random

import mpmath as mp

mp.mp.dps = 80
CASES = 80


def transfer(radius, st, sz, muscle, n, k, source, field):
    layers = len(radius)
    value = (lambda x: mp.besseli(n, x), lambda x: mp.besselk(n, x))
    slope = (lambda x: (mp.besseli(abs(n - 1), x) + mp.besseli(n + 1, x)) / 2,
             lambda x: -(mp.besselk(abs(n - 1), x) + mp.besselk(n + 1, x)) / 2)
    lam = [k * mp.sqrt(mp.mpf(sz[j]) / mp.mpf(st[j])) for j in range(layers)]
    unknowns = [(j, f) for j in range(layers) for f in (0, 1) if j > 0 or f == 0]
    matrix, right = mp.zeros(len(unknowns)), mp.zeros(len(unknowns), 1)

    def own(at):
        """Value and flux the source itself gives at a boundary of the muscle."""
        x, y, outside = lam[muscle] * at, lam[muscle] * source, at >= source
        a, b = (0, 1) if outside else (1, 0)
        return value[a](y) * value[b](x) / st[muscle], lam[muscle] * value[a](y) * slope[b](x)

    for j in range(layers):
        at = mp.mpf(radius[j])
        for layer, sign in ((j, 1), (j + 1, -1)):
            if layer == layers:
                continue
            for c, (owner, f) in enumerate(unknowns):
                if owner == layer:
                    x = lam[layer] * at
                    if j < layers - 1:
                        matrix[2 * j, c] += sign * value[f](x)
                    matrix[min(2 * j + 1, len(unknowns) - 1), c] += (
                        sign * st[layer] * lam[layer] * slope[f](x))
            if layer == muscle:
                potential, flux = own(at)
                if j < layers - 1:
                    right[2 * j] -= sign * potential
                right[min(2 * j + 1, len(unknowns) - 1)] -= sign * flux
    scale = [max(abs(matrix[i, c]) for i in range(len(unknowns))) for c in range(len(unknowns))]
    for i in range(len(unknowns)):
        for c in range(len(unknowns)):
            matrix[i, c] /= scale[c]
    amplitude = mp.lu_solve(matrix, right)

    layer = next(j for j in range(layers) if field <= radius[j])
    g = sum(amplitude[c] / scale[c] * value[f](lam[layer] * field)
            for c, (owner, f) in enumerate(unknowns) if owner == layer)
    if layer == muscle:
        g += value[0](lam[layer] * min(source, field)) * value[1](
            lam[layer] * max(source, field)) / st[layer]
    return g


def draw():
    layers = random.randint(1, 5)
    muscle = random.choice([0, 1]) if layers > 1 else 0
    radius = sorted(random.uniform(0.001, 0.06) for _ in range(layers))
    if layers > 2 and random.random() < 0.2:
        radius[2] = radius[1] * 1.002  # a membrane
    st = [10 ** random.uniform(-4, 1) for _ in range(layers)]
    sz = [s * 10 ** random.uniform(-1, 1.2) if random.random() < 0.6 else s for s in st]
    n = random.choice([0, 0, 1, 2, 3, 7, 25, 60, 200])
    k = random.choice([1e-4, 0.01, 0.3, 1, 7.8, 40, 200, 1500, 8000, 2e4])
    inner = radius[muscle - 1] if muscle else 0
    source = random.uniform(inner, radius[muscle])
    field = random.choice([radius[-1], random.uniform(0, radius[-1]),
                           random.uniform(inner, radius[muscle])])
    return radius, st, sz, muscle, n, k, source, field


def main():
    random.seed(2004)
    done = 0
    while done < CASES:
        radius, st, sz, muscle, n, k, source, field = case = draw()
        g = transfer(*case)
        if g < mp.mpf('1e-290'):
            continue
        numbers = radius + st + sz
        print(len(radius), muscle, *map(repr, numbers), n, repr(k), repr(source), repr(field),
              mp.nstr(g, 17, min_fixed=0, max_fixed=0))
        done += 1


if __name__ == '__main__':
    main()
