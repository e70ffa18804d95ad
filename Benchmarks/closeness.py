#!/usr/bin/env python3
"""How far quantised and pruned networks are from their source, and what that costs: the table of docs/verification.md.

    closeness.py VGGCONV

Prints Markdown: for both trained networks of `fixtures` and several passes the distance on the generated inputs, the
largest one on the 360 test pictures, how many of these keep their first class, and the accuracy.
"""
import json
import os
import subprocess
import sys
import tempfile

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
DATA = os.path.join(FIXTURES, "digits_test.npz")
PASSES = [
    ["--to", "fp16"], ["--to", "bf16"], ["--to", "int8"], ["--to", "int8", "--scales", "tensor"],
    ["--to", "int4"], ["--to", "int4", "--zero-points"], ["--to", "int4", "--int4-conv"],
    *[["--to", "int8", "--prune-fc", str(part / 10)] for part in (3, 5, 6, 7, 8, 9)],
]


def run(*arguments):
    """The result of a command as JSON; that a model is not close is a result, too."""
    process = subprocess.run([*arguments, "--json"], capture_output=True, text=True)
    if process.returncode not in (0, 1):
        raise SystemExit(process.stderr)
    return json.loads(process.stdout)


def main():
    vggconv = os.path.abspath(sys.argv[1])
    print("| network | passes | distance, generated | largest of 360 pictures | same class | accuracy | verdict |")
    print("|---|---|---:|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "m.vggw")
        for name in ("d", "a"):
            source = os.path.join(FIXTURES, "keras", f"vgg_{name}_digits.h5")
            for flags in PASSES:
                generated = run(vggconv, "import", source, *flags, "-o", model, "--force")
                pictures = run(vggconv, "verify", source, model, "--inputs", DATA)
                same = 360 - (pictures["classified"] - pictures["sameClass"])
                same += generated["classified"] - generated["sameClass"]
                accuracy = run(vggconv, "evaluate", model, DATA)["top1"]
                print(
                    f"| {name.upper()} | {' '.join(flags[1:]).replace('--prune-fc ', 'pruned ')} "
                    f"| {generated['outputDistance']:.1e} | {pictures['outputDistance']:.1e} | {same} "
                    f"| {accuracy:.2%} | {generated['verdict']} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
