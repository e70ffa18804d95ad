#!/usr/bin/env python3
"""Quantises weights with NumPy by the rules of schemas/FORMAT.md, section 5.1, and compares them with what was exported.

    quantize_weights.py FLOATS.npz CODES.npz VALUES.npz CODES.safetensors int8|int4 RULE SCALES GROUP ZERO_POINTS CONVOLUTIONS

FLOATS are the weights before, CODES and VALUES what `vggconv export` writes of the quantised model without and with
--dequantize. RULE is absmax, mse or a percentile. Written from the specification alone. Prints each tensor that differs, and
how many were compared.
"""
import json
import sys

import numpy as np

F = np.float32


def scales_and_zero_points(w, largest_code, rule, has_zero_points):
    """The scale and the zero point of each column of w, whose values share them."""
    n = w.shape[1]
    if rule in ("absmax", "mse"):
        m = np.abs(w).max(0)
    else:
        m = np.zeros(n, F)
        for c in range(n):
            magnitudes = np.sort(np.abs(w[:, c][w[:, c] != 0]))
            if len(magnitudes):
                m[c] = magnitudes[max(1, int(np.ceil(float(rule) * len(magnitudes) / 100))) - 1]
    z = np.zeros(n, np.int64)
    low, high = -largest_code, largest_code
    if has_zero_points:
        low = -8
        h = np.minimum(np.maximum(w.max(0), F(0)), m)
        l = np.maximum(np.minimum(w.min(0), F(0)), -m)
        s = h / F(15) - l / F(15)
    else:
        s = m / F(largest_code)
    tiny = s < F(2.0**-126)
    s = np.where(tiny, F(1), s)
    if has_zero_points:
        z = np.where(tiny, 0, np.minimum(7, -8 + np.rint(-l / s).astype(np.int64)))
    assert s.dtype == F
    if rule == "mse":
        def error(j):
            c = s * (j.astype(F) / F(64))
            x = w * (F(1) / c)
            q = np.clip(np.rint(x), (low - z).astype(F), (high - z).astype(F))
            t = np.rint((x - q) * F(64)).astype(np.int64)
            e = (t * t).sum(0).astype(np.float64) * c.astype(np.float64) * c.astype(np.float64)
            return np.where((j < 20) | (j > 64) | (c < F(2.0**-126)), np.inf, e)

        best, least = np.full(n, 64), np.full(n, np.inf)
        for j in range(64, 19, -4):
            e = error(np.full(n, j))
            best, least = np.where(e < least, j, best), np.minimum(e, least)
        middle = best.copy()
        for step in (3, 2, 1, -1, -2, -3):
            j = middle + step
            e = error(j)
            better = (e < least) | ((e == least) & (j > best))
            best, least = np.where(better, j, best), np.where(better, e, least)
        s = np.where(tiny, F(1), s * (best.astype(F) / F(64)))
    return s, z, low, high


def read_safetensors(path):
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")
    kinds = {"F32": "<f4", "I8": "|i1", "I64": "<i8"}
    return {
        name: np.frombuffer(
            data[8 + length + t["data_offsets"][0] : 8 + length + t["data_offsets"][1]], kinds[t["dtype"]]
        ).reshape(t["shape"])
        for name, t in header.items()
    }


def main():
    floats, codes, values = (np.load(path) for path in sys.argv[1:4])
    safetensors = read_safetensors(sys.argv[4])
    precision, rule, sharing, group, zero_points, convolutions = sys.argv[5:11]
    compared = 0
    expected = {}
    for name in floats.files:
        whole = floats[name]
        if not name.endswith("/weight"):
            expected[name] = whole
            continue
        is_int4 = precision == "int4" and (whole.ndim == 2 or convolutions == "1")
        has_zero_points = is_int4 and zero_points == "1"
        rows = whole.reshape(-1, whole.shape[-1])
        length = int(group) if is_int4 else len(rows)
        one = not is_int4 and sharing == "tensor"
        matrix = rows.reshape(-1, 1) if one else rows
        length = len(matrix) if one else length
        s, z, q = [], [], []
        for first in range(0, len(matrix), length):
            w = matrix[first : first + length]
            scale, zero, low, high = scales_and_zero_points(w, 7 if is_int4 else 127, rule, has_zero_points)
            s.append(scale)
            z.append(zero)
            q.append(np.clip(np.rint(w / scale), low - zero, high - zero).astype(np.int64) + zero)
        s, z, q = np.stack(s), np.stack(z).astype(np.int8), np.concatenate(q).reshape(whole.shape).astype(np.int8)
        expected[name] = q
        expected[name + ".scales"] = s if is_int4 else s[0]
        if has_zero_points:
            expected[name + ".zero_points"] = z
        if is_int4:
            expected[name + ".group_size"] = np.array(int(group), np.int64)
        index = np.arange(len(matrix)) // length
        steps = q.reshape(matrix.shape).astype(F) - z[index].astype(F)
        dequantized = (steps * s[index]).reshape(whole.shape)
        if values[name].dtype != F or not np.array_equal(values[name], dequantized):
            print("values of", name)
        compared += 1
    for found, kind in ((codes, "npz"), (safetensors, "safetensors")):
        names = set(found.files if kind == "npz" else found)
        for name in sorted(names ^ set(expected)):
            print("names of", kind, name)
        for name in names & set(expected):
            a, b = found[name], expected[name]
            if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != np.ascontiguousarray(b).tobytes():
                print(kind, name, a.dtype, b.dtype, a.shape, b.shape)
    print(compared, "weights compared")


main()
