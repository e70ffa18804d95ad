#!/usr/bin/env python3
"""Writes Corpus/, the seeds of the fuzzer, from the fixtures and as small as they can be; needs h5py and numpy.

The same input gives the same bytes. What each target takes is said in Targets/FuzzTarget.swift; the last byte of some
inputs chooses options and is 0 here. The argument is the built command, which makes the native files.
"""
import io, os, shutil, struct, subprocess, sys, tempfile, zipfile
import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "..", "fixtures")
OUT = os.path.join(HERE, "Corpus")


def put(target, name, content):
    os.makedirs(os.path.join(OUT, target), exist_ok=True)
    with open(os.path.join(OUT, target, name), "wb") as file:
        file.write(content)


def fixture(*path):
    with open(os.path.join(FIXTURES, *path), "rb") as file:
        return file.read()


# HDF5 as text, in the form of Targets/HDF5Text.swift.

def word(text):
    return "".join(c if c.isascii() and c.isprintable() and c not in " %" else "".join(f"%{b:02X}" for b in c.encode())
                   for c in text) or "%"


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def attribute(name, item):
    try:
        value = np.atleast_1d(item.attrs[name]).ravel()
    except Exception:
        return f"unreadable {word(name)} not%20well%20formed"
    if value.dtype.kind in "OSU":
        return " ".join(["strings", word(name)] + [word(text(v)) for v in value])
    kind = "floats" if value.dtype.kind == "f" else "integers"
    return " ".join([kind, word(name)] + [str(v) for v in value.tolist()])


def element(dtype):
    order = ">" if dtype.byteorder == ">" else "<"
    if dtype.kind in "fiu": return f"{dtype.kind}{dtype.itemsize}{order}"
    return f"o{dtype.itemsize}" if dtype.kind == "V" else "s" if dtype.kind == "O" else f"s{dtype.itemsize}"


def lines(group, state):
    for name in group.attrs: yield attribute(name, group)
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            yield f"link {word(name)} {'soft' if isinstance(link, h5py.SoftLink) else 'external'} {word(link.path)}"
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield f"group {word(name)}"
            yield from lines(item, state)
        else:
            shape, size = ",".join(map(str, item.shape)), item.dtype.itemsize * item.size
            storage = f"chunked:{','.join(str(f) for f in (1, 2, 3))}" if item.chunks else f"at:{state['end']}:{size}"
            state["end"] += size
            yield f"dataset {word(name)} {element(item.dtype)} {shape or '.'} {storage}"
            for key in item.attrs: yield attribute(key, item)
        yield "end"


KERAS = ["keras0", "keras0_graph", "keras1_full_th", "keras1_tf", "keras1_th_theano", "keras2_bfloat16", "keras2_big_endian",
         "keras2_chunked_names", "keras2_compressed", "keras2_full_channels_first_chw", "keras2_full_layers_apart",
         "keras2_full_lrn", "keras2_full_optimizer", "keras2_full_sequential_list", "keras2_nested_frozen", "keras2_no_bias",
         "keras3_checkpoint_dependencies.weights", "keras3_nested.weights", "bad_soft_link_aside", "bad_shape_bomb"]


def keras():
    for name in KERAS:
        with h5py.File(os.path.join(FIXTURES, "keras_cases", name + ".h5")) as file:
            put("keras", name, ("\n".join(lines(file, {"end": 0})) + "\n\0").encode())
            if "model_config" in file.attrs:
                put("configuration", name, text(file.attrs["model_config"]).encode() + b"\0")
    with zipfile.ZipFile(os.path.join(FIXTURES, "keras_cases", "keras3_deflated.keras")) as archive:
        configuration = archive.read("config.json")
        put("configuration", "keras3", configuration + b"\0")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            text_lines = [f"strings config.json {word(configuration.decode())}"] + list(lines(file, {"end": 0}))
            put("keras", "keras3_archive", ("\n".join(text_lines) + "\n\0").encode())
    for name in ["plain_v0.h5", "plain_v1.h5", "plain_v2.h5", "user_block.h5"]:
        put("signature", name, fixture("hdf5", name)[:640])
    put("signature", "git_lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


# The catalogue that Sources/CHDF5 makes of a file.

def catalogue():
    n = lambda *numbers: struct.pack(f"={len(numbers)}Q", *numbers)
    t = lambda s: n(len(s)) + s.encode()
    float32 = b"f" + n(4) + b"<" + n(31, 23, 8, 0, 23, 127, 1)
    kernel = b"D" + t("kernel") + n(800) + float32 + n(4, 3, 3, 3, 8) + b"c" + n(2048, 864) + b"A" + t("dtype") + b"S" \
        + n(1) + t("float32") + b"E"
    packed = b"D" + t("packed") + n(900) + b"i" + n(1) + b"<" + n(1) + n(2, 64, 8) + b"k" + n(2, 8, 8) + n(2, 1, 2) + b"E"
    others = b"".join(
        b"D" + t(f"d{index}") + n(index) + kind + n(1, 7) + storage + b"E"
        for index, (kind, storage) in enumerate([
            (b"s" + n(8), b"p"), (b"s" + n(0), b"u"), (b"o" + n(2) + t("bfloat16"), b"x"), (b"?" + n(16, 6), b"v")]))
    attributes = b"A" + t("nb_layers") + b"I" + n(1, 37) + b"A" + t("epsilon") + b"F" + n(1) + struct.pack("=d", 1e-3) \
        + b"A" + t("broken") + b"U" + t("not well formed")
    put("catalogue", "all_kinds", b"G" + t("") + attributes + b"G" + t("layer_0") + kernel + packed + b"E" + others
        + b"L" + t("aside") + b"s" + t("/elsewhere") + b"T" + t("float") + b"E")
    put("catalogue", "empty", b"G" + t("") + b"E")


# Caffe: network A one to four channels wide.

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int): return varint(number << 3) + varint(value)
    if isinstance(value, float): return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + (value.encode() if isinstance(value, str) else value)


def blob(shape, is_old, form=None):
    numbers = np.linspace(-1, 1, int(np.prod(shape)), dtype="<f4")
    data = numbers.tobytes()
    new_shape = field(7, field(1, b"".join(map(varint, shape))))
    if form == "double": return field(8, numbers.astype("<f8").tobytes()) + new_shape
    if form == "half": return field(10, 2) + new_shape + field(12, numbers.astype("<f2").tobytes())
    if form == "unpacked": return b"".join(field(5, float(v)) for v in numbers) + new_shape
    if form == "pieces": return field(5, data[:8]) + field(6, data) + new_shape + field(5, data[8:])
    if is_old: return b"".join(field(i + 1, s) for i, s in enumerate([1] * (4 - len(shape)) + shape)) + field(5, data)
    return field(5, data) + new_shape


def caffe(generation, has_lrn=False, bare=False, form=None, training=b""):
    def layer(name, kind, number, blobs=(), settings=b"", setting_fields=(0, 0)):
        old = generation != 2
        if generation == 0:
            inner = field(1, name) + field(2, kind.lower()) + settings + b"".join(field(50, b) for b in blobs)
            return field(2, field(1, inner))
        named = [field(4, name), field(5, number)] if old else [field(1, name), field(2, kind)]
        body = b"".join(named) + b"".join(field(6 if old else 7, b) for b in blobs)
        if settings: body += field(setting_fields[old], settings)
        return field(2 if old else 100, body)

    old = generation != 2
    out = field(1, "vgg") + field(3, "data") + b"".join(field(4, n) for n in (1, 3, 32, 32))
    channels = 3
    for block, (count, width) in enumerate([(1, 2), (1, 2), (2, 2), (2, 2), (2, 4)], 1):
        for index in range(1, count + 1):
            settings = field(10, width) + field(12, 1) + field(13, 3) if generation == 0 else \
                field(1, width) + field(3, 1) + field(4, 3)
            out += layer(f"conv{block}_{index}", "Conv" if generation == 0 else "Convolution", 4,
                         [blob([width, channels, 3, 3], old, form), blob([width], old)], settings, (106, 10))
            out += b"" if bare else layer(f"relu{block}_{index}", "ReLU", 18)
            channels = width
            if has_lrn and block == 1:
                out += layer("norm1", "LRN", 15, [], field(1, 5) + field(2, 1e-4) + field(3, 0.75) + field(5, 2.0), (118, 18))
        pooling = field(11, 0) + field(12, 2) if generation == 0 else field(1, 0) + field(2, 2) + field(3, 2)
        if generation == 0: pooling = field(11, 0) + field(13, 2) + field(15, 2)
        out += b"" if bare else layer(f"pool{block}", "Pooling" if old else "Pooling", 17, [], pooling, (121, 19))
    inputs = 4
    for name, width in [("fc6", 4), ("fc7", 4), ("fc8", 3)]:
        settings = field(10, width) if generation == 0 else field(1, width)
        out += layer(name, "InnerProduct", 14, [blob([width, inputs], old, form), blob([width], old)], settings, (117, 17))
        if name != "fc8" and not bare:
            out += layer("relu" + name[2:], "ReLU", 18) + layer("drop" + name[2:], "Dropout", 6)
        inputs = width
    if training: return out + training + b"\0"
    return out + layer("prob", "Softmax", 20) + b"\0"


def prototxt(has_lrn, is_old):
    """What caffe(2, has_lrn) holds, as text of V2 or V1."""
    word, quote = ("layers", "") if is_old else ("layer", '"')
    kinds = {"Convolution": "CONVOLUTION", "Pooling": "POOLING", "InnerProduct": "INNER_PRODUCT", "ReLU": "RELU",
             "Dropout": "DROPOUT", "LRN": "LRN", "Softmax": "SOFTMAX"} if is_old else {}
    lines = ['name: "vgg"', 'input: "data"'] + [f"input_dim: {n}" for n in (1, 3, 32, 32)]
    bottom = "data"

    def layer(name, kind, settings="", in_place=False):
        nonlocal bottom
        top = bottom if in_place else name
        lines.append(f'{word} {{ name: "{name}" type: {quote}{kinds.get(kind, kind)}{quote} bottom: "{bottom}" '
                     f'top: "{top}" {settings}}}')
        bottom = top

    for block, (count, width) in enumerate([(1, 2), (1, 2), (2, 2), (2, 2), (2, 4)], 1):
        for index in range(1, count + 1):
            layer(f"conv{block}_{index}", "Convolution", f"convolution_param {{ num_output: {width} pad: 1 kernel_size: 3 }} ")
            layer(f"relu{block}_{index}", "ReLU", in_place=True)
            if has_lrn and block == 1:
                layer("norm1", "LRN", "lrn_param { local_size: 5 alpha: 1e-4 beta: 0.75 k: 2 } ")
        layer(f"pool{block}", "Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 } ")
    for name, width in [("fc6", 4), ("fc7", 4), ("fc8", 3)]:
        layer(name, "InnerProduct", f"inner_product_param {{ num_output: {width} }} ")
        if name != "fc8":
            layer("relu" + name[2:], "ReLU", in_place=True)
            layer("drop" + name[2:], "Dropout", "dropout_param { dropout_ratio: 0.5 } ", in_place=True)
    layer("prob", "Softmax")
    return ("\n".join(lines) + "\n").encode() + bytes([int(has_lrn)])


def containers():
    put("native", "vgg_a_lrn", fixture("native", "vgg_a_lrn_1.0.vggw"))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "v2.caffemodel"), "wb") as file: file.write(caffe(2)[:-1])
        for name, options in [("fp16", ["--to", "fp16"]), ("bf16", ["--to", "bf16"]), ("int8", ["--to", "int8"]),
                              ("sparse", ["--prune-fc", "0.9", "--max-distance", "2"])]:
            subprocess.run([sys.argv[1], "import", "v2.caffemodel", "-o", name, "--quiet", *options], cwd=folder, check=True)
            with open(os.path.join(folder, name), "rb") as file: put("native", name, file.read())
            subprocess.run([sys.argv[1], "export", name, "--to", "tflite", "-o", f"{name}.tflite", "--quiet"], cwd=folder,
                           check=True)
            with open(os.path.join(folder, f"{name}.tflite"), "rb") as file: put("tflite", name, file.read())
        for name, options in [("v2.caffemodel", []), ("fp16", []), ("int8", []), ("v2.caffemodel", ["--with-preprocessing"])]:
            subprocess.run([sys.argv[1], "export", name, "--to", "onnx", "-o", "m.onnx", "--force", "--quiet", *options], cwd=folder, check=True)
            with open(os.path.join(folder, "m.onnx"), "rb") as file:
                put("onnx", name.split(".")[0] + "_pictures" * bool(options), file.read() + b"\0")
    put("tflite", "integers", fixture("tflite", "features_int8.tflite"))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for index, method in enumerate([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]):
            item = zipfile.ZipInfo(f"folder/member_{index}", (2026, 1, 1, 0, 0, 0))
            archive.writestr(item, b"weights " * 8, method)
    put("zip", "stored_and_deflated", stream.getvalue())
    for array in [np.arange(6, dtype="<f4").reshape(2, 3), np.arange(4, dtype=">f8"), np.arange(3, dtype="u1"),
                  np.asfortranarray(np.arange(6, dtype="<f2").reshape(3, 2)), np.arange(2, dtype="<i8")]:
        stream = io.BytesIO()
        np.save(stream, array)
        put("numpy", array.dtype.str.strip("<>|") + (">" if array.dtype.str[0] == ">" else ""), stream.getvalue())
    put("json", "all_kinds", b'{"a": [1, -2.5e3, true, false, null, "\\u00e9\\n\\ud83d\\ude00"], "b": {"c": {}, "d": []}}')
    for name in ["bits.png", "palette.png", "grey_alpha.png", "grey16.png", "grey.jpg", "cmyk.jpg", "progressive.jpg",
                 "grey.pgm"]:
        put("picture", name, fixture("pictures", name))
    for name in ["vgg_a_legacy.pth", "bad_code_legacy.pth"]: put("pickle", name, fixture("torch", name))
    for name in ["vgg_a_half.safetensors", "vgg_a_timm.safetensors"]: put("safetensors", name, fixture("torch", name) + b"\0")
    put("picture", "colours.ppm", b"P6 # three colours\n2 1\n255\n" + bytes(range(6)))


shutil.rmtree(OUT, ignore_errors=True)
keras()
catalogue()
for generation in range(3): put("caffe", f"v{generation}", caffe(generation))
put("caffe", "v2_lrn", caffe(2, has_lrn=True))
put("caffe", "v1_bare", caffe(1, bare=True))
for form in ["double", "half", "unpacked", "pieces"]: put("caffe", f"v2_{form}", caffe(2, form=form))
# A Data layer of the training that says how pictures are prepared, a loss and an accuracy.
put("caffe", "v2_training", caffe(2, training=b"".join(field(100, field(1, kind.lower()) + field(2, kind) + more) for kind, more in [
    ("Data", field(8, field(1, 0)) + field(100, field(3, 32) + field(2, 1) + b"".join(field(5, v) for v in (103.9, 116.8, 123.7)))),
    ("SoftmaxWithLoss", b""), ("Accuracy", field(8, field(1, 1)))])))
for is_old in [False, True]:
    for has_lrn in [False, True]:
        put("prototxt", f"v{2 - is_old}{'_lrn' if has_lrn else ''}", prototxt(has_lrn, is_old))
containers()
