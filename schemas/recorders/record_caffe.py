#!/usr/bin/env python3
"""Record what Caffe makes of an input, layer by layer, for `vggconv verify --reference`.

    python3 record_caffe.py DEPLOY.prototxt MODEL.caffemodel [INPUT] -o activations.npz

INPUT   .npy or .npz (array `input`) of preprocessed float32 pictures, [N, C, H, W]; without it, two pictures of seeded
        noise over the range of the usual preprocessing

Needs pycaffe and NumPy. Layers that work in place, such as ReLU, change the blob of the layer in front of them: what is
recorded under a convolution's name is what comes out behind its ReLU.
"""
import argparse

import caffe
import numpy as np

# Layers whose outputs have a canonical name: the blob's own, since VGG's blobs are called like their layers.
RECORDED = {"Convolution", "InnerProduct", "Pooling", "LRN", "Softmax"}


def record(net, pictures):
    """What each blob holds after a pass, under the name of the last layer of a kind that writes it."""
    source = net.inputs[0]
    net.blobs[source].reshape(*pictures.shape)
    net.reshape()
    net.blobs[source].data[...] = pictures
    net.forward()
    recorded = {"input": np.array(pictures, dtype=np.float32)}
    for name, layer in zip(net._layer_names, net.layers):
        if layer.type in RECORDED:
            top = net.top_names[name][0]
            recorded[name] = np.array(net.blobs[top].data, dtype=np.float32)
    return recorded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prototxt")
    parser.add_argument("model")
    parser.add_argument("input", nargs="?")
    parser.add_argument("-o", "--output", required=True)
    arguments = parser.parse_args()
    caffe.set_mode_cpu()
    net = caffe.Net(arguments.prototxt, arguments.model, caffe.TEST)
    if arguments.input:
        loaded = np.load(arguments.input)
        pictures = np.asarray(loaded["input"] if hasattr(loaded, "files") else loaded, dtype=np.float32)
    else:
        shape = [2] + list(net.blobs[net.inputs[0]].data.shape[1:])
        pictures = np.random.default_rng(2014).uniform(-124, 151, shape).astype(np.float32)
    recorded = record(net, pictures)
    np.savez(arguments.output, **recorded)
    print(f"{arguments.output}: {', '.join(recorded)}")


if __name__ == "__main__":
    main()
