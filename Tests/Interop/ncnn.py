#!/usr/bin/env python3
"""Runs what `vggconv export --to ncnn` writes with ncnn, and compares every layer with `vggconv run`.

    ncnn.py VGGCONV

Needs ncnn 1.0.20261020 and numpy from PyPI. Float: both add up the same products of float32 in other orders, so a layer's
outputs differ by what its own sums and those before it can lose. A sum of n products loses about sqrt(n) * 2^-24 of what it adds up (Higham and
Mary, A New Approach to Probabilistic Rounding Error Analysis, 2019); the bound is twice that, for both lose it, times 16 for
Winograd transforms, relative to the largest output of the layer, and added up over the layers.
Integers: ncnn has symmetric codes of activations of its own, so outputs are near and not equal. The distance of each network's
probabilities is printed, and bounded by a limit that was measured.
"""
import os, subprocess, sys, tempfile
sys.path.pop(0)  # this folder, where the file itself has the name of the package
import ncnn
import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
VGGCONV = os.path.abspath(sys.argv[1])
compared = failed = 0


def vggconv(*arguments):
    run = subprocess.run([VGGCONV, *arguments], capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"vggconv {' '.join(arguments)}: {run.stderr}")
    return run.stderr


def report(what, value, limit):
    global compared, failed
    compared += 1
    failed += not value <= limit
    print(f"{'ok  ' if value <= limit else 'FAIL'} {what}: {value:.3g}, allowed {limit:.3g}")


def network(path):
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = 1
    # Full precision between layers: half precision there would be the only thing that is seen.
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, name, False)
    if net.load_param(path) or net.load_model(path.replace(".param", ".bin")):
        raise SystemExit(f"ncnn does not load {path}")
    return net


def layers(path):
    with open(path) as file:
        rows = [line.split() for line in file.read().splitlines()[2:]]
    return [(row[0], row[1], dict(item.split("=") for item in row[4 + int(row[2]) + int(row[3]):])) for row in rows]


def outputs(path, picture):
    """What each layer gives, as vggconv has it: row, column, channel."""
    net = network(path)
    extractor = net.create_extractor()
    extractor.set_light_mode(False)
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    extractor.input("input", ncnn.Mat(planes).clone())
    found = {}
    for kind, name, _ in layers(path)[1:]:
        status, mat = extractor.extract(name)
        if status: raise SystemExit(f"ncnn does not compute {name}")
        values = np.array(mat, np.float32, copy=True)
        found[name] = values.transpose(1, 2, 0) if values.ndim == 3 else values
    # Its memory belongs to the network, which has to go last.
    del mat, extractor
    net.clear()
    return found


def compare(title, model, param, folder, picture, half=False):
    activations = os.path.join(folder, "activations.npz")
    np.savez(os.path.join(folder, "input.npz"), input=picture[None])
    vggconv("run", model, os.path.join(folder, "input.npz"), "--save-activations", activations, "--force")
    expected = np.load(activations)
    found = outputs(param, picture)
    worst, loss = 0, 0
    for kind, name, settings in layers(param)[1:]:
        # What is in front of the softmax has a name of its own there.
        wanted = expected[name if name in expected else "logits"].reshape(found[name].shape)
        size = {"Convolution": "6", "InnerProduct": "2"}.get(kind)
        count = int(settings[size]) // int(settings["0"]) if size else 16 if kind == "LRN" else 4
        loss += 2 * 16 * count ** 0.5 * 2.0 ** -24
        distance = np.abs(found[name].astype("f8") - wanted).max() / max(1e-30, np.abs(wanted).max())
        worst = max(worst, distance / loss)
    report(f"{title}: {len(found)} layers, the worst part of its bound", worst, 1)


def pixels(model_input):
    random = np.random.default_rng(3)
    return (random.integers(0, 256, model_input) - 110).astype(np.float32)


def main():
    with tempfile.TemporaryDirectory() as folder:
        def path(name): return os.path.join(folder, name)
        fixtures = [f"caffe/vgg_{n}.caffemodel" for n in ("a", "a_lrn", "a_lrn_k2", "b", "b_ceil_100", "c", "e")]
        fixtures += ["keras/vgg_d_digits_full.h5", "torch/vgg_a_bn.pth", "torch/vgg_a_wide.pth"]
        for fixture in fixtures:
            source = os.path.join(ROOT, "fixtures", fixture)
            options = []
            prototxt = source.replace(".caffemodel", ".prototxt")
            if source.endswith(".caffemodel") and os.path.exists(prototxt): options = ["--prototxt", prototxt]
            vggconv("import", source, *options, "-o", path("m.vggw"), "--force")
            vggconv("export", path("m.vggw"), "--to", "ncnn", "-o", path("m.param"), "--force")
            size = layers(path("m.param"))[0][2]
            picture = pixels((int(size["1"]), int(size["0"]), int(size["2"])))
            compare(f"{fixture} fp32", path("m.vggw"), path("m.param"), folder, picture)
            vggconv("quantize", path("m.vggw"), "--to", "fp16", "-o", path("h.vggw"), "--force")
            vggconv("export", path("h.vggw"), "--to", "ncnn", "-o", path("h.param"), "--force")
            assert os.path.getsize(path("h.bin")) < 0.6 * os.path.getsize(path("m.bin"))
            compare(f"{fixture} fp16", path("h.vggw"), path("h.param"), folder, picture)
        digits = np.load(os.path.join(ROOT, "fixtures", "digits_test.npz"))
        for fixture, limit in (("keras/vgg_d_digits_full.h5", INTEGER_LIMIT), ("caffe/vgg_d_digits.caffemodel", INTEGER_LIMIT)):
            vggconv("import", os.path.join(ROOT, "fixtures", fixture), "-o", path("m.vggw"), "--force")
            vggconv("quantize", path("m.vggw"), "--to", "int8", "--activations", "int8", "--calibrate",
                    os.path.join(ROOT, "fixtures", "digits_test.npz"), "-o", path("q.vggw"), "--force")
            notes = vggconv("export", path("q.vggw"), "--to", "ncnn", "-o", path("q.param"), "--force")
            assert "symmetric codes of activations" in notes, notes
            distance = agreed = 0
            images = digits["images_64x64"][:64]
            np.savez(path("input.npz"), input=np.stack([digit(i, digits["mean_bgr"]) for i in images]))
            vggconv("run", path("q.vggw"), path("input.npz"), "--save-activations", path("a.npz"), "--force")
            expected = np.load(path("a.npz"))["prob"].reshape(len(images), -1)
            for image, wanted in zip(images, expected):
                found = outputs(path("q.param"), digit(image, digits["mean_bgr"]))["prob"]
                distance = max(distance, np.abs(found - wanted).max())
                agreed += found.argmax() == wanted.argmax()
            report(f"{fixture} int8: largest distance of a probability, {len(images)} pictures", distance, limit)
            report(f"{fixture} int8: pictures with another class", len(images) - agreed, 0)


# Measured: 0.0175; ncnn's codes of activations behind a ReLU have one bit less.
INTEGER_LIMIT = 0.05


def digit(image, mean):
    return (np.repeat(image[..., None], 3, 2) - np.asarray(mean, "f4")).astype(np.float32)


main()
print(f"{compared} compared, {failed} different")
sys.exit(1 if failed or not compared else 0)
