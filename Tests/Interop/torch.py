#!/usr/bin/env python3
"""Loads what `vggconv export --names ...` writes into torchvision, timm and NumPy, and imports what PyTorch writes.

    torch.py VGGCONV [FULL.vggw]

Needs torch 2.15, torchvision 0.29, timm 1.0.31, safetensors 0.8 and numpy from PyPI. State dicts are loaded strictly, into the
classes of torchvision and timm with the widths of our fixtures; outputs are compared with those of `vggconv run`. Both add up
the same products of float32 in another order: the bound is 2 * 16 * sqrt(n) * 2^-24 for each layer of n products, added up, relative
to the largest score (Higham and Mary 2019, probabilistic rounding errors; 2 for both sides, 16 for Winograd transforms). With FULL.vggw, a VGG-16 of the paper's size, also
`torchvision.models.vgg16().load_state_dict(load_file(...))` as it is.
"""
import os, subprocess, sys, tempfile
sys.path.pop(0)  # this folder, where the file itself has the name of the package
import numpy as np
import torch
import torchvision
import timm.models.vgg
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
VGGCONV = os.path.abspath(sys.argv[1])
PLANS = {
    "A": [1, "M", 1, "M", 2, "M", 2, "M", 2, "M"], "B": [2, "M", 2, "M", 2, "M", 2, "M", 2, "M"],
    "D": [2, "M", 2, "M", 3, "M", 3, "M", 3, "M"], "E": [2, "M", 2, "M", 4, "M", 4, "M", 4, "M"],
}
compared = failed = 0


def vggconv(*arguments):
    run = subprocess.run([VGGCONV, *arguments], capture_output=True, text=True)
    if run.returncode: raise SystemExit(f"vggconv {' '.join(arguments)}: {run.stderr}")
    return run.stdout


def report(what, value, limit):
    global compared, failed
    compared += 1
    failed += not value <= limit
    print(f"{'ok  ' if value <= limit else 'FAIL'} {what}: {value:.3g}, allowed {limit:.3g}")


def bound(model):
    count = sum(np.prod(t.shape[1:]) ** 0.5 for n, t in model.state_dict().items() if t.ndim > 1)
    return 2 * 16 * float(count) * 2.0 ** -24


def plan(architecture, widths):
    result, block = [], iter(widths)
    for item in PLANS[architecture]:
        if item == "M": result.append("M")
        else: result += [next(block)] * item
    return result


def torchvision_model(architecture, widths, dense, pixels, batch_norm=False):
    layers = torchvision.models.vgg.make_layers(plan(architecture, widths), batch_norm=batch_norm)
    model = torchvision.models.VGG(layers, num_classes=dense[2], init_weights=False)
    model.avgpool = nn.AdaptiveAvgPool2d((pixels, pixels))
    inputs = widths[-1] * pixels ** 2
    for place, outputs in zip((0, 3, 6), dense):
        model.classifier[place] = nn.Linear(inputs, outputs)
        inputs = outputs
    return model.eval()


def timm_model(architecture, widths, dense, pixels):
    model = timm.models.vgg.VGG(plan(architecture, widths), num_classes=dense[2])
    model.pre_logits = timm.models.vgg.ConvMlp(widths[-1], dense[0], pixels)
    model.pre_logits.fc2 = nn.Conv2d(dense[0], dense[1], 1)
    model.head.fc = nn.Linear(dense[1], dense[2])
    return model.eval()


def scores_of(model, picture):
    with torch.no_grad(): return model(torch.from_numpy(picture.transpose(2, 0, 1).copy())[None])[0].numpy()


def own_scores(model, picture, folder):
    file = os.path.join(folder, "input.npz")
    np.savez(file, input=picture[None])
    vggconv("run", model, file, "--save-activations", os.path.join(folder, "a.npz"), "--force")
    return np.load(os.path.join(folder, "a.npz"))["logits"].reshape(-1)


def compare_scores(what, model, path, picture, folder):
    found, expected = scores_of(model, picture), own_scores(path, picture, folder)
    report(what, np.abs(found - expected).max() / np.abs(expected).max(), bound(model))


def pixels(side): return (np.random.default_rng(1).integers(0, 256, (side, side, 3)) - 110).astype(np.float32)


def exports(folder):
    def path(name): return os.path.join(folder, name)
    widths, dense = [8, 16, 32, 64, 64], [96, 96, 10]
    for name, architecture in (("caffe/vgg_a", "A"), ("caffe/vgg_b", "B"), ("caffe/vgg_e", "E"), ("keras/vgg_d_digits_full", "D")):
        source = os.path.join(ROOT, "fixtures", name + (".caffemodel" if name[0] == "c" else ".h5"))
        prototxt = ["--prototxt", source.replace("caffemodel", "prototxt")] if name[0] == "c" else []
        vggconv("import", source, *prototxt, "-o", path("m.vggw"), "--force")
        for names, make in (("torchvision", torchvision_model), ("timm", timm_model)):
            vggconv("export", path("m.vggw"), "--to", "safetensors", "--names", names, "-o", path("m.safetensors"), "--force")
            model = make(architecture, widths, dense, 2)
            model.load_state_dict(load_file(path("m.safetensors")), strict=True)
            compare_scores(f"{name} as {names}", model, path("m.vggw"), pixels(64), folder)
            vggconv("verify", path("m.vggw"), path("m.safetensors"))
            with safe_open(path("m.safetensors"), "pt") as file:
                report(f"{name} as {names}: metadata say pt and {architecture}",
                       file.metadata()["format"] != "pt" or file.metadata()["architecture"] != f"VGG {architecture}", 0)
        # The same tensors as NumPy has them.
        vggconv("export", path("m.vggw"), "--to", "npz", "--names", "torchvision", "-o", path("m.npz"), "--force")
        arrays = np.load(path("m.npz"))
        model = torchvision_model(architecture, widths, dense, 2)
        model.load_state_dict({n: torch.from_numpy(arrays[n]) for n in arrays.files}, strict=True)
        compare_scores(f"{name} as npz for torchvision", model, path("m.vggw"), pixels(64), folder)
        for precision, type in (("fp16", torch.float16), ("bf16", torch.bfloat16)):
            vggconv("quantize", path("m.vggw"), "--to", precision, "-o", path("h.vggw"), "--force")
            vggconv("export", path("h.vggw"), "--to", "safetensors", "--names", "torchvision", "-o", path("h.safetensors"), "--force")
            tensors = load_file(path("h.safetensors"))
            report(f"{name} {precision}: weights of another type",
                   sum(t.dtype != type for n, t in tensors.items() if t.ndim > 1), 0)
            model = torchvision_model(architecture, widths, dense, 2)
            model.load_state_dict({n: t.float() for n, t in tensors.items()}, strict=True)
            compare_scores(f"{name} {precision}", model, path("h.vggw"), pixels(64), folder)


def imports(folder):
    def path(name): return os.path.join(folder, name)
    torch.manual_seed(4)
    for architecture in PLANS:
        for batch_norm in (False, True):
            model = torchvision_model(architecture, [4, 6, 8, 8, 10], [16, 12, 7], 2, batch_norm)
            with torch.no_grad():
                for name, tensor in model.state_dict().items():
                    if "running_var" in name: tensor.uniform_(0.5, 2)
                    elif tensor.ndim == 1 and tensor.is_floating_point(): tensor.uniform_(-0.3, 0.9)
                    elif tensor.ndim > 1: tensor.normal_(0, (2 / np.prod(tensor.shape[1:])) ** 0.5)
            files = {"m.pth": {}, "legacy.pth": {"_use_new_zipfile_serialization": False}}
            for name, options in files.items(): torch.save(model.state_dict(), path(name), **options)
            save_file(model.state_dict(), path("m.safetensors"))
            picture = np.random.default_rng(2).uniform(-2, 2, (64, 64, 3)).astype("f4")
            for name in (*files, "m.safetensors"):
                compare_scores(f"vgg {architecture}{'_bn' if batch_norm else ''} from {name}", model, path(name), picture, folder)


def full(model_path, folder):
    file = os.path.join(folder, "full.safetensors")
    vggconv("export", model_path, "--to", "safetensors", "--names", "torchvision", "-o", file)
    model = torchvision.models.vgg16()
    model.load_state_dict(load_file(file))
    compare_scores("VGG-16 of full size", model.eval(), model_path, pixels(224), folder)


with tempfile.TemporaryDirectory() as folder:
    exports(folder)
    imports(folder)
    if len(sys.argv) > 2: full(sys.argv[2], folder)
print(f"{compared} compared, {failed} different")
sys.exit(1 if failed or not compared else 0)
