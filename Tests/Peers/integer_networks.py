#!/usr/bin/env python3
"""Runs trained networks of integers layer by layer in LiteRT, tflite-micro and ONNX Runtime, with the integers of `vggconv`.

    integer_networks.py VGGCONV

A network is imported, quantised by each rounding and run by `vggconv`; each layer then gets, in each runtime that follows the rounding,
the codes that the layer in front of it gave, with the weights, biases, scales and zero points that `vggconv export` writes. Every code
of every output must be the same, so the networks as wholes give the same. Exit status: 0 if they are, 1 otherwise. Needs what
fixtures/generators/integer_runtimes.py needs.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")
sys.path.insert(0, os.path.join(FIXTURES, "generators"))
from integer_runtimes import run_all  # noqa: E402

NETWORKS = ["keras/vgg_d_digits.h5", "keras/vgg_a_digits.h5", "keras/vgg_d_digits_full.h5"]
PICTURES = 24
# The runtimes that follow a rounding; some of them follow another one in some kinds of layers (docs/integer_arithmetic.md).
FOLLOWERS = {
    "litert": {"convolution": ["litert", "onnxruntime"], "dense": ["litert", "onnxruntime"], "softmax": ["litert"]},
    "tflm": {"convolution": ["tflite_micro", "litert_reference"], "dense": ["tflite_micro"],
             "softmax": ["tflite_micro", "litert_reference"]},
}
EVERYBODY = ["litert", "litert_reference", "tflite_micro", "onnxruntime"]


def made(tool, folder, network, rounding):
    """What `vggconv` stores and what it computes for some pictures: two dictionaries of arrays."""
    def run(*arguments):
        subprocess.run([tool, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run("import", os.path.join(FIXTURES, network), "-f", "-o", "m.vggw")
    run("quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--rounding", rounding, "--calibrate",
        os.path.join(FIXTURES, "digits_test.npz"), "-f", "-o", "q.vggw")
    data = np.load(os.path.join(FIXTURES, "digits_test.npz"))
    pictures = np.repeat(data["images_64x64"][:PICTURES, :, :, None], 3, 3) - data["mean_bgr"]
    np.savez(os.path.join(folder, "input.npz"), input=pictures.astype(np.float32))
    run("export", "q.vggw", "--to", "npz", "-f", "-o", "stored.npz")
    run("run", "q.vggw", "input.npz", "--save-activations", "outputs.npz", "-f")
    outputs = dict(np.load(os.path.join(folder, "outputs.npz")), input=pictures.astype(np.float32))
    return dict(np.load(os.path.join(folder, "stored.npz"))), outputs


def layers(stored, outputs):
    """Each layer, as integer_runtimes has it, with its name and the codes that `vggconv` gives."""
    names = [key[: -len("/output.scales")] for key in stored if key.endswith("/output.scales")]
    weighted = [name for name in names if f"{name}/weight" in stored]

    def codes(name, scale, zero):
        values = outputs["logits" if name not in outputs else name]
        return np.clip(np.rint(values / scale) + zero, -128, 127).astype(np.int8)

    previous, scale, zero = "input", stored["input.scales"][0], stored["input.zero_points"][0]
    for name in names:
        own = stored[f"{name}/output.scales"][0], stored[f"{name}/output.zero_points"][0]
        layer = dict(input=codes(previous, scale, zero), input_scale=scale, input_zero_point=zero, output_scale=own[0],
                     output_zero_point=own[1])
        if name in weighted:
            weights = stored[f"{name}/weight"]
            isDense = weights.ndim == 2
            order = (1, 0) if isDense else (3, 0, 1, 2)
            layer.update(kind="dense" if isDense else "convolution", weights=np.ascontiguousarray(weights.transpose(order)),
                         weight_scales=stored[f"{name}/weight.scales"], bias=stored[f"{name}/bias"],
                         relu=name != weighted[-1], stride=1, same=True)
            if isDense: layer["input"] = layer["input"].reshape(len(layer["input"]), -1)
        elif name.startswith("pool"):
            layer.update(kind="max", size=(2, 2), stride=2, same=False)
        else:
            layer.update(kind="softmax")
        yield name, layer, codes(name, *own)
        previous, (scale, zero) = name, own


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tool, wrong = os.path.abspath(sys.argv[1]), 0
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            for rounding, followers in FOLLOWERS.items():
                layerCount = valueCount = 0
                for name, layer, right in layers(*made(tool, folder, network, rounding)):
                    seen, _ = run_all(layer)
                    for runtime in followers.get(layer["kind"], EVERYBODY):
                        different = int((seen[runtime] != right).sum())
                        if different:
                            wrong += 1
                            print(f"{network}, {rounding}, {name}: {runtime} differs in {different} of {right.size} codes")
                        valueCount += right.size
                    layerCount += 1
                print(f"{network}, {rounding}: {layerCount} layers, {valueCount} codes compared")
    print(f"{wrong} differences" if wrong else "every layer gives the codes of the runtimes that follow its rounding")
    sys.exit(1 if wrong else 0)


main()
