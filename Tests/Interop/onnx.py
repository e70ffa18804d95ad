"""Runs what `vggconv export --to onnx` writes in the programs that it is for, and compares every layer.

    python onnx.py VGGCONV

PyPI: numpy 2.4, onnx 1.23.2, onnxruntime 1.32.0, openvino 2026.4.1, MNN 3.6.1, pillow 13.0.0

What must hold:
* onnx.checker with full_check and strict shape inference finds nothing.
* ONNX Runtime, OpenVINO and MNN compute what `vggconv run --engine reference` computes, which sums in double precision. A layer's
  error is at most the largest value of the layer times 2^-24 for each product on the longest way to it: each addition and multiplication errs
  by at most 2^-24 of a partial sum, and partial sums are taken not to exceed the layer's largest value on the whole.
* ONNX Runtime makes QLinearConv and QGemm of every layer of integers, and each gives the same codes as `vggconv run`. What it does otherwise on
  purpose is counted and may differ by one code: its LRN is computed in float32, and its softmax has a table of its own.
"""
# This file is called as the package: what lies beside it must not be found for it.
import os, sys
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]
import json, math, subprocess, tempfile
import numpy as np
import onnx, onnxruntime, openvino, MNN
from onnx import TensorProto, helper, shape_inference
from PIL import Image

VGGCONV = os.path.abspath(sys.argv[1])
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")
failures = compared = 0


def report(what, is_right, detail):
    global failures, compared
    compared += 1
    failures += not is_right
    print(f"{'same' if is_right else 'DIFFERENT'}: {what}: {detail}", flush=True)


def vggconv(*arguments):
    done = subprocess.run([VGGCONV, *arguments], capture_output=True, text=True)
    # A quantised model that is not near its source is written all the same.
    if done.returncode > (arguments[0] == "quantize"): sys.exit(f"vggconv {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def channels_first(array): return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def activations(model, x):
    """What every layer gives, NCHW, behind the ReLU."""
    np.save("x.npy", np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    vggconv("run", model, "x.npy", "--save-activations", "a.npz", "--engine", "reference", "--force", "--quiet")
    with np.load("a.npz") as file:
        return {name: channels_first(file[name]) for name in file.files if name not in ("input", "logits")}


def session(model, is_optimised=True, dump=None):
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    # Extended: the layouts of the last level are the processor's own.
    options.graph_optimization_level = level.ORT_ENABLE_EXTENDED if is_optimised else level.ORT_DISABLE_ALL
    # Weights of four bits are otherwise multiplied with activations that are rounded to int8.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    if dump: options.optimized_model_filepath = dump
    data = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def showing(model, names, kind):
    """The model with some values as outputs too."""
    shown = onnx.ModelProto(); shown.CopyFrom(model)
    known = {output.name for output in shown.graph.output}
    shown.graph.output.extend(helper.make_tensor_value_info(n, kind, None) for n in names if n not in known)
    return shown


def checked(path, what):
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    report(f"{what}, onnx.checker", True, f"opset {model.opset_import[0].version}, ir_version {model.ir_version}, {len(model.graph.node)} nodes")
    return model


def bounds(model):
    """Products on the way to each layer, times 2^-24; layers without weights add a few operations."""
    shapes = {t.name: t.dims for t in model.graph.initializer}
    count, result = 0, {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            dims = shapes.get(node.input[1]) or shapes[node.input[1].rsplit("/values", 1)[0]]
            count += math.prod(dims) // (dims[0] if node.op_type == "Conv" and len(dims) == 4 else min(dims)) + 2
        else: count += 8
        for output in node.output: result[output] = count * 2.0 ** -24
    return result


def compare_floats(what, values, expected, bound):
    worst, at = 0, ""
    for name, value in values.items():
        wanted = expected[name]
        error = np.abs(value.reshape(wanted.shape) - wanted).max() / max(1e-30, np.abs(wanted).max())
        if error / bound[name] > worst: worst, at = error / bound[name], f"{name}, {error:.1e} of the largest value"
    report(what, worst <= 1, f"{len(values)} layers, at most {worst:.3f} of the bound ({at})")


def run_mnn(path, x):
    # Not by the program mnnconvert, which installs another package with pip and reports to its maker what it converts.
    command = ["mnnconvert", "-f", "ONNX", "--modelFile", path, "--MNNModel", "m.mnn", "--bizCode", "x"]
    done = subprocess.run([sys.executable, "-c", f"import MNN, _tools; _tools.mnnconvert({command})"], capture_output=True, text=True)
    if not os.path.exists("m.mnn"): sys.exit(done.stdout + done.stderr)
    net = MNN.nn.load_module_from_file("m.mnn", ["input"], [])
    value = MNN.expr.const(x, list(x.shape), MNN.expr.NCHW)
    made = net.forward([value])
    made = MNN.expr.convert(made[0] if isinstance(made, list) else made, MNN.expr.NCHW).read()
    os.remove("m.mnn")
    return np.array(made)


def compare_model(source, what, x, has_mnn=True):
    """A model that computes in float32, in all three programs."""
    vggconv("export", source, "--to", "onnx", "-o", "m.onnx", "--force", "--quiet")
    model = checked("m.onnx", what)
    expected, bound = activations(source, x), bounds(model)
    shown = showing(model, expected, TensorProto.FLOAT)
    for is_optimised in [True, False]:
        run = session(shown, is_optimised)
        values = dict(zip([o.name for o in run.get_outputs()], run.run(None, {"input": x})))
        compare_floats(f"{what}, ONNX Runtime{'' if is_optimised else ' without optimisations'}", values, expected, bound)
    core = openvino.Core()
    # Neither bfloat16 nor activations that are rounded to int8 in front of weights of codes.
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"})
    last = model.graph.output[0].name
    try: made = core.compile_model("m.onnx", "CPU")([x])[0]
    except RuntimeError as error:
        if "cannot be divided by block_size" not in str(error): raise
        print(f"reported: {what}, OpenVINO: takes only groups that divide the inputs of a layer")
    else: compare_floats(f"{what}, OpenVINO", {last: made}, expected, bound)
    if has_mnn: compare_floats(f"{what}, MNN", {last: run_mnn("m.onnx", x)}, expected, bound)


def compare_codes(source, what, x):
    """A model that computes in integers."""
    vggconv("export", source, "--to", "onnx", "-o", "q.onnx", "--force", "--quiet")
    model = checked("q.onnx", what)
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    values = activations(source, x)
    codes = {name: np.rint(value / tensors[f"{name}/scale"]).astype(int) + int(tensors[f"{name}/zero_point"]) for name, value in values.items()}
    operators = {node.output[0]: node.op_type for node in model.graph.node}
    weighted = sum(kind in ("Conv", "Gemm") for kind in operators.values())
    names = list(codes)
    free = [name for name in names if operators.get(f"{name}/real") in ("LRN", "Softmax", "Sigmoid")]
    session("q.onnx", True, "optimised.onnx")
    fused = sum(node.op_type in ("QLinearConv", "QGemm") for node in onnx.load("optimised.onnx").graph.node)
    report(f"{what}, ONNX Runtime's operators", fused == weighted, f"{fused} QLinearConv and QGemm for {weighted} layers with weights")

    def differences(is_optimised):
        """For each layer the codes that differ, the largest difference, and all codes: of the graph up to this layer, for operators on
        integers are not made where somebody looks between them. What follows a layer that rounds otherwise gets our codes."""
        result, first, feed = {}, "input", x
        for name in names:
            onnx.utils.extract_model("q.onnx", "part.onnx", [first], [name])
            (made,) = session("part.onnx", is_optimised).run(None, {first: feed})
            made = np.rint(made / tensors[f"{name}/scale"]).astype(int) + int(tensors[f"{name}/zero_point"])
            difference = np.abs(made.reshape(codes[name].shape) - codes[name])
            result[name] = (int((difference > 0).sum()), int(difference.max()), difference.size)
            if name in free: first, feed = f"{name}/codes", codes[name].astype(np.int8)
        return result

    found, exact = differences(True), [name for name in names if name not in free]
    report(f"{what}, ONNX Runtime", all(found[name][0] == 0 for name in exact),
           f"{sum(found[name][2] for name in exact)} codes of {len(exact)} layers, {sum(found[name][0] for name in exact)} differ")
    for name in free:
        report(f"{what}, {name} in ONNX Runtime", found[name][1] <= 1, f"{found[name][0]} of {found[name][2]} codes differ, by at most {found[name][1]}")
    plain = differences(False)
    print(f"reported: {what}, ONNX Runtime without optimisations, which computes in float32: "
          f"{sum(p[0] for p in plain.values())} of {sum(p[2] for p in plain.values())} codes differ, by at most {max(p[1] for p in plain.values())}")
    made = openvino.Core().compile_model("q.onnx", "CPU")([x])[0]
    last = names[-1]
    print(f"reported: {what}, OpenVINO: the output differs by at most {np.abs(made - values[last].reshape(made.shape)).max():.4f}, "
          f"{(made.argmax(1) == values[last].reshape(made.shape).argmax(1)).sum()} of {len(made)} classes are the same")


def compare_pictures(source, what):
    """With the preprocessing in the graph, from the bytes of a picture."""
    vggconv("export", source, "--to", "onnx", "--with-preprocessing", "-o", "p.onnx", "--force", "--quiet")
    model = checked("p.onnx", f"{what} with preprocessing")
    for name in ["digit_0.png", "digit_3.png", "digit_7.png"]:
        path = os.path.join(FIXTURES, "pictures", name)
        picture = np.asarray(Image.open(path).convert("RGB"))[None]
        (made,) = session("p.onnx").run(None, {"picture": picture})
        vggconv("run", source, path, "--resize", "none", "--save-activations", "a.npz", "--engine", "reference", "--force", "--quiet")
        last = model.graph.output[0].name
        with np.load("a.npz") as file: wanted = channels_first(file[last])
        compare_floats(f"{what} with preprocessing, {name}", {last: made}, {last: wanted}, bounds(model))


def lrn_over_rows(model):
    graph = model.graph
    index, node = next((i, n) for i, n in enumerate(graph.node) if n.op_type == "LRN")
    read, given = node.input[0], node.output[0]
    node.input[0], node.output[0] = "last", "normalised"
    graph.node.insert(index + 1, onnx.helper.make_node("Transpose", ["normalised"], [given], perm=[0, 3, 1, 2]))
    graph.node.insert(index, onnx.helper.make_node("Transpose", [read], ["last"], perm=[0, 2, 3, 1]))


def attribute(kind, name, value):
    def change(model):
        node = next(n for n in model.graph.node if n.op_type == kind)
        for old in [a for a in node.attribute if a.name == name]: node.attribute.remove(old)
        node.attribute.append(onnx.helper.make_attribute(name, value))
    return change


def round_twice(model):
    graph = model.graph
    index, node = [(i, n) for i, n in enumerate(graph.node) if n.op_type == "QuantizeLinear"][3]
    graph.initializer.append(onnx.helper.make_tensor("coarse", 1, [], [5.0]))
    graph.node.insert(index, onnx.helper.make_node("DequantizeLinear", ["coarse/codes", "coarse", node.input[2]], ["coarse/values"]))
    graph.node.insert(index, onnx.helper.make_node("QuantizeLinear", [node.input[0], "coarse", node.input[2]], ["coarse/codes"]))
    node.input[0] = "coarse/values"


def bias_for_columns(model):
    """What stands for the channels in a Conv stands for the columns in an Add."""
    graph = model.graph
    index, node = next((i, n) for i, n in enumerate(graph.node) if n.op_type == "Conv")
    bias, given = node.input.pop(), node.output[0]
    node.output[0] = "sums"
    graph.node.insert(index + 1, onnx.helper.make_node("Add", ["sums", bias], [given]))


def attribute_without_value(operator, name, kind):
    """Protobuf leaves out a number that is 0."""
    def change(model):
        node = next(n for n in model.graph.node if n.op_type == operator)
        for attribute in [a for a in node.attribute if a.name == name]: node.attribute.remove(attribute)
        node.attribute.append(onnx.AttributeProto(name=name, type=kind))
    return change


def logits_reshaped(model):
    node = next(n for n in model.graph.node if n.op_type == "Softmax")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, 2], np.int64), "rows"))
    index = list(model.graph.node).index(node)
    model.graph.node.insert(index, onnx.helper.make_node("Reshape", [node.input[0], "rows"], ["reshaped"]))
    model.graph.node[index + 1].input[0] = "reshaped"


def attribute_twice(model):
    node = next(n for n in model.graph.node if n.op_type == "MaxPool")
    node.attribute.append(onnx.helper.make_attribute("strides", [2, 2]))


def end_in_codes(model):
    graph = model.graph
    last = next(n for n in graph.node if graph.output[0].name in n.output)
    graph.output[0].name = last.input[0]
    graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT8
    graph.node.remove(last)


def scales_below_zero(model):
    scales = {n.input[1] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    tensor = next(t for t in model.graph.initializer if t.name in scales and len(t.dims) == 1)
    tensor.raw_data = (-np.frombuffer(tensor.raw_data, "<f4")).tobytes()


def refuse_changes(source, what, changes):
    """A graph that computes something else is refused, or found to be another model."""
    vggconv("export", source, "--to", "onnx", "-o", "m.onnx", "--force", "--quiet")
    for name, change in changes.items():
        model = onnx.load("m.onnx")
        change(model)
        onnx.save(model, "changed.onnx")
        run = subprocess.run([VGGCONV, "verify", source, "changed.onnx"], capture_output=True, text=True)
        report(f"{what}, {name}", run.returncode in (1, 65), (run.stdout + run.stderr).strip().splitlines()[-1])


def main():
    tests = np.load(os.path.join(FIXTURES, "digits_test.npz"))
    pictures = tests["images_64x64"][:16].astype("f4")
    digits = np.stack([pictures - mean for mean in tests["mean_bgr"]], 1).astype("f4")
    rng = np.random.default_rng(1)
    noise = rng.uniform(-100, 100, (2, 3, 64, 64)).astype("f4")
    np.savez("calibration.npz", images=np.repeat(tests["images_64x64"][16:48, :, :, None], 3, 3))
    models = {}
    for name, path in [("D digits", "keras/vgg_d_digits.h5"), ("A digits", "keras/vgg_a_digits.h5"), ("A-LRN", "caffe/vgg_a_lrn_k2.caffemodel"),
                       ("C", "keras/vgg_c.h5"), ("E", "caffe/vgg_e.caffemodel"), ("B", "keras/vgg_b.h5"), ("D without dense layers", "keras/vgg_d_notop.h5")]:
        models[name] = f"{name.replace(' ', '_')}.vggw"
        vggconv("import", os.path.join(FIXTURES, path), "-o", models[name], "--quiet")
        compare_model(models[name], name, digits if "digits" in name else noise)
    for precision in ["fp16", "bf16", "int8", "int4"]:
        path = f"{precision}.vggw"
        vggconv("quantize", models["D digits"], "--to", precision, "-o", path, "--quiet")
        compare_model(path, f"D digits, {precision}", digits, has_mnn=precision == "fp16")
    for name in ["D digits", "A digits", "A-LRN", "C"]:
        for scales in ["channel", "tensor"]:
            path = f"{models[name]}.{scales}"
            vggconv("quantize", models[name], "--to", "int8", "--activations", "int8", "--scales", scales, "--calibrate", "calibration.npz", "-o", path, "--quiet")
            compare_codes(path, f"{name}, integers, scales by {scales}", digits)
    compare_pictures(models["D digits"], "D digits")
    refuse_changes(models["A-LRN"], "A-LRN", {
        "normalised over rows": lrn_over_rows, "other strides": attribute("MaxPool", "strides", [1, 1]),
        "another factor": attribute("Gemm", "alpha", 0.5), "gaps in kernels": attribute("Conv", "dilations", [2, 2]),
        "another axis": attribute("Softmax", "axis", 0), "another exponent": attribute("LRN", "beta", 0.5),
        "a bias for columns": bias_for_columns, "an attribute twice": attribute_twice,
        "a factor of 0": attribute_without_value("Gemm", "alpha", onnx.AttributeProto.FLOAT),
        "an axis of 0": attribute_without_value("Softmax", "axis", onnx.AttributeProto.INT), "logits in rows": logits_reshaped})
    refuse_changes(f"{models['A digits']}.channel", "A digits, integers", {
        "rounded twice": round_twice, "codes for an output": end_in_codes, "scales below zero": scales_below_zero,
        "codes of another type": attribute("QuantizeLinear", "output_dtype", int(onnx.TensorProto.INT8))})
    vggconv("export", models["D digits"], "--to", "onnx", "--external-data", "-o", "e.onnx", "--quiet")
    vggconv("export", models["D digits"], "--to", "onnx", "-o", "one.onnx", "--quiet")
    onnx.checker.check_model("e.onnx", full_check=True)
    one, two = (session(path).run(None, {"input": digits})[0] for path in ["one.onnx", "e.onnx"])
    report("D digits, tensors in a second file, ONNX Runtime", np.array_equal(one, two), f"{one.size} outputs, bit by bit")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
print(f"{compared} compared, {failures} different")
sys.exit(bool(failures) or not compared)
