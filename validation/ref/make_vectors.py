#!/usr/bin/env python3
"""Reference values of the volume conductor: tests/golden/reference_vectors.h5.

Shares no method with the library (sim/), so that one checks the other:

  layers      one linear system per order and wavenumber for the amplitudes of I_n and K_n in every
              layer (Farina et al. 2004, TBME 51:415) in ball arithmetic of 90 to 190 digits; the
              library recurs on admittances in double precision.
  wavenumbers Gauss-Legendre panels over k > 0, the pole at n = 0, k -> 0 subtracted in closed form;
              the library sums at midpoints, periodic in z with alternating images.
  electrodes  the formulas of their shapes, checked here against averages over their area.
  fibre       quadrature in space of the current source c d/dz(w dV/dz) (Farina & Merletti 2001,
              TBME 48:637) against the lead field; the library uses four lead functions.

  pip install python-flint numpy scipy h5py
  python3 validation/ref/make_vectors.py tests/golden/reference_vectors.h5

The estimate of its own error, from finer panels and nodes, is stored with every group. All in SI.
"""
import math
import sys
from dataclasses import dataclass

import flint
import h5py
import numpy as np
from flint import arb
from scipy import interpolate, special

flint.ctx.prec = 300  # bits; a ball too wide for what it is used for stops the script

POINT, DISC, RECTANGLE, ANNULUS = 'point', 'disc', 'rectangle', 'annulus'


@dataclass(frozen=True)
class Conductor:
    radius: tuple
    st: tuple
    sz: tuple
    muscle: int

    def layer_of(self, rho):
        return next(j for j, r in enumerate(self.radius) if rho <= r)

    def axial_conductance(self):
        inner = (0.0,) + self.radius[:-1]
        return sum(arb(s) * arb.pi() * (arb(b) ** 2 - arb(a) ** 2)
                   for s, a, b in zip(self.sz, inner, self.radius))


# --- layers ---------------------------------------------------------------------------------------

def bessel_k0(x):
    """K_0 by the trapezoidal rule on INT exp(-x cosh t) dt, off by exp(x - pi^2 / step) or less
    (Trefethen & Weideman 2014); arb's own loses digits between series and asymptotics."""
    if x < 2:
        return x.bessel_k(arb(0))
    nats = flint.ctx.prec * math.log(2)
    step = math.pi ** 2 / (nats + float(x))
    count = math.ceil(math.acosh(1 + nats / float(x)) / step)
    return arb(step) * ((-x).exp() / 2 + sum((-x * (arb(step) * i).cosh()).exp()
                                             for i in range(1, count + 1)))


def bessel_rows(x, n_orders):
    """I_n, x I_n', K_n, x K_n' for n < n_orders, by the stable directions of the recurrence."""
    x = x.mid()
    i = [arb(0)] * (n_orders + 1)
    i[n_orders], i[n_orders - 1] = x.bessel_i(arb(n_orders)), x.bessel_i(arb(n_orders - 1))
    for n in range(n_orders - 1, 0, -1):
        i[n - 1] = 2 * n / x * i[n] + i[n + 1]
    k0 = bessel_k0(x)
    k = [k0, (1 / x - i[1] * k0) / i[0]]  # their Wronskian
    for n in range(1, n_orders):
        k.append(2 * n / x * k[n] + k[n - 1])
    di = [x * i[n + 1] + n * i[n] for n in range(n_orders)]
    dk = [n * k[n] - x * k[n + 1] for n in range(n_orders)]
    return list(zip(i, di, k, dk))


class Layers:
    """The linear system of one conductor, source and field radius at one wavenumber."""

    def __init__(self, c, k, source, rho, n_orders):
        self.c, self.source, self.rho = c, source, rho
        lam = [arb(k) * (arb(z) / arb(t)).sqrt() for z, t in zip(c.sz, c.st)]
        last = len(c.radius) - 1
        row = lambda j, at: bessel_rows(lam[j] * arb(at), n_orders) if at > 0 else None
        self.outer = [row(j, c.radius[j]) for j in range(last + 1)]
        self.inner = [None] + [row(j, c.radius[j - 1]) for j in range(1, last + 1)]
        self.at_source = row(c.muscle, source)
        self.field_layer = c.layer_of(rho)
        self.at_field = row(self.field_layer, rho)

    def amplitudes(self, n):
        c, last = self.c, len(self.c.radius) - 1
        size = 2 * last + 1
        a = [[arb(0)] * size for _ in range(size)]
        b = [[arb(0)] for _ in range(size)]
        column_i = lambda j: 0 if j == 0 else 2 * j - 1
        st = [arb(s) for s in c.st]
        for j in range(last + 1):
            value, flux = (None, 2 * last) if j == last else (2 * j, 2 * j + 1)
            for layer, rows, sign in ((j, self.outer, 1), (j + 1, self.inner, -1)):
                if layer > last:
                    continue
                i, di, k, dk = rows[layer][n]
                # columns are scaled by I at the layer's outer, K at its inner radius
                big_i = self.outer[layer][n][0]
                if value is not None:
                    a[value][column_i(layer)] = sign * i / big_i
                a[flux][column_i(layer)] = sign * st[layer] * di / big_i
                if layer > 0:
                    big_k = self.inner[layer][n][2]
                    if value is not None:
                        a[value][2 * layer] = sign * k / big_k
                    a[flux][2 * layer] = sign * st[layer] * dk / big_k
                if layer == c.muscle:
                    i_s, _, k_s, _ = self.at_source[n] if self.source > 0 else (
                        arb(int(n == 0)), None, arb(0), None)
                    if layer == j:  # outside of the source
                        own, own_flux = i_s * k / st[layer], i_s * dk
                    else:           # inside
                        own, own_flux = k_s * i / st[layer], k_s * di
                    if value is not None:
                        b[value][0] -= sign * own
                    b[flux][0] -= sign * own_flux
        x = flint.arb_mat(a).solve(flint.arb_mat(b))
        return [x[r, 0] for r in range(size)]

    def value(self, n, with_source=True):
        """G_n(k; rho, R) in ohm m, or that without the source's own line field."""
        x, j = self.amplitudes(n), self.field_layer
        i, _, k, _ = self.at_field[n]
        g = x[0 if j == 0 else 2 * j - 1] * i / self.outer[j][n][0]
        if j > 0:
            g += x[2 * j] * k / self.inner[j][n][2]
        if with_source and j == self.c.muscle:
            i_s, _, k_s, _ = self.at_source[n]
            g += (i_s * k if self.rho >= self.source else k_s * i) / arb(self.c.st[j])
        assert g.rad() <= arb('1e-20') * abs(g.mid()), 'too few digits'
        return g


def transfer(c, n, k, source, rho):
    """G_n, the limit at k = 0 (n >= 1) from a wavenumber where I and K are powers to 40 digits."""
    with flint.ctx.workprec(640):
        return float(Layers(c, k if k > 0 else '1e-25', source, rho, n + 2).value(n))


# --- electrodes -----------------------------------------------------------------------------------

def electrode_transfer(shape, n, k, skin):
    """E_n(k) with a ball k, so that 1 - E is right where the pole is."""
    kappa = (k * k + (arb(n) / arb(skin)) ** 2).sqrt()
    disc = lambda r: 2 * (kappa * r).bessel_j(arb(1)) / (kappa * r)
    sinc = lambda x: x.sin() / x if x != 0 else arb(1)
    if shape[0] == DISC:
        return disc(arb(shape[1]))
    if shape[0] == ANNULUS:
        a, b = arb(shape[2]), arb(shape[1])
        return (b * b * disc(b) - a * a * disc(a)) / (b * b - a * a)
    if shape[0] == RECTANGLE:
        return (sinc(arb(n) / arb(skin) * arb(shape[1]) / 2) * sinc(k * arb(shape[2]) / 2))
    return arb(1)


def electrode_transfer_float(shape, n, k, skin):
    """The same of arrays, kappa > 0."""
    kappa = np.hypot(k, n / skin)
    disc = lambda r: 2 * special.j1(kappa * r) / (kappa * r)
    if shape[0] == DISC:
        return disc(shape[1])
    if shape[0] == ANNULUS:
        b, a = shape[1:]
        return (b * b * disc(b) - a * a * disc(a)) / (b * b - a * a)
    if shape[0] == RECTANGLE:
        return np.sinc(n / skin * shape[1] / (2 * np.pi)) * np.sinc(k * shape[2] / (2 * np.pi))
    return np.ones_like(kappa)


def check_electrode(shape, n, k, skin):
    """The mean of e^{i(n theta + k z)} over the area, by quadrature."""
    x, w = np.polynomial.legendre.leggauss(40)
    if shape[0] == RECTANGLE:
        s, z = np.meshgrid(x * shape[1] / 2, x * shape[2] / 2)
        weight = np.outer(w, w)
    else:
        low = shape[2] if shape[0] == ANNULUS else 0.0
        r, phi = np.meshgrid(low + (x + 1) / 2 * (shape[1] - low), np.arange(64) * 2 * np.pi / 64)
        s, z, weight = r * np.cos(phi), r * np.sin(phi), r * w
    mean = np.sum(weight * np.cos(n * s / skin + k * z)) / np.sum(weight)
    assert abs(mean - float(electrode_transfer(shape, n, arb(k), skin))) < 1e-12, shape
    assert abs(mean - electrode_transfer_float(shape, n, k, skin)) < 1e-12, shape


# --- lead field -----------------------------------------------------------------------------------

def wavenumber_panels(k_max, width, points):
    """Nodes and weights on (0, k_max), panel by panel: of `width`, but geometric towards 0, where
    the smooth part of an interior electrode has ln k."""
    edges = [0.0] + [width * 8.0 ** -i for i in range(11, -1, -1)]
    x, w = np.polynomial.legendre.leggauss(points)
    while edges[-1] < k_max:
        edges.append(edges[-1] + width)
    for a, b in zip(edges[:-1], edges[1:]):
        yield (a + b) / 2 + (b - a) / 2 * x, (b - a) / 2 * w


class Spectrum:
    """E_n G_n on Gauss-Legendre nodes, as far in n and k as terms exceed `smallest` of the largest.
    Interior points: without the singular field of the source in unbounded muscle, which is added in
    space. A panel holds four periods of the largest `reach` in z."""

    def __init__(self, c, shape, source, rho, reach, points, smallest):
        self.c, self.source, self.rho, self.shape = c, source, rho, shape
        j = c.layer_of(rho)
        self.is_split = j == c.muscle and rho < c.radius[-1]
        self.conductance = c.axial_conductance()
        self.pole_width = c.radius[-1]
        rows, nodes, weights, peak, n_orders = [], [], [], 0.0, 24
        for k_panel, w_panel in wavenumber_panels(1e5, 8 * math.pi / reach, points):
            biggest = 0.0
            for k in map(float, k_panel):
                row, layers = [], Layers(c, k, source, rho, n_orders)
                while True:
                    if len(row) == n_orders:
                        n_orders *= 2
                        layers = Layers(c, k, source, rho, n_orders)
                    row.append(self.term(layers, len(row), k))
                    # near the pole order 0 grows without bounds and does not set the scale
                    top = max(map(abs, row[int(k < 5 / c.radius[-1]):]), default=0.0)
                    if len(row) > 5 and abs(row[-1]) <= smallest * max(top, 1e-3 * peak):
                        break
                biggest = max(biggest, top)
                rows.append(row)
            nodes.append(k_panel)
            weights.append(w_panel)
            peak = max(peak, biggest)
            if nodes[-1][-1] > 20 / c.radius[-1] and biggest < smallest * peak:
                break
        self.k, self.w = np.concatenate(nodes), np.concatenate(weights)
        self.n_orders = max(map(len, rows))
        self.terms = np.array([row + [0.0] * (self.n_orders - len(row)) for row in rows])
        n, k = np.meshgrid(np.arange(1, self.n_orders), self.k)
        self.terms[:, 1:] *= electrode_transfer_float(shape, n, k, c.radius[-1])

    def term(self, layers, n, k):
        """2 G_n, or E_0 G_0 less its pole."""
        g = layers.value(n, not self.is_split)
        if n > 0:
            return 2 * float(g)
        return float(g * electrode_transfer(self.shape, 0, arb(k), self.c.radius[-1]) -
                     self.pole(arb(k)))

    def pole(self, k):
        return (2 * arb.pi() / (self.conductance * k * k) *
                (-(k * arb(self.pole_width)) ** 2 / 2).exp())

    def smooth(self, dtheta, z):
        """Lead field less `singular`."""
        over_k = self.terms @ np.cos(np.arange(self.n_orders) * dtheta) * self.w
        z = np.atleast_1d(z)
        return np.concatenate([np.cos(np.outer(part, self.k)) @ over_k
                               for part in np.array_split(z, 1 + len(z) // 500)]) / (2 * np.pi ** 2)

    def singular(self, dtheta, z):
        s, g = self.pole_width, float(self.conductance)
        value = -(z * special.erf(z / (s * math.sqrt(2))) +
                  s * math.sqrt(2 / math.pi) * np.exp(-z * z / (2 * s * s))) / (2 * g)
        if self.is_split:
            m = self.c.muscle
            d2 = (self.source - self.rho) ** 2 + (
                4 * self.source * self.rho * math.sin(dtheta / 2) ** 2)
            ratio = self.c.sz[m] / self.c.st[m]
            value = value + 1 / (4 * math.pi * self.c.st[m] * np.sqrt(z * z + ratio * d2))
        return value


# --- one fibre ------------------------------------------------------------------------------------

@dataclass
class Fibre:
    name: str
    conductor: Conductor
    shape: tuple
    source: float
    rho: float
    theta: tuple
    z: tuple
    cv: float = 4.0
    end_plate: float = 0.0
    length_1: float = 0.045
    length_2: float = 0.045
    rate: float = 4096.0
    delay: float = 0.0
    diameter: float = 55e-6
    fibre_theta: float = 0.0


A, SCALE, SIGMA_I = 96e-3, 1e-3, 1.01
END = 42 * SCALE  # V is below 1e-13 of its peak from here on


def slope(xi):
    u = np.maximum(xi, 0) / SCALE
    return A / SCALE * (3 * u ** 2 - u ** 3) * np.exp(-u)


def curvature(xi):
    u = np.maximum(xi, 0) / SCALE
    return A / SCALE ** 2 * (6 * u - 6 * u ** 2 + u ** 3) * np.exp(-u)


def potential(f, spectrum, points=12, step=0.05e-3, panel=0.25e-3):
    """[electrode][sample] in V, and samples' number."""
    last = max(f.length_1, f.length_2) + 15 * SCALE
    n = math.ceil((f.delay + last / f.cv) * f.rate)
    front = f.cv * (np.arange(n) / f.rate - f.delay)
    x, w = np.polynomial.legendre.leggauss(points)
    gain = math.pi * f.diameter ** 2 / 4 * SIGMA_I
    out = np.zeros((len(f.theta), n))
    splines = {}
    for e, (theta, z) in enumerate(zip(f.theta, f.z)):
        offset = z - f.end_plate
        reach = abs(offset) + max(f.length_1, f.length_2) + 2e-3
        dtheta = abs(math.remainder(theta - f.fibre_theta, 2 * math.pi))
        if dtheta not in splines or splines[dtheta][0] < reach:
            grid = np.arange(-12, math.ceil(reach / step) + 12) * step
            splines[dtheta] = (reach, interpolate.make_interp_spline(
                grid, spectrum.smooth(dtheta, grid), k=7))
        spline = splines[dtheta][1]
        lead = lambda d: spline(np.abs(d)) + spectrum.singular(dtheta, d)
        total = -2 * slope(front) * lead(np.array(offset))
        for length, sign in ((f.length_1, 1), (f.length_2, -1)):
            total += slope(front - length) * lead(np.array(offset - sign * length))
            for t, at in enumerate(front):
                low, high = max(0.0, at - END), min(at, length)
                if high <= low:
                    continue
                # a panel ends under the electrode, where the lead field is sharpest
                under = min(max(sign * offset, low), high)
                for a, b in ((low, under), (under, high)):
                    count = math.ceil((b - a) / panel)
                    if count == 0:
                        continue
                    edges = np.linspace(a, b, count + 1)
                    s = ((edges[:-1] + edges[1:])[:, None] + (b - a) / count * x) / 2
                    values = curvature(at - s) * lead(offset - sign * s)
                    total[t] += (b - a) / count / 2 * np.sum(values @ w)
        out[e] = gain * total
    return out


# --- what is stored -------------------------------------------------------------------------------

ONE = Conductor((0.010,), (0.1,), (0.5,), 0)
TWO = Conductor((0.012, 0.013), (0.1, 4.3e-4), (0.5, 4.3e-4), 0)
THREE = Conductor((0.010, 0.014, 0.015), (0.1, 0.05, 1.0), (0.5, 0.05, 1.0), 0)
THIN = Conductor((0.010, 0.011, 0.012), (0.1, 0.05, 1.0), (0.5, 0.05, 1.0), 0)
FOUR = Conductor((0.006, 0.018, 0.020, 0.021), (0.02, 0.09, 0.041, 1.0), (0.02, 0.4, 0.041, 1.0), 1)
FIVE = Conductor((0.008, 0.022, 0.0223, 0.0243, 0.0255), (0.02, 0.1, 0.3, 0.05, 4.3e-4),
                 (0.03, 0.5, 0.3, 0.05, 4.3e-4), 1)
CONDUCTORS = {'one': ONE, 'two_dry': TWO, 'three': THREE, 'thin_fat': THIN, 'four_bone': FOUR,
              'five_bone_dry': FIVE}


def grid(rows, columns, pitch, skin, degrees=0.0, theta=0.0, z=0.0):
    turn, places = math.radians(degrees), []
    for r in range(rows):
        for c in range(columns):
            along, around = (r - (rows - 1) / 2) * pitch, (c - (columns - 1) / 2) * pitch
            places.append((theta + (around * math.cos(turn) - along * math.sin(turn)) / skin,
                           z + around * math.sin(turn) + along * math.cos(turn)))
    return tuple(p[0] for p in places), tuple(p[1] for p in places)


def ring(rows, columns, pitch):
    places = [(2 * math.pi * c / columns, (r - (rows - 1) / 2) * pitch)
              for r in range(rows) for c in range(columns)]
    return tuple(p[0] for p in places), tuple(p[1] for p in places)


def fibres():
    far = dict(length_1=0.032, length_2=0.051)
    yield Fibre('one_layer_point', ONE, (POINT,), 0.007, 0.010, (0.0, 0.4, 3.1), (0.0, 0.012, 0.05),
                delay=0.7e-3, **far)
    yield Fibre('two_layers_dry_skin_disc', TWO, (DISC, 2e-3), 0.0105, 0.013,
                *grid(3, 2, 8e-3, 0.013), cv=2.5, end_plate=0.011, length_1=0.035, length_2=0.058)
    yield Fibre('thin_fat_very_superficial_point', THIN, (POINT,), 0.00995, 0.012,
                *grid(2, 3, 5e-3, 0.012, theta=0.03), rate=10000.0, end_plate=-0.013, cv=4.4,
                length_1=0.050, length_2=0.030)
    yield Fibre('bone_annulus', FOUR, (ANNULUS, 2.5e-3, 1e-3), 0.0165, 0.021,
                *grid(3, 2, 10e-3, 0.021), cv=3.3, fibre_theta=0.2, end_plate=0.004, **far)
    yield Fibre('five_layers_rectangle', FIVE, (RECTANGLE, 1e-3, 5e-3), 0.0215, 0.0255,
                *grid(3, 2, 6e-3, 0.0255), cv=6.0, rate=10000.0, end_plate=-0.009,
                length_1=0.048, length_2=0.029)
    yield Fibre('interior', THREE, (POINT,), 0.0083, 0.0080, (0.03, -0.2, 0.08),
                (0.0, 0.004, -0.03), rate=10000.0, cv=3.7, end_plate=0.012, **far)
    yield Fibre('interior_bone', FOUR, (POINT,), 0.0115, 0.0122, (0.05, 0.3, -0.02),
                (0.0, 0.006, 0.028), cv=4.1, end_plate=-0.007, **far)
    yield Fibre('ring_disc', THREE, (DISC, 1e-3), 0.0088, 0.015, *ring(2, 6, 8e-3), cv=4.0,
                fibre_theta=-2.9, end_plate=0.005, diameter=38e-6, **far)
    yield Fibre('rotated_disc', THREE, (DISC, 1.5e-3), 0.0095, 0.015,
                *grid(3, 3, 8e-3, 0.015, degrees=30.0, theta=1.0, z=0.006), cv=4.9, rate=10000.0,
                fibre_theta=1.1, end_plate=-0.008, **far)


# name, conductor, shape, R, rho, dtheta; electrodes between layers and in the bone among them
LEAD_FIELDS = (
    ('in_fat', THREE, (POINT,), 0.0090, 0.0120, 0.2),
    ('between_muscle_and_fat', THREE, (POINT,), 0.0080, 0.0100, 0.1),
    ('between_fat_and_skin', FOUR, (POINT,), 0.0150, 0.0200, 0.3),
    ('in_bone', FOUR, (POINT,), 0.0080, 0.0050, 0.4),
    ('between_bone_and_muscle', FIVE, (POINT,), 0.0100, 0.0080, 0.5),
    ('in_fascia', FIVE, (POINT,), 0.0205, 0.0222, 0.05),
    ('deep_in_muscle_with_bone', FIVE, (POINT,), 0.0100, 0.0115, 2.0),
    ('fibre_on_the_axis', THREE, (DISC, 1e-3), 0.0, 0.015, 1.0),
    ('annulus_on_dry_skin', TWO, (ANNULUS, 3e-3, 1e-3), 0.0100, 0.013, 0.6),
    ('rectangle_on_one_layer', ONE, (RECTANGLE, 2e-3, 8e-3), 0.0060, 0.010, 0.0),
)
OFFSETS = np.array([0, 0.5, 2, 5, 9, 15, 30, 60, 110]) * 1e-3


def write_subject(group, c, shape, **numbers):
    group.attrs['radius_m'], group.attrs['muscle'] = c.radius, float(c.muscle)
    group.attrs['transverse_s_per_m'], group.attrs['axial_s_per_m'] = c.st, c.sz
    group.attrs['shape'] = shape[0]
    group.attrs['shape_m'] = list(shape[1:]) + [0.0] * (3 - len(shape))
    for name, value in numbers.items():
        group.attrs[name] = value


def write_transfers(out):
    for name, c in CONDUCTORS.items():
        inner = c.radius[c.muscle - 1] if c.muscle else 0.0
        outer, skin = c.radius[c.muscle], c.radius[-1]
        rows = []
        for source in (inner + 0.3 * (outer - inner), outer - 5e-5):
            fields = {skin, (outer + skin) / 2, outer, inner + 0.6 * (outer - inner)}
            if inner > 0:
                fields |= {0.7 * inner, inner}
            for rho in sorted(fields):
                for n, k in ((0, 1e-2), (0, 35.0), (1, 0.0), (4, 0.0), (3, 700.0), (40, 150.0),
                             (150, 1e4), (150, 0.0), (0, 1e4)):
                    g = transfer(c, n, k, source, rho)
                    if g > 1e-290:
                        rows.append((n, k, source, rho, g))
        group = out.create_group('transfer/' + name)
        write_subject(group, c, (POINT,))
        group.create_dataset('n_k_source_field_g', data=np.array(rows), compression='gzip')


def coarse_and_fine(c, shape, source, rho, reach):
    """Two spectra, the first with fewer nodes and an earlier end."""
    return (Spectrum(c, shape, source, rho, reach, 19, 1e-8),
            Spectrum(c, shape, source, rho, reach, 22, 1e-10))


def write_lead_fields(out):
    for name, c, shape, source, rho, dtheta in LEAD_FIELDS:
        coarse, fine = coarse_and_fine(c, shape, source, rho, OFFSETS[-1] + 0.02)
        a, b = (s.smooth(dtheta, OFFSETS) + s.singular(dtheta, OFFSETS) for s in (coarse, fine))
        group = out.create_group('lead_fields/' + name)
        error = np.max(abs(a - b)) / abs(b[0])
        write_subject(group, c, shape, source_m=source, field_m=rho, dtheta_rad=dtheta,
                      own_error=error)
        group['z_m'], group['lead_ohm'] = OFFSETS, b
        print(f'{name}: {fine.n_orders} orders, {len(fine.k)} wavenumbers, own error {error:.1e}',
              flush=True)


def write_fibres(out):
    for f in fibres():
        reach = max(abs(z - f.end_plate) for z in f.z) + max(f.length_1, f.length_2) + 0.01
        coarse, fine = coarse_and_fine(f.conductor, f.shape, f.source, f.rho, reach)
        a = potential(f, coarse, points=8, step=0.07e-3)
        b = potential(f, fine)
        error = np.max(np.max(abs(a - b), axis=1) / np.max(abs(b), axis=1))
        group = out.create_group('fibres/' + f.name)
        write_subject(group, f.conductor, f.shape, source_m=f.source, field_m=f.rho,
                      cv_m_per_s=f.cv, end_plate_m=f.end_plate, length_1_m=f.length_1,
                      length_2_m=f.length_2, rate_hz=f.rate, delay_s=f.delay,
                      diameter_m=f.diameter, theta_rad=f.fibre_theta, own_error=error)
        group['electrode_theta_rad'], group['electrode_z_m'] = f.theta, f.z
        group.create_dataset('potential_v', data=b, compression='gzip', shuffle=True)
        print(f'{f.name}: {fine.n_orders} orders, {len(fine.k)} wavenumbers, '
              f'{b.shape[0]} x {b.shape[1]}, own error {error:.1e}', flush=True)


def main():
    for shape in ((DISC, 2e-3), (ANNULUS, 3e-3, 1e-3), (RECTANGLE, 2e-3, 8e-3)):
        for n, k in ((0, 300.0), (7, 0.0), (12, 900.0)):
            check_electrode(shape, n, k, 0.015)
    with h5py.File(sys.argv[1], 'w') as out:
        out.attrs['made_by'] = 'validation/ref/make_vectors.py'
        out.attrs['action_potential'] = (A, SCALE, SIGMA_I)
        write_transfers(out)
        write_lead_fields(out)
        write_fibres(out)


if __name__ == '__main__':
    main()
