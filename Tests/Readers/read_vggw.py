"""A reader of native model files, written from schemas/FORMAT.md and schemas/vggw.proto alone.

    read_vggw.py MODULE_FOLDER FILE...

MODULE_FOLDER holds vggw_pb2.py, made by `protoc --python_out`. Reads every tensor of each file, checks every rule of
the format and all digests, and prints one JSON object per file. Ends with status 1 at the first thing that is wrong.
"""

import hashlib
import json
import struct
import sys

import numpy as np

BLOCK = 4 << 20
SPARSE_BLOCK = 1 << 16
LAYOUTS = {4: "LAYOUT_HWIO", 2: "LAYOUT_IN_OUT", 1: "LAYOUT_OUT"}
ELEMENTS = {
    "ELEMENT_TYPE_FLOAT32": "<u4",
    "ELEMENT_TYPE_FLOAT16": "<u2",
    "ELEMENT_TYPE_BFLOAT16": "<u2",
    "ELEMENT_TYPE_INT8": "u1",
    "ELEMENT_TYPE_INT4": "u1",  # a byte of two
    "ELEMENT_TYPE_INT32": "<i4",
}


def require(condition, message):
    if not condition:
        raise SystemExit(f"read_vggw: {message}")


def align(offset):
    return (offset + 63) // 64 * 64


def blocks(data):
    return [hashlib.sha256(data[i : i + BLOCK]).digest() for i in range(0, max(len(data), 1), BLOCK)]


def block_digest(data):
    digests = blocks(data)
    return digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()


def read_manifest(data, schema):
    require(len(data) >= 128, "the header is truncated")
    require(data[:8] == bytes.fromhex("93564747 0D0A1A0A"), "the signature is wrong")
    major, _, mark, features, length, offset, count = struct.unpack_from("<HHIQQQQ", data, 8)
    require(major == 1, f"major version {major}")
    require(mark == 0x01020304, "the byte-order mark is wrong")
    require(features & ~127 == 0, f"required features {features:#x}")
    require(length == len(data), f"{len(data)} bytes, not {length}")
    require(1 <= count <= 1 << 24 and offset + count == length, "the manifest is not at the end")
    require(offset >= 128 and offset % 64 == 0, "the manifest is not aligned")
    require(not any(data[48:64]) and not any(data[96:128]), "a reserved byte is not zero")
    require(hashlib.sha256(data[:64] + data[offset:]).digest() == data[64:96], "the header's digest is wrong")
    manifest = schema.Manifest.FromString(data[offset:])
    require(features == needed_features(manifest, schema), f"required features {features:#x}")
    return manifest, offset


def needed_features(manifest, schema):
    """The bits that a model needs (FORMAT.md, section 8)."""
    network, tensors = manifest.network, manifest.tensors
    kinds = {layer.name: layer.WhichOneof("operation") for layer in network.layers}
    pool6 = [layer.pooling for layer in network.layers if layer.name == "pool6"]
    return (
        any(getattr(pool, "global") for pool in pool6)
        | ("pool5" not in kinds) << 1
        | ("dense" in kinds.values() and "softmax" not in kinds.values()) << 2
        | any(not getattr(pool, "global") for pool in pool6) << 3
        | any(t.element_type == schema.ELEMENT_TYPE_INT4 for t in tensors) << 4
        | any(t.grouping != schema.GROUPING_OUTPUT_CHANNEL or t.zero_points for t in tensors) << 5
        | manifest.HasField("integer_arithmetic") << 6
    )


def needed_tensors(network):
    """The names and shapes that the layers need, in their order."""
    needed = []
    for layer in network.layers:
        kind = layer.WhichOneof("operation")
        if kind == "convolution":
            c = layer.convolution
            shape, has_bias = [c.kernel_height, c.kernel_width, c.input_channels, c.output_channels], c.has_bias
        elif kind == "dense":
            shape, has_bias = [layer.dense.inputs, layer.dense.outputs], layer.dense.has_bias
        else:
            continue
        needed.append((layer.name + "/weight", shape))
        if has_bias:
            needed.append((layer.name + "/bias", shape[-1:]))
    return needed


def stored_elements(tensor, stored, encoding, kind, element_type):
    """The bits of all elements, zeros included."""
    count = int(np.prod(tensor.shape))
    if element_type == "ELEMENT_TYPE_INT4":
        count = -(-count // 2)
    if encoding == "ENCODING_RAW":
        require(len(stored) == count * kind.itemsize, f"{tensor.name}: wrong length")
        return np.frombuffer(stored, kind)
    require(encoding == "ENCODING_SPARSE", f"{tensor.name}: unknown encoding")
    starts = np.frombuffer(stored, "<u8", -(-count // SPARSE_BLOCK))
    words = np.frombuffer(stored, "u1", -(-count // 64) * 8, starts.nbytes)
    bits = np.unpackbits(words, bitorder="little").astype(bool)
    require(not bits[count:].any(), f"{tensor.name}: unused bits are set")
    bits = bits[:count]
    kept = np.frombuffer(stored, kind, -1, starts.nbytes + words.nbytes)
    require(len(kept) == bits.sum() and kept.all(), f"{tensor.name}: wrong elements")
    per_block = np.add.reduceat(bits.astype(np.uint64), np.arange(0, count, SPARSE_BLOCK))
    require((starts == np.cumsum(per_block) - per_block).all(), f"{tensor.name}: wrong table")
    elements = np.zeros(count, kind)
    elements[bits] = kept
    return elements


def parameters(tensor, stored, element_type, schema):
    """The scale and zero point of each element, as matrices of rows and channels, and the stored bytes behind them."""
    is_code = element_type in ("ELEMENT_TYPE_INT8", "ELEMENT_TYPE_INT4", "ELEMENT_TYPE_INT32")
    channels = tensor.shape[-1]
    rows = int(np.prod(tensor.shape)) // channels
    scales, zeros = np.array(tensor.scales, "<f4"), np.array(tensor.zero_points, "<i4")
    grouping = schema.Grouping.Name(tensor.grouping)
    if grouping == "GROUPING_INPUT_GROUPS":
        require(is_code and not len(scales) and not len(zeros), f"{tensor.name}: scales in two places")
        require(1 <= tensor.group_length <= 1 << 36, f"{tensor.name}: wrong length of groups")
        groups = -(-rows // tensor.group_length)
        scales = np.frombuffer(stored, "<f4", groups * channels)
        end = scales.nbytes
        if tensor.has_group_zero_points:
            zeros = np.frombuffer(stored, "i1", groups * channels, end).astype("<i4")
            end += len(zeros)
        require(not any(stored[end : align(end)]), f"{tensor.name}: padding behind the scales is not zero")
        stored = stored[align(end) :]
    else:
        require(tensor.group_length == 0 and not tensor.has_group_zero_points, f"{tensor.name}: groups without groups")
        needed = 0 if not is_code else 1 if grouping == "GROUPING_TENSOR" else channels
        require(is_code or grouping == "GROUPING_OUTPUT_CHANNEL", f"{tensor.name}: groups without codes")
        require(len(scales) == needed, f"{tensor.name}: wrong number of scales")
    if not is_code:
        require(not len(zeros), f"{tensor.name}: zero points without codes")
        return None, None, stored
    require(len(zeros) in (0, len(scales)), f"{tensor.name}: wrong number of zero points")
    require(np.isfinite(scales).all() and not np.signbit(scales).any(), f"{tensor.name}: impossible scales")
    if element_type == "ELEMENT_TYPE_INT32":
        require(grouping == "GROUPING_OUTPUT_CHANNEL" and not len(zeros), f"{tensor.name}: groups of biases")
        require(schema.Encoding.Name(tensor.encoding) == "ENCODING_RAW", f"{tensor.name}: a sparse bias of integers")
    least, most = (-8, 7) if element_type == "ELEMENT_TYPE_INT4" else (-128, 127)
    require(((zeros >= least) & (zeros <= most)).all(), f"{tensor.name}: impossible zero points")
    zeros = zeros if len(zeros) else np.zeros(len(scales), "<i4")

    def spread(numbers):
        if grouping == "GROUPING_INPUT_GROUPS":
            return numbers.reshape(-1, channels)[np.arange(rows) // tensor.group_length]
        return np.broadcast_to(numbers, (rows, channels))

    return spread(scales), spread(zeros), stored


def values(tensor, elements, element_type, scales, zeros):
    """The values as float32."""
    if element_type == "ELEMENT_TYPE_FLOAT32":
        return elements.view("<f4")
    if element_type == "ELEMENT_TYPE_FLOAT16":
        return elements.view("<f2").astype("<f4")
    if element_type == "ELEMENT_TYPE_BFLOAT16":
        return (elements.astype("<u4") << np.uint32(16)).view("<f4")
    if element_type == "ELEMENT_TYPE_INT32":
        return (elements.astype("<f8") * scales.ravel().astype("<f8")).astype("<f4")
    codes = elements.view("i1").astype("<i4")
    if element_type == "ELEMENT_TYPE_INT4":
        nibbles = np.stack([elements & 15, elements >> 4], axis=1).ravel().astype("<i4")
        count = scales.size
        require(not nibbles[count:].any(), f"{tensor.name}: half a byte behind the last element is not zero")
        codes = ((nibbles ^ 8) - 8)[:count]
    return ((codes.reshape(scales.shape) - zeros).astype("<f4") * scales).ravel()


def check_passes(manifest):
    """That numbers for channels suit the network (FORMAT.md, sections 5.2 and 5.3)."""
    network, passes = manifest.network, manifest.provenance.passes
    require(len(passes) + len(manifest.provenance.pass_texts) <= 64, "too many passes")
    inputs, outputs, seconds, channels, earlier = {}, {}, {}, network.input_channels, None
    for layer in network.layers:
        kind = layer.WhichOneof("operation")
        if kind in ("convolution", "dense"):
            inputs[layer.name] = channels
            channels = layer.convolution.output_channels if kind == "convolution" else layer.dense.outputs
            outputs[layer.name] = channels
            seconds[earlier] = layer.name
            earlier = layer.name
        elif kind != "pooling":
            earlier = None
    order = list(inputs)
    for index, step in enumerate(passes):
        kind = step.WhichOneof("kind")
        if kind == "equalize":
            layers = step.equalize.layers
            for layer in layers:
                require(layer.name in seconds, f"{layer.name}: nothing takes its factors back")
                require(len(layer.exponents) == outputs[layer.name], f"{layer.name}: wrong number of exponents")
                require(all(-24 <= e <= 24 for e in layer.exponents) and any(layer.exponents), f"{layer.name}: exponents")
        elif kind == "correct_biases":
            require(1 <= step.correct_biases.rounding_passes <= index, "impossible number of passes that round")
            cut = any(later.WhichOneof("kind") == "drop_dense" for later in passes[index:])
            layers = [l for l in step.correct_biases.layers if not (cut and l.name.startswith("fc"))]
            for layer in layers:
                require(len(layer.input_means) == inputs.get(layer.name), f"{layer.name}: wrong number of means")
                require(bool(np.isfinite(layer.input_means).all()), f"{layer.name}: a mean is not finite")
        else:
            continue
        places = [order.index(layer.name) for layer in layers]
        require(places == sorted(set(places)), "layers of a pass are not in order")


def check_integers(manifest, schema):
    """That a model that computes in integers can do so (FORMAT.md, section 6)."""
    tensors = {tensor.name: tensor for tensor in manifest.tensors}
    if not manifest.HasField("integer_arithmetic"):
        require(all(t.element_type != schema.ELEMENT_TYPE_INT32 for t in manifest.tensors), "biases of integers")
        return
    arithmetic, layers = manifest.integer_arithmetic, manifest.network.layers
    require(arithmetic.requantization in (schema.REQUANTIZATION_LITERT, schema.REQUANTIZATION_TFLM), "no rounding")
    require(len(arithmetic.outputs) == len(layers), "wrong number of outputs")
    maps = [arithmetic.input, *arithmetic.outputs]
    for codes in maps:
        require(2.0**-126 <= codes.scale < float("inf"), "impossible scale of a map")
        require(-128 <= codes.zero_point <= 127, "impossible zero point of a map")
    for layer, before, after in zip(layers, maps, maps[1:]):
        kind = layer.WhichOneof("operation")
        if kind == "pooling":
            require(before == after, f"{layer.name}: other codes")
        elif kind in ("softmax", "sigmoid"):
            require((after.scale, after.zero_point) == (1 / 256, -128), f"{layer.name}: wrong codes")
        elif kind in ("convolution", "dense"):
            weight = tensors[layer.name + "/weight"]
            require(weight.element_type == schema.ELEMENT_TYPE_INT8, f"{layer.name}: weights are not INT8")
            require(not weight.zero_points, f"{layer.name}: zero points of weights")
            require(weight.grouping != schema.GROUPING_INPUT_GROUPS, f"{layer.name}: groups of weights")
            units = np.broadcast_to(np.float32(before.scale) * np.array(weight.scales, "<f4"), weight.shape[-1:])
            multipliers = units / np.float32(after.scale)
            require((units >= 2.0**-126).all(), f"{layer.name}: units")
            require(((multipliers >= 2.0**-126) & (multipliers < 256)).all(), f"{layer.name}: multipliers")
            bias = tensors.get(layer.name + "/bias")
            if bias is not None:
                require(bias.element_type == schema.ELEMENT_TYPE_INT32, f"{layer.name}: bias is not INT32")
                require((np.array(bias.scales, "<f4") == units).all(), f"{layer.name}: wrong units of the bias")


def read(path, schema):
    with open(path, "rb") as file:
        data = file.read()
    manifest, manifest_offset = read_manifest(data, schema)
    needed = needed_tensors(manifest.network)
    require(sorted(n.encode() for n, _ in needed) == [t.name.encode() for t in manifest.tensors], "wrong tensors")
    check_integers(manifest, schema)
    check_passes(manifest)
    shapes, digests, end, report = dict(needed), {}, 128, []
    for tensor in manifest.tensors:
        element_type = schema.ElementType.Name(tensor.element_type)
        encoding = schema.Encoding.Name(tensor.encoding)
        kind = np.dtype(ELEMENTS[element_type])
        require(list(tensor.shape) == shapes[tensor.name], f"{tensor.name}: wrong shape")
        require(schema.Layout.Name(tensor.layout) == LAYOUTS[len(tensor.shape)], f"{tensor.name}: wrong layout")
        require(schema.Role.Name(tensor.role) == "ROLE_" + tensor.name.split("/")[1].upper(), f"{tensor.name}: role")
        require(tensor.offset == align(end), f"{tensor.name}: wrong offset")
        require(not any(data[end : tensor.offset]), f"{tensor.name}: padding in front of it is not zero")
        end = tensor.offset + tensor.stored_length
        require(end <= manifest_offset, f"{tensor.name}: reaches into the manifest")
        stored = data[tensor.offset : end]
        require(block_digest(stored) == tensor.stored_digest, f"{tensor.name}: wrong digest of stored bytes")
        parts = blocks(stored)
        require(tensor.block_digests == (b"".join(parts) if len(parts) > 1 else b""), f"{tensor.name}: block digests")
        scales, zeros, stored = parameters(tensor, stored, element_type, schema)
        elements = stored_elements(tensor, stored, encoding, kind, element_type)
        floats = values(tensor, elements, element_type, scales, zeros)
        require(tensor.decoded_length == floats.nbytes, f"{tensor.name}: wrong decoded length")
        digests[tensor.name] = block_digest(floats.tobytes())
        require(digests[tensor.name] == tensor.values_digest, f"{tensor.name}: wrong digest of values")
        report.append({"name": tensor.name, "encoding": encoding, "elementType": element_type})
    require(align(end) == manifest_offset and not any(data[end:manifest_offset]), "the data area does not end well")
    message = b"".join(
        name.encode() + b"\0" + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + digests[name]
        for name, shape in needed
    )
    weights_digest = hashlib.sha256(message).digest()
    require(weights_digest == manifest.weights_digest, "wrong digest of all weights")
    return {
        "tool": manifest.tool,
        "architecture": schema.Architecture.Name(manifest.network.architecture),
        "labels": list(manifest.labels),
        "weightsDigest": weights_digest.hex(),
        "tensors": report,
    }


def main():
    sys.path.insert(0, sys.argv[1])
    import vggw_pb2 as schema

    for path in sys.argv[2:]:
        print(json.dumps(read(path, schema)))


main()
