"""The other programs: how each gets the same network, and how it runs it once.

Each function takes a Network, the number of threads and a folder for files, and returns a function that takes pictures
[N, 3, H, W] and gives the classes before the softmax [N, classes], or features [N, channels, H, W]. A program that is not installed raises ImportError.
"""
import json
import subprocess
import sys
from functools import cached_property
from pathlib import Path

import numpy as np


class Network:
    """A VGG without normalisation layer, read from what `vggconv export --to npz` writes, when it is asked for."""

    def __init__(self, archive):
        self.archive = archive

    @cached_property
    def layers(self):
        """("conv" | "dense", weight, bias) and ("pool",), in order."""
        arrays = np.load(self.archive)
        layers = []
        block = None
        for name in sorted({key.split("/")[0] for key in arrays.files}):
            weight = arrays[f"{name}/weight"]
            bias = arrays.get(f"{name}/bias", np.zeros(weight.shape[-1], np.float32))
            is_conv = name.startswith("conv")
            if block is not None and (not is_conv or name[4] != block):
                layers.append(("pool",))
            block = name[4] if is_conv else None
            layers.append(("conv" if is_conv else "dense", weight, bias))
        if block is not None:
            layers.append(("pool",))
        return layers

    @property
    def last(self):
        return len(self.layers) - 1

    def dense_from_chw(self, index):
        """A dense weight [in, out] whose inputs are flattened as channel, row, column."""
        weight = self.layers[index][1]
        if self.layers[index - 1][0] != "pool":
            return weight
        channels = next(l for l in reversed(self.layers[:index]) if l[0] == "conv")[1].shape[-1]
        return weight.reshape(-1, channels, weight.shape[1]).transpose(1, 0, 2).reshape(weight.shape)


def onnx_file(network, folder, shape):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    path = Path(folder) / f"model-{'x'.join(map(str, shape))}.onnx"
    if path.exists():
        return str(path)
    nodes, weights, current = [], [], "input"

    def add(operation, inputs, **attributes):
        nonlocal current
        output = f"{operation}{len(nodes)}"
        nodes.append(helper.make_node(operation, [current, *inputs], [output], **attributes))
        current = output

    def store(name, values):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    is_flat = False
    output_shape = list(shape)
    for index, (kind, *values) in enumerate(network.layers):
        if kind == "pool":
            add("MaxPool", [], kernel_shape=[2, 2], strides=[2, 2])
            output_shape[2:] = [side // 2 for side in output_shape[2:]]
            continue
        output_shape[1] = values[0].shape[-1]
        if kind == "conv":
            weight, bias = values
            pad = weight.shape[0] // 2
            add("Conv", [store(f"w{index}", weight.transpose(3, 2, 0, 1)), store(f"b{index}", bias)],
                kernel_shape=list(weight.shape[:2]), pads=[pad] * 4)
        else:
            if not is_flat:
                add("Flatten", [])
                is_flat = True
            add("Gemm", [store(f"w{index}", network.dense_from_chw(index)), store(f"b{index}", values[1])])
            output_shape = output_shape[:2]
        if index != network.last:
            add("Relu", [])
    graph = helper.make_graph(
        nodes, "vgg", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, output_shape)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return str(path)


def onnxruntime_session(path, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0]


def onnxruntime(network, threads, folder, shape):
    return onnxruntime_session(onnx_file(network, folder, shape), threads)


def openvino_request(path, threads):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(path, "CPU", settings).create_infer_request()
    return lambda x: list(request.infer([x]).values())[0]


def openvino(network, threads, folder, shape):
    return openvino_request(onnx_file(network, folder, shape), threads)


def opencv(network, threads, folder, shape):
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(onnx_file(network, folder, shape))

    def run(x):
        net.setInput(x)
        return net.forward()

    return run


def mnn_convert(source, target, *options):
    # What the command mnnconvert calls; that one also has pip install a package, to report what it did.
    subprocess.run([sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv)", "-f", "ONNX", "--modelFile",
                    source, "--MNNModel", str(target), "--bizCode", "vgg", *options], check=True, stdout=subprocess.DEVNULL)


def mnn_session(path, threads, precision, memory="normal"):
    import MNN

    interpreter = MNN.Interpreter(path)
    session = interpreter.createSession({"backend": "CPU", "numThread": threads, "precision": precision, "memory": memory})
    target = interpreter.getSessionInput(session)

    def run(x):
        target.copyFrom(MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe))
        interpreter.runSession(session)
        output = interpreter.getSessionOutput(session)
        host = MNN.Tensor(output.getShape(), MNN.Halide_Type_Float,
                          np.zeros(output.getShape(), np.float32), MNN.Tensor_DimensionType_Caffe)
        output.copyToHostTensor(host)
        return np.array(host.getData(), np.float32).reshape(output.getShape())

    return run


def mnn(network, threads, folder, shape):
    source = onnx_file(network, folder, shape)
    path = source.replace(".onnx", ".mnn")
    if not Path(path).exists():
        mnn_convert(source, path)
    return mnn_session(path, threads, "high")


def ncnn_extractor(text, binary, threads, settings):
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for name, value in settings.items():
        setattr(net.opt, name, value)
    net.load_param(str(text))
    net.load_model(str(binary))

    def single(x):
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(x))
        return np.array(extractor.extract(net.output_names()[0])[1])

    # ncnn has no batches.
    return lambda x: np.stack([single(picture) for picture in x])


def ncnn(network, threads, folder, shape):
    lines, blob = [], "data"
    path = Path(folder) / "model-ncnn"
    with open(f"{path}.bin", "wb") as binary:
        def write(values, flag=True):
            if flag:
                binary.write(b"\0\0\0\0")
            binary.write(np.ascontiguousarray(values, np.float32).tobytes())

        for index, (kind, *values) in enumerate(network.layers):
            top = f"b{index}"
            activation = "" if index == network.last else " 9=1"
            if kind == "pool":
                lines.append(f"Pooling p{index} 1 1 {blob} {top} 0=0 1=2 2=2 5=1")
            elif kind == "conv":
                weight, bias = values
                side, outputs = weight.shape[0], weight.shape[3]
                lines.append(f"Convolution c{index} 1 1 {blob} {top} 0={outputs} 1={side} 4={side // 2} 5=1 "
                             f"6={weight.size}{activation}")
                write(weight.transpose(3, 2, 0, 1))
                write(bias, False)
            else:
                weight = network.dense_from_chw(index)
                lines.append(f"InnerProduct f{index} 1 1 {blob} {top} 0={weight.shape[1]} 1=1 2={weight.size}{activation}")
                write(weight.T)
                write(values[1], False)
            blob = top
    lines.insert(0, "Input data 0 1 data")
    Path(f"{path}.param").write_text(f"7767517\n{len(lines)} {len(lines)}\n" + "\n".join(lines) + "\n")
    halves = ["use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"]
    return ncnn_extractor(f"{path}.param", f"{path}.bin", threads, dict.fromkeys(halves, False))


def channels_first(output):
    return output.transpose(0, 3, 1, 2) if output.ndim == 4 else output


def tensorflow_function(network):
    import tensorflow as tf

    def call(x):
        for index, (kind, *values) in enumerate(network.layers):
            if kind == "pool":
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
                continue
            if kind == "conv":
                x = tf.nn.bias_add(tf.nn.conv2d(x, tf.constant(values[0]), 1, "SAME"), values[1])
            else:
                if len(x.shape) == 4:
                    x = tf.reshape(x, [x.shape[0], -1])
                x = tf.nn.bias_add(tf.matmul(x, tf.constant(values[0])), values[1])
            if index != network.last:
                x = tf.nn.relu(x)
        return x

    return call


def concrete_function(network, shape):
    import tensorflow as tf

    picture = tf.TensorSpec([shape[0], shape[2], shape[3], shape[1]], tf.float32)
    return tf.function(tensorflow_function(network), input_signature=[picture]).get_concrete_function()


def tensorflow(network, threads, folder, shape):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    function = concrete_function(network, shape)
    return lambda x: channels_first(function(tf.constant(x.transpose(0, 2, 3, 1))).numpy())


def tflite_converter(network, shape):
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_concrete_functions([concrete_function(network, shape)])


def litert_interpreter(path, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(x):
        interpreter.set_tensor(source, np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
        interpreter.invoke()
        return channels_first(interpreter.get_tensor(target))

    return run


def litert(network, threads, folder, shape):
    path = Path(folder) / f"model-{'x'.join(map(str, shape))}.tflite"
    if not path.exists():
        path.write_bytes(tflite_converter(network, shape).convert())
    return litert_interpreter(str(path), threads)


PEERS = {
    "ncnn": ("ncnn", ncnn), "ONNX Runtime": ("onnxruntime", onnxruntime), "OpenVINO": ("openvino", openvino),
    "MNN": ("MNN", mnn), "LiteRT": ("ai-edge-litert", litert), "TensorFlow": ("tensorflow-cpu", tensorflow),
    "OpenCV": ("opencv-python-headless", opencv),
}


def measure(precision, peer, archive, folder, shape, threads, repeats):
    """Runs in a process of its own: prints the version and the times in milliseconds, and keeps the
    first picture's output in peer.npy."""
    import time
    from importlib.metadata import version

    import integer_peers
    from compare import pictures

    package, prepare = {"float32": PEERS, "int8": integer_peers.PEERS}[precision][peer]
    run = prepare(Network(archive), threads, folder, shape)
    x = np.ascontiguousarray(pictures(*shape))
    for _ in range(2):
        values = run(x)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(x)
        times.append((time.perf_counter() - start) * 1e3)
    np.save(Path(folder) / "peer.npy", np.asarray(values, np.float64)[0].reshape(-1))
    print(json.dumps({"version": version(package), "times": times}))


if __name__ == "__main__":
    precision, peer, archive, folder, shape, threads, repeats = sys.argv[1:]
    measure(precision, peer, archive, folder, [int(n) for n in shape.split("x")], int(threads), int(repeats))
