#!/usr/bin/env python3
"""What codes of four bits lose that make up for each other, and what nearest ones do: compensation.py VGGCONV.

Makes the table of docs/verification.md with the trained networks of fixtures: calibrated with the first pictures of their test
data, measured on the others.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
NETWORKS = [
    ("D", "vgg_d_digits.h5", "digits_test.npz", "images_64x64", 120),
    ("A", "vgg_a_digits.h5", "digits_test.npz", "images_64x64", 120),
    ("MNIST", "vgg_d_mnist.weights.h5", "mnist_test.npz", "images", 300),
]


def run(*arguments):
    return subprocess.run([sys.argv[1], *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def logits(model, inputs, folder):
    run("run", model, inputs, "--save-activations", folder / "a.npz", "--force")
    values = np.load(folder / "a.npz")["logits"].astype(np.float64)
    return values.reshape(len(values), -1)


def measure(folder, letter, source, data, images, calibrated):
    arrays = np.load(FIXTURES / data)
    pictures, labels = arrays[images], arrays["labels"]
    np.savez(folder / "calibration.npz", images=pictures[:calibrated])
    others = pictures[calibrated:, ..., None].astype(np.float32) - arrays["mean_bgr"].astype(np.float32)
    np.savez(folder / "others.npz", input=others)
    labels = labels[calibrated:]
    run("import", FIXTURES / "keras" / source, "-o", folder / "m.vggw", "--force", "--no-verify")
    expected = logits(folder / "m.vggw", folder / "others.npz", folder)
    lengths = np.linalg.norm(expected, axis=1)
    right = (expected.argmax(1) == labels).mean()
    for layers, convolutions in (("dense", []), ("all", ["--int4-conv"])):
        for kind, zeros in (("symmetric", []), ("zero points", ["--zero-points"])):
            for length in (32, 64, 128):
                cells = []
                for rounding in (["--no-compensation"], []):
                    run(
                        "quantize", folder / "m.vggw", "--to", "int4", "--group-size", length, *zeros, *convolutions,
                        "--calibrate", folder / "calibration.npz", *rounding, "-o", folder / "q.vggw", "--force",
                        "--no-verify")
                    seen = logits(folder / "q.vggw", folder / "others.npz", folder)
                    error = (np.linalg.norm(seen - expected, axis=1) / lengths).mean()
                    cosine = (1 - (seen * expected).sum(1) / np.linalg.norm(seen, axis=1) / lengths).mean()
                    cells.append((error, cosine, (seen.argmax(1) == labels).mean()))
                (plain, far, before), (compensated, near, after) = cells
                print(
                    f"| {letter} | {layers} | {length}, {kind} | {plain:.3f} | {compensated:.3f} | {far:.1e} | {near:.1e} "
                    f"| {100 * right:.1f} | {100 * before:.1f} | {100 * after:.1f} |", flush=True)


def main():
    print("| network | int4 | groups | error, nearest | compensated | distance, nearest | compensated | top-1, float | nearest | compensated |")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for network in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            measure(pathlib.Path(folder), *network)


if __name__ == "__main__":
    main()
