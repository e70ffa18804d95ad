#!/usr/bin/env python3
"""Writes a network of the paper with random weights as a Keras 2 HDF5 file, for benchmarks.

    Benchmarks/random_model.py D vgg16.h5                          # also A, B, C, E
    Benchmarks/random_model.py A small.h5 --width 0.25 --side 64 --classes 10 --dense 256

Weights are He-scaled, so that about half of what a ReLU gives is zero, and depend on --seed only. Needs numpy and h5py.
"""
import argparse

import h5py
import numpy as np

BLOCKS = {"A": "1 1 2 2 2", "B": "2 2 2 2 2", "C": "2 2 3 3 3", "D": "2 2 3 3 3", "E": "2 2 4 4 4"}
WIDTHS = [64, 128, 256, 512, 512]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("net", choices=list(BLOCKS))
    parser.add_argument("output")
    parser.add_argument("--width", type=float, default=1, help="factor of the widths of the convolutions")
    parser.add_argument("--side", type=int, default=224, help="side of the input")
    parser.add_argument("--dense", type=int, default=4096, help="outputs of fc6 and fc7")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2014)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    with h5py.File(options.output, "w") as file:
        names = []

        def add(name, shape):
            fan_in = int(np.prod(shape[:-1]))
            weight = random.standard_normal(shape, np.float32) * np.float32((2 / fan_in) ** 0.5)
            bias = random.standard_normal(shape[-1], np.float32) * np.float32(0.01)
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group[f"{name}_W_1:0"], group[f"{name}_b_1:0"] = weight, bias
            names.append(name)
            return shape[-1]

        inputs = 3
        for block, count in enumerate(map(int, BLOCKS[options.net].split())):
            for index in range(count):
                side = 1 if options.net == "C" and index == 2 else 3
                outputs = max(1, round(WIDTHS[block] * options.width))
                inputs = add(f"block{block + 1}_conv{index + 1}", (side, side, inputs, outputs))
        inputs = add("fc1", (inputs * (options.side // 32) ** 2, options.dense))
        add("predictions", (add("fc2", (inputs, options.dense)), options.classes))
        file.attrs["layer_names"] = [name.encode() for name in names]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.0"


if __name__ == "__main__":
    main()
