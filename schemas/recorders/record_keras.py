#!/usr/bin/env python3
"""Record what Keras makes of an input, layer by layer, for `vggconv verify --reference`.

    python3 record_keras.py MODEL [INPUT] -o activations.npz              Keras 3
    python3 record_keras.py MODEL [INPUT] -o activations.npz --tf-keras   tf_keras (Keras 2)

MODEL   a whole model (.keras, .h5); with --application VGG16, weights for that network of keras.applications
INPUT   .npy or .npz (array `input`) of preprocessed float32 pictures, in the model's own order of axes; without it,
        two pictures of seeded noise over the range of the usual preprocessing

Needs Keras and NumPy. The model must be a chain of layers, as a VGG is; this is checked. Names in the file are the
canonical ones (conv1_1 ... pool5, fc6, fc7, fc8, prob), whatever the layers are called: their order decides.
"""
import argparse
import importlib

import numpy as np


def flattened(model):
    """The layers in order, those of nested models in their places."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from flattened(layer)
        elif type(layer).__name__ != "InputLayer":
            yield layer


def names(layers):
    """The canonical name of each layer that has one: counted by its kind, a pooling ends a block."""
    block, convolution, dense, result = 1, 0, 0, {}
    count = sum(type(layer).__name__ == "Dense" for layer in layers)
    fully_connected = ["fc6", "fc7"][: count - 1] + ["fc8"]
    for index, layer in enumerate(layers):
        kind = type(layer).__name__
        if kind == "Conv2D":
            convolution += 1
            result[index] = f"conv{block}_{convolution}"
        elif kind.endswith("Pooling2D") and not kind.startswith("Global"):
            result[index] = f"pool{block}"
            block, convolution = block + 1, 0
        elif kind == "Dense":
            result[index] = fully_connected[dense] if dense < len(fully_connected) else f"dense{dense}"
            dense += 1
    return result


def array(tensor):
    return np.asarray(tensor, dtype=np.float32)


def record(model, pictures):
    """What each layer gives, after its activation; also the last dense layer's sums before its softmax."""
    layers = list(flattened(model))
    canonical = names(layers)
    recorded, last = {}, None
    x = pictures
    for index, layer in enumerate(layers):
        kind = type(layer).__name__
        before = x
        x = layer(x, training=False)
        if index in canonical:
            if last is None:
                # What lies in front of the first layer with weights is preprocessing.
                recorded["input"] = array(before)
            last = canonical[index]
            recorded[last] = array(x)
            activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
            if kind == "Dense" and activation == "softmax":
                sums = array(before) @ array(layer.kernel)
                recorded[last] = sums + array(layer.bias) if layer.use_bias else sums
                recorded["prob"] = array(x)
        elif last is not None and kind == "Lambda":
            recorded["norm1"] = array(x)
        elif last is not None and (kind == "Softmax" or getattr(layer, "activation", None) is not None):
            is_softmax = kind == "Softmax" or layer.activation.__name__ == "softmax"
            recorded["prob" if is_softmax else last] = array(x)
        elif last is not None and kind in ("ReLU", "BatchNormalization"):
            recorded[last] = array(x)
    whole = array(model(pictures, training=False))
    if whole.shape != array(x).shape or not np.allclose(whole, array(x), rtol=1e-4, atol=1e-5):
        raise SystemExit("the model is no chain of layers: what they give one by one is not what the model gives")
    return recorded


def noise(shape):
    """Two pictures in the range of pixels less ImageNet's mean, of an undetermined size 224 x 224."""
    shape = [2] + [224 if side is None else side for side in shape[1:]]
    return np.random.default_rng(2014).uniform(-124, 151, shape).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("input", nargs="?")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--tf-keras", action="store_true")
    parser.add_argument("--application", help="VGG16 or VGG19: MODEL holds weights alone")
    arguments = parser.parse_args()
    keras = importlib.import_module("tf_keras" if arguments.tf_keras else "keras")
    if arguments.application:
        model = getattr(keras.applications, arguments.application)(weights=arguments.model)
    else:
        model = keras.models.load_model(arguments.model, compile=False)
    if arguments.input:
        loaded = np.load(arguments.input)
        pictures = np.asarray(loaded["input"] if hasattr(loaded, "files") else loaded, dtype=np.float32)
    else:
        pictures = noise(model.input_shape)
    recorded = record(model, pictures)
    np.savez(arguments.output, **recorded)
    print(f"{arguments.output}: {', '.join(recorded)}")


if __name__ == "__main__":
    main()
