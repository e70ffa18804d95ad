#!/usr/bin/env python3
"""What equalisation and bias correction gain: the table of docs/integer_arithmetic.md. Needs numpy.

    equalization.py VGGCONV

Prints Markdown: for the three trained networks of `fixtures` and several precisions, without either, with each and with both, the mean
and the largest cosine distance of the scores for a picture, and the number of pictures that are classified rightly. Every third
picture of the test data is for calibration, the others are for measuring.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
NETWORKS = [
    ("D, digits", "keras/vgg_d_digits_full.h5", "digits_test.npz"),
    ("A, digits", "keras/vgg_a_digits.h5", "digits_test.npz"),
    ("D, MNIST", "keras/vgg_d_mnist.weights.h5", "mnist_test.npz"),
]
INT8 = ["--to", "int8"]
INTEGERS = ["--activations", "int8"]
TENSOR = ["--scales", "tensor"]
PRECISIONS = [
    ("int8", INT8),
    ("int8, one scale for a tensor", INT8 + TENSOR),
    ("int8, integers, litert", INT8 + INTEGERS),
    ("int8, integers, tflm", INT8 + INTEGERS + ["--rounding", "tflm"]),
    ("the same, one scale, litert", INT8 + INTEGERS + TENSOR),
    ("the same, one scale, tflm", INT8 + INTEGERS + TENSOR + ["--rounding", "tflm"]),
    ("int4", ["--to", "int4"]),
    ("int4, convolutions too", ["--to", "int4", "--int4-conv"]),
]
VARIANTS = [[], ["--equalize"], ["--correct-biases"], ["--equalize", "--correct-biases"]]


def run(*arguments):
    """The result of a command as JSON; that a model is not close is a result, too."""
    process = subprocess.run([*arguments, "--json"], capture_output=True, text=True)
    if process.returncode not in (0, 1):
        raise SystemExit(process.stderr)
    return json.loads(process.stdout)


def split(data, preprocessing, folder):
    """Files with the pictures of the calibration, and with those to measure with, preprocessed; and the classes of these."""
    arrays = np.load(data)
    images = arrays["images" if "images" in arrays.files else "images_64x64"]
    labels = arrays["labels"]
    chosen = np.arange(len(labels)) % 3 == 0
    calibration, inputs = os.path.join(folder, "calibration.npz"), os.path.join(folder, "inputs.npz")
    np.savez(calibration, images=images[chosen], labels=labels[chosen])
    pixels = np.repeat(images[~chosen][..., None].astype("f4"), 3, axis=-1)
    values = (pixels - np.array(preprocessing["mean"], "f4")) * np.array(preprocessing["scale"], "f4")
    np.savez(inputs, input=values)
    return calibration, inputs, labels[~chosen]


def scores(vggconv, model, inputs, folder):
    output = os.path.join(folder, "activations.npz")
    if os.path.exists(output):
        os.remove(output)
    run(vggconv, "run", model, inputs, "--save-activations", output)
    return np.load(output)["logits"].reshape(-1, 10).astype("f8")


def distances(seen, expected):
    lengths = np.linalg.norm(seen, axis=1) * np.linalg.norm(expected, axis=1)
    return 1 - (seen * expected).sum(axis=1) / lengths


def main():
    vggconv = os.path.abspath(sys.argv[1])
    print("| network | precision | neither | equalised | biases corrected | both |")
    print("|---|---|---:|---:|---:|---:|")
    for title, source, data in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            plain, model = os.path.join(folder, "m.vggw"), os.path.join(folder, "q.vggw")
            report = run(vggconv, "import", os.path.join(FIXTURES, source), "-o", plain)
            calibration, inputs, labels = split(os.path.join(FIXTURES, data), report["preprocessing"], folder)
            expected = scores(vggconv, plain, inputs, folder)
            right = (expected.argmax(axis=1) == labels).sum()
            print(f"| {title} | float32 | {right} of {len(labels)} | | | |", flush=True)
            for name, flags in PRECISIONS:
                cells = []
                for variant in VARIANTS:
                    uses = "--activations" in flags or "--correct-biases" in variant
                    given = ["--calibrate", calibration] if uses else []
                    run(vggconv, "quantize", plain, *flags, *variant, *given, "-o", model, "--force", "--no-verify")
                    seen = scores(vggconv, model, inputs, folder)
                    far = distances(seen, expected)
                    right = (seen.argmax(axis=1) == labels).sum()
                    cells.append(f"{far.mean():.1e} ({far.max():.1e}), {right}")
                print(f"| | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
