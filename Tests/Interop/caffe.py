"""OpenCV, whose reader of Caffe's files is its own, computes what vggconv writes for Caffe.

PyPI: opencv-python-headless<5 (5 reads Caffe's files no more) numpy
Use: caffe.py VGGCONV
"""
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Not vgg_a_lrn_k2: OpenCV takes no notice of a normalisation's k.
FIXTURES = [
    "caffe/vgg_a.caffemodel", "caffe/vgg_a_lrn.caffemodel", "caffe/vgg_b.caffemodel",
    "caffe/vgg_b_ceil_100.caffemodel", "caffe/vgg_c.caffemodel", "caffe/vgg_d_digits_v1.caffemodel",
    "caffe/vgg_e.caffemodel", "caffe_made/a_v0.caffemodel", "keras/vgg_d_digits.keras", "keras/vgg_c.h5",
    "keras/vgg_e.h5", "keras_real/keras_3.15.1_gap.keras",
]
# Half the distance of 1 to the next float32.
UNIT = 2.0**-24

failures = compared = 0


def vggconv(*arguments):
    subprocess.run([sys.argv[1], *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    global failures, compared
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for fixture in FIXTURES:
            source = ROOT / "fixtures" / fixture
            vggconv("export", source, "--to", "npz", "-o", folder / "weights.npz", "-f")
            vggconv("export", source, "--to", "caffe", "-o", folder / "a.caffemodel", "-f")
            net = cv2.dnn.readNetFromCaffe(str(folder / "a.prototxt"), str(folder / "a.caffemodel"))
            net.enableWinograd(False)
            net.enableFusion(False)
            text = (folder / "a.prototxt").read_text()
            sizes = [int(line.split()[1]) for line in text.splitlines() if line.strip().startswith("dim:")][:4]
            values = np.random.default_rng(7).normal(0, 60, (1, *sizes[1:])).astype("f4")
            np.savez(folder / "in.npz", input=values.transpose(0, 2, 3, 1))
            vggconv("run", source, folder / "in.npz", "--engine", "reference", "--save-activations", folder / "out.npz", "-f")
            ours, weights = np.load(folder / "out.npz"), np.load(folder / "weights.npz")
            net.setInput(values)
            worst, count = 0.0, 0
            names = [n for n in net.getLayerNames() if n in ours.files or n == "fc8"]
            for name in names:
                theirs = net.forward("relu" + name.lstrip("convf") if is_rectified(net, name) else name)
                expected = ours["logits" if name == "fc8" else name]
                if theirs.ndim == 4:
                    theirs = theirs.transpose(0, 2, 3, 1)
                # OpenCV's kernels sum in an order of their own: what differs is measured against the layer's size, and must stay
                # below what n roundings in each layer so far can make of it, with n the longest sum.
                count += max([weights[f"{name}/weight"][..., 0].size] if f"{name}/weight" in weights.files else [1])
                distance = np.abs(theirs.reshape(expected.shape).astype("f8") - expected).max()
                worst = max(worst, distance / (2 * count * UNIT * max(1e-30, np.abs(expected).max())))
            ok = worst <= 1 and len(names) > 10
            compared += 1
            failures += not ok
            print(("" if ok else "DIFFERENT: ") + f"{fixture}: {len(names)} layers within {worst:.1%} of the bound", flush=True)
    print(f"{compared} compared, {failures} different")
    sys.exit(1 if failures or not compared else 0)


def is_rectified(net, name):
    return "relu" + name.lstrip("convf") in net.getLayerNames()


main()
