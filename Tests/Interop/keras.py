"""Real Keras reads what vggconv writes for it: the same weights bit for bit, and the same outputs within rounding.

PyPI: keras==3.15.1 tensorflow-cpu==2.21.0 h5py==3.14.0
Use: keras.py VGGCONV
"""
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
sys.path.pop(0)  # this file has the name of the package
import keras
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = [
    "keras/vgg_a_digits.h5", "keras/vgg_b.h5", "keras/vgg_c.h5", "keras/vgg_d_digits.keras", "keras/vgg_d_notop.h5",
    "keras/vgg_e.h5", "keras_real/keras_1.0.1_theano_th.h5", "keras_real/keras_3.15.1_gap.keras",
    "caffe/vgg_a.caffemodel", "caffe/vgg_b_ceil_100.caffemodel", "caffe/vgg_d_digits_v1.caffemodel",
]
# A file of weights for a network with a layer that Keras lacks.
NORMALIZED = "caffe/vgg_a_lrn_k2.caffemodel"
# Half the distance of 1 to the next float32.
UNIT = 2.0**-24

failures = compared = 0


def check(ok, text):
    global failures, compared
    compared += 1
    failures += not ok
    print(("" if ok else "DIFFERENT: ") + text, flush=True)


def vggconv(*arguments):
    subprocess.run([sys.argv[1], *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def canonical(name):
    """The name that vggconv has for a layer, None for one that it does not have."""
    names = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
    if name in names:
        return names[name]
    if name.startswith("global_"):
        return "pool6"
    if name.startswith("block"):
        block, kind = name[5:].split("_", 1)
        return f"conv{block}_{kind[4:]}" if kind.startswith("conv") else f"pool{block}"
    return None


def gamma(count):
    return count * UNIT / (1 - count * UNIT)


def bounds(model, outputs):
    """How far a float32 computation of each layer may be from the values in `outputs`, which were summed in double precision.

    Errors of the input pass through with the weights' absolute values; a sum of n products adds gamma(n + 2) of the sum of their
    absolute values (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); poolings add none but their mean.
    """
    value, error = outputs["input"].astype("f8"), np.zeros_like(outputs["input"], "f8")
    result = {}
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            kernel, bias = (np.abs(w).astype("f8") for w in layer.get_weights())
            if isinstance(layer, keras.layers.Conv2D):
                through = lambda x: np.asarray(keras.ops.conv(x, kernel, padding="same"))
            else:
                through = lambda x: x @ kernel
            terms = kernel[..., 0].size + 2
            error = through(error) + gamma(terms + 2) * (through(np.abs(value) + error) + bias)
        elif "pooling" in layer.name or "pool" in layer.name:
            error = np.asarray(keras.ops.convert_to_numpy(layer_of_errors(layer)(error.astype("f4"))), "f8") * (1 + 1e-6)
            if "Average" in type(layer).__name__:
                error = error + gamma(value.shape[1] * value.shape[2] + 2) * np.abs(value).mean((1, 2))
        elif isinstance(layer, keras.layers.Flatten):
            error, value = error.reshape(len(error), -1), value.reshape(len(value), -1)
        if (name := canonical(layer.name)) and name in outputs:
            value = outputs[name].astype("f8").reshape(error.shape)
            result[layer.name] = error
        elif layer.name == "predictions":
            value = outputs["logits"].astype("f8")
            result[layer.name] = error
    return result


def layer_of_errors(layer):
    return type(layer).from_config(layer.get_config() | {"name": None, "dtype": "float32"})


def inputs_for(model, folder):
    shape = [s or 64 for s in model.input_shape[1:]]
    values = np.random.default_rng(7).normal(0, 60, (2, *shape)).astype("f4")
    np.savez(folder / "in.npz", input=values)
    return values


def compare(model, source, folder, title):
    values = inputs_for(model, folder)
    vggconv("run", source, folder / "in.npz", "--engine", "reference", "--save-activations", folder / "out.npz", "-f")
    ours = dict(np.load(folder / "out.npz"), input=values)
    weights = np.load(folder / "weights.npz")
    for layer in model.layers:
        for kind, array in zip(("weight", "bias"), layer.get_weights()):
            expected = weights[f"{canonical(layer.name)}/{kind}"]
            if array.tobytes() != expected.tobytes() or array.shape != expected.shape:
                return check(False, f"{title}: {layer.name} has another {kind}")
    limits = bounds(model, ours)
    # The activation of the last layer is taken off: its values are compared in front of it.
    last = model.layers[-1]
    activation = last.activation if last.name == "predictions" else None
    if activation:
        last.activation = keras.activations.linear
    whole = keras.Model(model.inputs, [model.get_layer(name).output for name in limits])
    theirs = whole.predict(values, verbose=0)
    worst = 0.0
    for (name, limit), output in zip(limits.items(), theirs if isinstance(theirs, list) else [theirs]):
        expected = ours["logits" if name == "predictions" else canonical(name)].reshape(output.shape)
        distance = np.abs(output.astype("f8") - expected)
        with np.errstate(invalid="ignore"):
            share = np.where(distance > 0, distance / limit, 0).max()
        worst = max(worst, share)
    text = f"{title}: {len(weights.files)} tensors bit for bit, {len(limits)} layers within {worst:.1%} of the bound"
    if activation:
        last.activation = activation
        prob = keras.Model(model.inputs, model.outputs).predict(values, verbose=0)
        # Softmax moves by at most half as much as its inputs do, and rounds itself.
        limit = limits["predictions"].max() / 2 + gamma(prob.shape[1] + 8)
        distance = np.abs(prob.astype("f8") - ours["prob"]).max() if "prob" in ours else 0
        worst = max(worst, distance / limit)
        text += f", probabilities within {distance:.1e}"
    check(worst <= 1, text)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for fixture in FIXTURES:
            source = ROOT / "fixtures" / fixture
            vggconv("export", source, "--to", "npz", "-o", folder / "weights.npz", "-f")
            vggconv("export", source, "--to", "keras", "-o", folder / "a.keras", "-f")
            vggconv("export", source, "--to", "keras", "-o", folder / "a.weights.h5", "-f")
            vggconv("export", source, "--to", "keras-legacy", "-o", folder / "full.h5", "-f")
            vggconv("export", source, "--to", "keras-legacy", "--weights-only", "-o", folder / "a.h5", "-f")
            keras.backend.clear_session()
            archive = keras.models.load_model(folder / "a.keras")
            compare(archive, source, folder, f"{fixture} as .keras")
            compare(keras.models.load_model(folder / "full.h5", compile=False), source, folder, f"{fixture} as .h5")
            for file in ("a.weights.h5", "a.h5"):
                # A model of the same layers with weights of its own.
                model = keras.models.clone_model(archive)
                model.load_weights(folder / file)
                compare(model, source, folder, f"{fixture} as {file[1:]}")
            # What Keras writes of it, vggconv reads as the same model.
            archive.save(folder / "again.keras")
            vggconv("export", folder / "again.keras", "--to", "npz", "-o", folder / "again.npz", "-f")
            weights, again = np.load(folder / "weights.npz"), np.load(folder / "again.npz")
            same = weights.files == again.files and all(weights[n].tobytes() == again[n].tobytes() for n in again.files)
            check(same, f"{fixture} saved again by Keras: {len(again.files)} tensors bit for bit")
        source = ROOT / "fixtures" / NORMALIZED
        vggconv("export", source, "--to", "npz", "-o", folder / "weights.npz", "-f")
        vggconv("export", source, "--to", "keras-legacy", "--weights-only", "-o", folder / "lrn.h5")
        weights = np.load(folder / "weights.npz")
        model = keras.Sequential([keras.Input((64, 64, 3))])
        for block, count in enumerate((1, 1, 2, 2, 2), 1):
            for index in range(1, count + 1):
                filters = weights[f"conv{block}_{index}/bias"].size
                model.add(keras.layers.Conv2D(filters, 3, padding="same", name=f"block{block}_conv{index}"))
            model.add(keras.layers.MaxPooling2D())
        model.add(keras.layers.Flatten())
        for name in ("fc1", "fc2", "predictions"):
            model.add(keras.layers.Dense(weights[f"{canonical(name)}/bias"].size, name=name))
        model.load_weights(folder / "lrn.h5")
        same = all(
            array.tobytes() == weights[f"{canonical(layer.name)}/{kind}"].tobytes()
            for layer in model.layers for kind, array in zip(("weight", "bias"), layer.get_weights()))
        check(same, f"{NORMALIZED} as weights: {len(weights.files)} tensors bit for bit")
    print(f"{compared} compared, {failures} different")
    sys.exit(1 if failures or not compared else 0)


main()
