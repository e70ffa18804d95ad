"""The other programs in int8: how each quantises the same network with its own tools and the same pictures.

Functions are like those of `peers`. Weights have a scale for each output channel where the program can do that; inputs
and outputs are in float. The folder has two files of `compare`: calibration.npz, pictures [N, H, W, 3], and
activations.npz, the maps of all layers for the first of them. What a program made stays in the folder.
"""
from pathlib import Path

import numpy as np

import peers


def calibration(folder):
    """The pictures to quantise with, as [N, C, H, W]."""
    return np.ascontiguousarray(np.load(Path(folder) / "calibration.npz")["images"].transpose(0, 3, 1, 2))


def model_file(folder, program, shape, suffix):
    return Path(folder) / f"{program}-int8-{'x'.join(map(str, shape))}.{suffix}"


def made(path, make):
    """The path of a file, which is made first if there is none; under another name, so that an interruption leaves none."""
    if not path.exists():
        unfinished = path.with_stem(f"unfinished-{path.stem}")
        make(unfinished)
        unfinished.rename(path)
    return str(path)


def onnxruntime(network, threads, folder, shape):
    def quantise(path):
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        class Pictures(CalibrationDataReader):
            def __init__(self):
                self.remaining = iter(calibration(folder))

            def get_next(self):
                picture = next(self.remaining, None)
                return None if picture is None else {"input": picture[None]}

        quantize_static(peers.onnx_file(network, folder, shape), str(path), Pictures(), QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)

    return peers.onnxruntime_session(made(model_file(folder, "onnxruntime", shape, "onnx"), quantise), threads)


def openvino(network, threads, folder, shape):
    import openvino

    weights = model_file(folder, "openvino", shape, "bin")

    def quantise(path):
        import nncf

        model = openvino.Core().read_model(peers.onnx_file(network, folder, shape))
        pictures = calibration(folder)
        model = nncf.quantize(model, nncf.Dataset([picture[None] for picture in pictures]), subset_size=len(pictures))
        openvino.serialize(model, str(path), str(weights))

    return peers.openvino_request(made(weights.with_suffix(".xml"), quantise), threads)


def mnn(network, threads, folder, shape):
    """Weights in int8, and inputs of layers quantised as it runs: mnnquant, which knows ranges beforehand, crashes in the
    package of 2026 (alibaba/MNN#2849), and a model of integers from LiteRT takes half as long again."""
    path = made(model_file(folder, "mnn", shape, "mnn"), lambda path: peers.mnn_convert(
        peers.onnx_file(network, folder, shape), path, "--weightQuantBits", "8"))
    return peers.mnn_session(path, threads, "low", "low")


def ncnn(network, threads, folder, shape):
    """Written as ncnn's tool ncnn2int8 does, which the package does not have."""
    binary, text = (model_file(folder, "ncnn", shape, suffix) for suffix in ["bin", "param"])

    def write(path):
        lines, blob = [], "data"
        maps = np.load(Path(folder) / "activations.npz")
        source = calibration(folder)[0]
        with open(binary, "wb") as file:
            def write_quantised(weight, bias, scales):
                """Weights [out, ...], with a scale for each output, and the scales of the input and perhaps the output."""
                rows = weight.reshape(weight.shape[0], -1)
                factors = 127 / np.abs(rows).max(axis=1)
                codes = np.rint(rows * factors[:, None]).astype(np.int8).tobytes()
                file.write((0x000D4B38).to_bytes(4, "little") + codes + bytes(-len(codes) % 4))
                for values in [bias, factors, scales]:
                    file.write(np.asarray(values, np.float32).tobytes())

            for index, (kind, *values) in enumerate(network.layers):
                top = f"b{index}"
                output = maps[maps.files[index]]
                scales = [127 / np.abs(source).max()]
                activation = "" if index == network.last else " 9=1"
                if kind == "pool":
                    lines.append(f"Pooling p{index} 1 1 {blob} {top} 0=0 1=2 2=2 5=1")
                elif kind == "conv":
                    weight, bias = values
                    side, outputs = weight.shape[0], weight.shape[3]
                    # Between two convolutions the map is of bytes.
                    is_chained = network.layers[index + 1][0] == "conv"
                    if is_chained:
                        scales.append(127 / np.abs(output).max())
                    lines.append(f"Convolution c{index} 1 1 {blob} {top} 0={outputs} 1={side} 4={side // 2} 5=1 "
                                 f"6={weight.size} 8={102 if is_chained else 2}{activation}")
                    write_quantised(weight.transpose(3, 2, 0, 1), bias, scales)
                else:
                    weight = network.dense_from_chw(index)
                    lines.append(f"InnerProduct f{index} 1 1 {blob} {top} 0={weight.shape[1]} 1=1 2={weight.size} "
                                 f"8=2{activation}")
                    write_quantised(weight.T, values[1], scales)
                blob, source = top, output
        lines.insert(0, "Input data 0 1 data")
        path.write_text(f"7767517\n{len(lines)} {len(lines)}\n" + "\n".join(lines) + "\n")

    made(text, write)
    return peers.ncnn_extractor(text, binary, threads, {})


def litert(network, threads, folder, shape):
    def quantise(path):
        import tensorflow as tf

        converter = peers.tflite_converter(network, shape)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        pictures = calibration(folder).transpose(0, 2, 3, 1)
        converter.representative_dataset = lambda: ([np.ascontiguousarray(picture[None])] for picture in pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        path.write_bytes(converter.convert())

    return peers.litert_interpreter(made(model_file(folder, "litert", shape, "tflite"), quantise), threads)


PEERS = {
    "OpenVINO": ("openvino", openvino), "ONNX Runtime": ("onnxruntime", onnxruntime), "ncnn": ("ncnn", ncnn),
    "LiteRT": ("ai-edge-litert", litert), "MNN": ("MNN", mnn),
}
