#!/usr/bin/python3
"""Write the seeds of the fuzz targets native, edf, bids, mat, otb, openhdemg, cnn into corpus/ here."""

import gzip
import io
import json
import os
import struct
import tarfile

import h5py
import numpy as np
import scipy.io

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(data)


def native(libver, **how):
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver=libver) as f:
        data = f.create_dataset("emg/data", data=np.arange(24, dtype="i2").reshape(4, 6), **how)
        data.attrs["units"] = "uV"
        data.attrs["scale"] = 0.5
        data.attrs["sampling_rate_hz"] = 2048.0
        f["emg/sampling_rate_hz"] = 2048.0
        for k, name in enumerate(["x_mm", "y_mm", "z_mm", "row", "column"]):
            f["emg/electrodes/" + name] = np.arange(4) * (k % 2)
        f["emg/bad_channel"] = np.zeros(4, "u1")
        f["emg/channel_name"] = np.array([b"a", b"b", b"c", b"d"])
        for group in ["truth", "units"]:
            f[group + "/spike_offsets"] = np.array([0, 2, 3])
            f[group + "/spike_samples"] = np.array([1, 4, 2])
        f["truth/muap"] = np.ones((2, 4, 3), "f4")
        f["truth/muap"].attrs["origin"] = 1
        f["truth/units/depth_mm"] = np.array([1.0, 2.0])
        f["truth/units/depth_mm"].attrs["units"] = "mm"
        f["units/sil"] = np.array([0.9, 0.8])
        f["provenance/config_yaml"] = np.bytes_(b"simulation:\n  seed: 1\n")
        f.attrs["complete"] = 1
    return memory.getvalue()


def network(name, units=1):
    """A network of the least window, all weights the same so that it packs well."""
    memory = io.BytesIO()
    layers = {"c1": (3, 1, 128), "c2": (3, 128, 128), "c3": (3, 128, 128), "c4": (3, 128, 64),
              "f1": (64, 256), "f2": (256, units if name == "multilabel" else 1)}
    first = {"so": 0, "mo": 2, "shared": 4, "multilabel": 6}[name]
    with h5py.File(memory, "w") as f:
        f["kind"] = np.bytes_(b"emgtwin network 1")
        for u in range(-1, units if first < 6 else 0):
            for i, (layer, shape) in enumerate(layers.items()):
                if (i >= first) == (u >= 0):
                    full = f"u{u:04d}_{layer}" if u >= 0 else layer
                    path = f"model_weights/{full}/{full}/"
                    f.create_dataset(path + "kernel:0", data=np.full(shape, 0.01, "f4"),
                                     chunks=shape, compression=9, shuffle=True)
                    f[path + "bias:0"] = np.zeros(shape[-1], "f4")
        numbers = {"n_units": units, "n_channels": 1, "n_channels_recorded": 2, "window": 16,
                   "step": 8, "sampling_rate_hz": 2048.0, "band_low_hz": 20.0,
                   "band_high_hz": 500.0, "notch_hz": 50.0, "scale_uv": 10.0,
                   "refractory_ms": 20.0, "soft_label_ms": 0.0}
        for key, value in numbers.items():
            f["network/" + key] = float(value)
        f["network/name"] = np.bytes_(name.encode())
        f["network/channel"] = np.array([1], "i4")
        f["network/threshold"] = np.full(units, 0.5)
        f["network/labels_sha256"] = np.bytes_(b"0" * 64)
        f["network/seed"] = np.uint64(1)
        f.attrs["complete"] = 1
    return memory.getvalue()


def muedit73():
    memory = io.BytesIO()
    with h5py.File(memory, "w", userblock_size=512) as f:
        f["signal/data"] = np.arange(8.0).reshape(4, 2)
        f["signal/fsamp"] = np.array([[2048.0]])
        f["#refs#/a"] = np.array([[1.0, 2.0], [1.0, 1.0]])
        f["#refs#/b"] = np.array([[2.0], [4.0]])
        cells = f.create_dataset("signal/coordinates", (1, 1), dtype=h5py.ref_dtype)
        cells[0, 0] = f["#refs#/a"].ref
        cells = f.create_dataset("signal/Dischargetimes", (1, 1), dtype=h5py.ref_dtype)
        cells[0, 0] = f["#refs#/b"].ref
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    data = bytearray(memory.getvalue())
    data[:128] = head
    return bytes(data)


def edf(start=b"0       ", plus=b"", records=2, rate=(4, 4, 1), unit=(b"uV", b"mV", b"N"), width=2,
        labels=(b"EMG1", b"EMG2", b"Force"), annotations=False):
    labels, unit, rate = list(labels), list(unit), list(rate)
    if annotations:
        labels, unit, rate = labels + [b"EDF Annotations"], unit + [b""], rate + [6]
    n = len(labels)

    def field(text, size):
        return str(text).encode().ljust(size) if not isinstance(text, bytes) else text.ljust(size)

    head = start + field("X", 80) + field("Startdate X", 80) + b"01.01.2512.00.00"
    head += field(256 * (n + 1), 8) + field(plus, 44) + field(records, 8) + field(1, 8) + field(n, 4)
    for values, size in [(labels, 16), ([b""] * n, 80), (unit, 8), ([-100] * n, 8), ([100] * n, 8),
                         ([-32768] * n, 8), ([32767] * n, 8), ([b""] * n, 80), (rate, 8),
                         ([b""] * n, 32)]:
        head += b"".join(field(v, size) for v in values)
    body = b""
    for record in range(max(records, 1)):
        for label, count in zip(labels, rate):
            if label == b"EDF Annotations":
                body += (b"+%d\x14\x14" % record).ljust(count * width, b"\0")
            else:
                body += bytes((7 * k) % 251 for k in range(count * width))
    return head + body


def bids():
    parts = [
        edf(labels=(b"EMG1", b"EMG2", b"Torque")),
        b"name\ttype\tunits\tsignal_electrode\tgroup\tstatus\nEMG1\tEMG\tuV\tE1\tg\tgood\n"
        b"EMG2\tEMG\tV\tE2\tg\tbad\nTorque\tMISC\tNm\tn/a\tn/a\tn/a\n",
        b"name\tx\ty\tz\tcoordinate_system\tgroup\nE1\t0\t0\t0\ta\tg\nE2\t8\t0\t0\ta\tg\n",
        b'{"EMGCoordinateUnits": "mm"}',
        b'{"SamplingFrequency": 4, "RecordingDuration": 2}',
        b'{"TaskName": "t", "Nested": {"a": [1, 2, {"b": "}"}]}}',
        b"onset\tduration\tsample\tunit_id\tevent_type\n0.25\t0\t1\t0\tmotor-unit-spike\n"
        b"1.5\t0\t6\t1\tmotor-unit-spike\n",
        b'{"Name": "x"}',
    ]
    return b"".join((b"@@@%c" % k if k else b"") + part for k, part in enumerate(parts))


def mat(variables, **how):
    memory = io.BytesIO()
    scipy.io.savemat(memory, variables, **how)
    # without the time of writing
    return b"MATLAB 5.0 MAT-file".ljust(116) + memory.getvalue()[116:]


def cells(*values):
    out = np.empty((1, len(values)), object)
    for k, value in enumerate(values):
        out[0, k] = value
    return out


def swapped_map():
    """A big-endian file: one 2 x 2 matrix named m."""
    body = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 2, 2)
    body += struct.pack(">HH", 1, 1) + b"m\0\0\0" + struct.pack(">II4d", 9, 32, 1, 2, 3, 4)
    return b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body


def archive(members, how=tarfile.USTAR_FORMAT, headers=None):
    """A tar archive as Python's tarfile writes it."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=how, pax_headers=headers) as tar:
        for name, data in members:
            data = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data))
    return memory.getvalue()


def otb_channel(index, code, description, prefix="", muscle="", side=""):
    return (f'<Channel ID="{code}" Prefix="{prefix}" Description="{description}" Gain="1" '
            f'Index="{index}" Muscle="{muscle}" Side="{side}"/>')


def otb_adapter(start, code, gain, number, *channels):
    return (f'<Adapter ID="{code}" Description="d" Gain="{gain}" HighPassFilter="10" '
            f'LowPassFilter="500" AdapterIndex="{number}" ChannelStartIndex="{start}">'
            + "".join(channels) + "</Adapter>")


def otb_device(name, channels, bits, *adapters):
    return (f'<?xml version="1.0" encoding="utf-8"?><Device Name="{name}" ID="0" '
            f'DeviceTotalChannels="{channels}" SampleFrequency="2048" ad_bits="{bits}"><Channels>'
            + "".join(adapters) + "</Channels></Device>")


def otb_plus():
    """A 64-channel grid, an auxiliary input, a control channel, feedback and a marker."""
    grid = [otb_channel(k, "GR08MM1305", "64 Adhesive Array 8 mm i.e.d.", "MULTIPLE IN 1 ",
                        "Tibialis Anterior", "Right") for k in range(64)]
    device = otb_device(
        "QUATTROCENTO;384", 66, 16, otb_adapter(0, "AD1x64SE", 150, 0, *grid),
        otb_adapter(64, "Direct connection", 0.5, 1, otb_channel(0, "AUX  Force", "Force")),
        otb_adapter(65, "AdapterControl", 1, 2, otb_channel(0, "Ramp", "Ramp")))
    frames = np.arange(5)[:, None] * 1000 + np.arange(66)[None, :] - 2000
    feedback = ("<ProcessedSignal><description>performed</description><fsample>2048</fsample>"
                "<unity_of_measurement>%</unity_of_measurement></ProcessedSignal>")
    marker = ("<ArrayOfMarker><Marker><Milliseconds>1.5</Milliseconds><Description>go"
              "</Description></Marker></ArrayOfMarker>")
    return [("2026.xml", device), ("2026.sig", frames.astype("<i2").tobytes()),
            ("patient.xml", "<Patient/>"), ("a.sip", b""), ("b.sip", np.arange(3.0).tobytes()),
            ("b.pro", feedback), ("c.sip", np.arange(9.0).tobytes()), ("markers_0.xml", marker)]


def otb4_track(title, stream, n, size, rate=2048, total="", at=0, **more):
    fields = {"Title": title, "SubTitle": "", "Device": "Novecento+;1", "IsControl": "false",
              "Gain": 2, "ADC_Nbits": 16, "ADC_Range": 4.8, "SamplingFrequency": rate,
              "SignalStreamPath": stream, "NumberOfChannels": n, "AcquisitionChannel": at,
              "SampleSize": size, "UnitOfMeasurement": "mV", "UnitOfMeasurementFactor": 1000,
              "TotalChannelsInFile": total, **more}
    return "<TrackInfo>" + "".join(f"<{k}>{v}</{k}>" for k, v in fields.items()) + "</TrackInfo>"


def otb4():
    """Two grids, an auxiliary input and control signals in files of their own, and feedback."""
    tracks = "".join([
        otb4_track("IN1", "a.sig", 32, 4, total=32,
                   Description="<Name>HD10MM0804</Name><NRow>8</NRow><NColumn>4</NColumn>"),
        # counted through all files: only the offset fits
        otb4_track("IN2", "b.sig", 1, 4, total=2, at=32, ChannelOffsetInSubPacket=1),
        otb4_track("AUX 1", "b.sig", 1, 4, total=2, at=33, ChannelOffsetInSubPacket=0,
                   UnitOfMeasurement="V", UnitOfMeasurementFactor=1),
        otb4_track("Control", "c.sig", 2, 2, rate=4096, IsControl="true", ADC_Nbits=0,
                   UnitOfMeasurement="", UnitOfMeasurementFactor=1),
    ])
    feedback = otb4_track("Feedback", "d.sig", 1, 8, rate=512, total=2, at=1, SubTitle="Performed",
                          UnitOfMeasurement="%", UnitOfMeasurementFactor=1)
    a = (np.arange(6)[:, None] * 100 + np.arange(32)).astype("<i4")
    b = np.array([[7, k] for k in range(6)], "<i4")
    c = np.arange(24).reshape(12, 2).astype("<i2")
    d = np.array([[9, 1.0], [9, 5.0]], "<f8")
    return [("Tracks_000.xml", f"<ArrayOfTrackInfo>{tracks}</ArrayOfTrackInfo>"),
            ("TrapezoidalTracks_000.xml", f"<ArrayOfTrackInfo>{feedback}</ArrayOfTrackInfo>"),
            ("a.sig", a.tobytes()), ("b.sig", b.tobytes()), ("c.sig", c.tobytes()),
            ("d.sig", d.tobytes())]


def otb_members(members, letters):
    """Members behind marks that say which they are; the target makes the archive."""
    out = b"@@@\x05"
    for (name, data), letter in zip(members, letters):
        data = data.encode() if isinstance(data, str) else data
        # the names the target gives
        data = data.replace(b"2026.", b"a.")
        out += b"@@@%c" % letter + data
    return out


def table(columns, data):
    return json.dumps({"columns": list(range(columns)), "index": list(range(len(data))),
                       "data": data}, separators=(",", ":"))


def openhdemg_json():
    return json.dumps({
        "SOURCE": json.dumps("OTB"), "FILENAME": json.dumps("x"), "FSAMP": "2048.0", "IED": "8.0",
        "RAW_SIGNAL": table(2, [[0.5, -1], [0.25, None], [0.001, 2]]),
        "REF_SIGNAL": table(1, [[1], [2], [3]]), "MUPULSES": "[[0, 2], []]", "EMG_LENGTH": "3",
        "EMGTWIN_CHANNELS": json.dumps({"name": ["a", "\u00b5"], "row": [0, 0], "column": [0, 1],
                                        "x_mm": [0, 8], "y_mm": [0, None], "state": [0, 2]}),
    }).encode()


def openhdemg_module():
    raw, pulses = np.arange(6.0).reshape(3, 2), np.array([0, 2], "<i8")
    manifest = {
        "_metadata": {"data_structure_version": "1.0"},
        "SOURCE": {"data_type": "str", "text": "OPENHDEMG"},
        "FSAMP": {"data_type": "float", "value": 2048.0},
        "RAW_SIGNAL": {"data_type": "pd.DataFrame", "data_file_path": "files/RAW_SIGNAL.bin",
                       "compression": None, "order": "C", "columns": [0, 1], "shape": [3, 2],
                       "endian_dtype": "<f8", "checksum": None},
        "MUPULSES": {"data_type": "list_of_1D_np.ndarray", "data_file_path": "files/MUPULSES.bin",
                     "compression": None, "lengths": [2], "offsets": [0], "endian_dtypes": ["<i8"],
                     "checksum": None},
    }
    return json.dumps(manifest).encode() + b"@@@" + raw.tobytes() + b"@@@" + pulses.tobytes()


def main():
    put("openhdemg", "packed", b"0" + gzip.compress(openhdemg_json(), mtime=0))
    put("openhdemg", "text", b"1" + openhdemg_json())
    put("openhdemg", "module", b"2" + openhdemg_module())
    put("openhdemg", "table", b"0REF_SIGNAL,RAW_SIGNAL_0,RAW_SIGNAL_1,MUPULSES_0\n"
        b"1,0.5,-1,0\n2,0.25,,2\n3,1e-3,2,\n")
    put("native", "old.h5", native("earliest"))
    put("native", "new.h5", native("latest", chunks=(2, 4), compression="gzip", shuffle=True))
    put("native", "packed.h5", native("earliest", chunks=(2, 4), compression="gzip", shuffle=True,
                                      fletcher32=True))
    put("mat", "muedit73.mat", muedit73())
    put("edf", "plain.edf", edf())
    put("edf", "plus.edf", edf(plus=b"EDF+D", annotations=True))
    put("edf", "unknown_length.edf", edf(records=-1, unit=(b"", b"", b"")))
    put("edf", "bdf.bdf", edf(start=b"\xffBIOSEMI", plus=b"24BIT", width=3))
    put("bids", "folder", bids())
    signals = cells(np.arange(4.0)[None], np.arange(4.0)[None])
    pulses = cells(np.array([[1, 3]], "u2"), np.array([[2]], "u2"))
    demuse = {"SIG": signals, "fsamp": 2048.0, "IED": 8.0, "MUPulses": pulses,
              "ref_signal": np.arange(4.0)[None]}
    put("mat", "demuse.mat", mat(demuse))
    put("mat", "demuse_packed.mat", mat(demuse, do_compression=True))
    texts = cells("EMG GR08MM1305[mV]", "acquired data[N]", "Decomposition of 1").T
    put("mat", "otb.mat", mat({"Data": cells(np.eye(12, 3, dtype="f4")), "Description": texts,
                               "SamplingFrequency": 2048.0}))
    texts = cells("acquired data[%]", "performed path[%]").T
    put("mat", "otb_force.mat", mat({"Data": cells(np.eye(6, 2)), "Description": texts,
                                     "SamplingFrequency": 2048.0}))
    put("mat", "pulses.mat", mat({"MUPulses": pulses, "fsamp": np.uint16(2048),
                                  "ref_signal": np.arange(4.0)[None]}))
    nothing = cells(np.zeros((1, 0)), np.zeros((0, 0)))
    put("mat", "no_discharges.mat", mat({"MUPulses": nothing, "fsamp": 2048.0}))
    signal = {"data": np.ones((2, 5)), "fsamp": 2000.0, "coordinates": cells(np.eye(2) + 1),
              "EMGmask": cells(np.array([[0], [1]])), "IED": 8.0, "gridname": cells("GR08"),
              "Dischargetimes": cells(np.array([[1, 4]])), "path": np.ones((1, 5)),
              "auxiliary": np.ones((1, 5)), "auxiliaryname": cells("force")}
    put("mat", "muedit.mat", mat({"signal": signal}))
    put("mat", "flexemg.mat", mat({"raw": np.ones((4, 3), "u2"), "p": {"lsbmV": 0.003}}))
    put("mat", "map.mat", mat({"map": np.array([[1, 2], [3, 0]], "u1")}))
    put("mat", "swapped.mat", swapped_map())
    put("otb", "quattrocento.otb+", archive(otb_plus()))
    put("otb", "gnu.otb+", archive([("x" * 120 + "/" + n, d) for n, d in otb_plus()],
                                   tarfile.GNU_FORMAT))
    put("otb", "pax.otb+", archive([("folder/", b"")] + [("\u00e9" * 60 + "/" + n, d)
                                                         for n, d in otb_plus()],
                                   tarfile.PAX_FORMAT, {"comment": "of a recording"}))
    put("otb", "packed.otb+", gzip.compress(archive(otb_plus()), mtime=0))
    put("otb", "novecento.otb4", archive(otb4()))
    put("otb", "plus_members", otb_members(otb_plus(), [0, 1, 5, 2, 2, 3, 4, 5]))
    put("otb", "otb4_members", otb_members(otb4(), [6, 12, 1, 7, 8, 9]))
    for name, units in [("so", 1), ("mo", 1), ("shared", 2), ("multilabel", 2)]:
        put("cnn", name + ".h5", network(name, units))


main()
