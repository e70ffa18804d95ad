"""Opens graphs that `vggconv export --to netron` writes with Netron's own reader, under node.

PyPI: netron==9.3.3. Debian: nodejs.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import netron

ROOT = pathlib.Path(__file__).resolve().parents[2]
READER = pathlib.Path(netron.__file__).parent / "message.js"
QUIET = {"check": True, "capture_output": True}

# What Netron shows of each node, from the classes that it draws from.
SCRIPT = """
import { readFileSync } from 'fs';
import { ModelFactory } from './message.mjs';
const bytes = readFileSync(process.argv[2]);
const context = {
  stream: { length: bytes.length, peek: (count) => bytes.subarray(0, count) },
  peek: async () => JSON.parse(bytes),
  set: (type, value) => { context.value = value; return type; }
};
if (await new ModelFactory().match(context) !== 'message') throw new Error('is not one of its files');
const model = await new ModelFactory().open(context);
const text = (argument) => argument.value.map((value) => `${value.name} ${value.type}`);
console.log(JSON.stringify(model.modules[0].nodes.map((node) =>
  [node.name, node.type.name, node.inputs.flatMap(text), node.outputs.flatMap(text)])));
"""


def shape(value):
    return [int(length) for length in value[value.index("[") + 1 : -1].split(",")]


def main(vggconv):
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder, "open.mjs")
        script.write_text(SCRIPT)
        pathlib.Path(folder, "message.mjs").write_bytes(READER.read_bytes())
        for name in ["vgg_d_digits_full.h5", "vgg_a_lrn.h5", "vgg_c.h5", "vgg_e.h5"]:
            graph = pathlib.Path(folder, name + ".netron")
            source = ROOT / "fixtures/keras" / name
            model = pathlib.Path(folder, name + ".vggw")
            # Keras' files cannot hold the constants of A-LRN.
            options = ["--lrn", "5,1e-4,0.75,2"] if "lrn" in name else []
            subprocess.run([vggconv, "import", source, "-o", model, *options], **QUIET)
            subprocess.run([vggconv, "export", model, "--to", "netron", "-o", graph], **QUIET)
            nodes = json.loads(subprocess.run(["node", script, graph], **QUIET).stdout)
            summary = json.loads(
                subprocess.run([vggconv, "summary", model, "--json"], **QUIET).stdout
            )
            layers = summary["layers"]
            assert [node[0] for node in nodes] == [layer["name"] for layer in layers], name
            before = "input"
            for (layer, _, inputs, outputs), expected in zip(nodes, layers):
                assert inputs[0].split()[0] == before, (name, layer)
                assert shape(outputs[0]) == expected["outputShape"], (name, layer, outputs, expected)
                before = layer
                compared += 1
            print(f"{name}: Netron shows {len(nodes)} layers in a chain, with the shapes of 'summary'")
    return 0 if compared else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
