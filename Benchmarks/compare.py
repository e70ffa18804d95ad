#!/usr/bin/env python3
"""Compares `vggconv bench` with other programs on the same models and the same pictures.

    Benchmarks/compare.py vgg16.vggw --threads 1 2
    Benchmarks/compare.py vgg11.vggw vgg19.vggw --batch 1 8 --summary --peers ncnn MNN

Each of ncnn, onnxruntime (with onnx), openvino, MNN, ai-edge-litert, tensorflow-cpu and opencv-python-headless that pip
has installed takes part; numpy is needed. All get the weights of MODEL in float32 and the same input, so that after the
ReLUs the same values are zero: vggconv does not read the weights of zero inputs of dense layers, the others may do as
they like. Programs take turns, each in a process of its own, so that whatever else the machine does hits all of
them; the shortest pass of all rounds counts. What each puts out must be what vggconv's reference engine does.
`Benchmarks/random_model.py` writes networks with random weights.

Prints tables in Markdown: milliseconds, vggconv's time as a part of the program's, and the largest difference from the
reference engine's output as a part of its largest value; with --summary, only the fastest other program of each case.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from peers import PEERS


def pictures(count, channels, height, width):
    """The input that `vggconv bench` generates, as [N, C, H, W]."""
    values = np.empty(count * channels * height * width, np.uint32)
    state = 2014
    for index in range(values.size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[index] = state
    floats = (values.view(np.int32) >> 8).astype(np.float32) / 65536
    return floats.reshape(count, height, width, channels).transpose(0, 3, 1, 2)


def command(arguments, **options):
    done = subprocess.run(arguments, capture_output=True, text=True, **options)
    return done.stdout if done.returncode == 0 else None, done.stderr


def vggconv(tool, *arguments):
    output, errors = command([tool, *map(str, arguments)])
    if output is None:
        sys.exit(f"{tool} {arguments[0]}: {errors}")
    return json.loads(output) if "--json" in arguments else output


def output_of(tool, model, folder, shape, engine):
    """The first picture's classes before the softmax, or features."""
    source, target = Path(folder) / "input.npz", Path(folder) / "output.npz"
    np.savez(source, input=np.ascontiguousarray(pictures(1, *shape[1:]).transpose(0, 2, 3, 1)))
    vggconv(tool, "run", model, source, "--engine", engine, "--save-activations", target, "-f", "--json")
    saved = np.load(target)
    values = saved["logits"] if "logits" in saved.files else saved[saved.files[-1]]
    # Maps lie channel by channel in the other programs.
    return (values.transpose(0, 3, 1, 2) if values.ndim == 4 else values).reshape(-1).astype(np.float64)


def run_peer(peer, archive, folder, shape, threads, repeats):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    script = Path(__file__).with_name("peers.py")
    output, errors = command(
        [sys.executable, str(script), peer, str(archive), str(folder), "x".join(map(str, shape)), str(threads),
         str(repeats)], env=environment)
    if output is None:
        return None, (errors.strip().splitlines() or ["no message"])[-1]
    return json.loads(output.strip().splitlines()[-1]), None


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    features = [flag for flag in ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"] if flag in flags]
    return f"{name}, {os.cpu_count()} processors, {' '.join(features)}"


class Case:
    """What is measured of one model, batch and number of threads."""

    def __init__(self, options, model, size, batch, threads):
        self.threads = threads
        self.times, self.versions, self.errors, self.missing = {}, {}, {}, {}
        self.title = f"{Path(model).stem}, {size[1]}x{size[2]}, batch {batch}"
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(options.folder or temporary) / Path(model).stem
            folder.mkdir(parents=True, exist_ok=True)
            archive = folder / "weights.npz"
            if not archive.exists():
                vggconv(options.vggconv, "export", model, "--to", "npz", "-o", archive)
            expected, ours = (output_of(options.vggconv, model, folder, [1, *size], engine)
                              for engine in ["reference", "fast"])
            self.errors["vggconv"] = np.abs(ours - expected).max() / np.abs(expected).max()
            for _ in range(options.rounds):
                report = vggconv(options.vggconv, "bench", model, "--threads", threads, "--batch", batch, "--input",
                                 f"{size[1]}x{size[2]}", "--repeat", options.repeat, "--json")
                self.add("vggconv", report["milliseconds"]["min"])
                for peer in options.peers:
                    if peer not in self.missing:
                        self.run(peer, archive, folder, [batch, *size], options.repeat, expected)

    def add(self, program, milliseconds):
        self.times[program] = min(self.times.get(program, np.inf), milliseconds)

    def run(self, peer, archive, folder, shape, repeats, expected):
        result, problem = run_peer(peer, archive, folder, shape, self.threads, repeats)
        if problem:
            self.missing[peer] = problem
            return
        self.add(peer, min(result["times"]))
        self.versions[peer] = result["version"]
        values = np.load(folder / "peer.npy")
        if values.size != expected.size:
            self.missing[peer] = f"puts out {values.size} values instead of {expected.size}"
            return
        self.errors[peer] = np.abs(values - expected).max() / np.abs(expected).max()

    def ratio(self, peer):
        return self.times["vggconv"] / self.times[peer]


def print_table(options, cases):
    """All programs on one model, a column for each case."""
    titles = [f"{case.title.split(', ')[-1]}, {case.threads} thread{'s' if case.threads > 1 else ''}" for case in cases]
    version = vggconv(options.vggconv, "--version").strip()
    print("| | " + " | ".join(titles) + " | largest difference |")
    print("|---|" + "---:|" * (len(cases) + 1))
    for name in ["vggconv", *options.peers]:
        if all(name in case.missing for case in cases):
            continue
        cells = []
        for case in cases:
            ratio = "" if name == "vggconv" or name not in case.times else f" ({case.ratio(name):.2f})"
            cells.append(f"{case.times[name]:.1f}{ratio}" if name in case.times else "")
        versions = [case.versions[name] for case in cases if name in case.versions]
        title = version if name == "vggconv" else f"{name} {versions[0]}"
        error = max(case.errors.get(name, 0) for case in cases)
        print(f"| {title} | " + " | ".join(cells) + f" | {error:.1e} |")


def print_summary(options, cases):
    """A row for each model and batch: ours and the fastest other program."""
    titles = [f"{count} thread{'s' if count > 1 else ''}" for count in options.threads]
    print("| | " + " | ".join(titles) + " | largest difference |")
    print("|---|" + "---:|" * (len(titles) + 1))
    for title in dict.fromkeys(case.title for case in cases):
        row = [case for case in cases if case.title == title]
        cells = []
        for case in row:
            fastest = min((peer for peer in case.times if peer != "vggconv"), key=case.times.get, default=None)
            other = f" ({case.ratio(fastest):.2f} of {fastest}'s {case.times[fastest]:.4g})" if fastest else ""
            cells.append(f"{case.times['vggconv']:.4g}{other}")
        print(f"| {title} | " + " | ".join(cells) + f" | {max(case.errors['vggconv'] for case in row):.1e} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL.vggw")
    parser.add_argument("--vggconv", default=str(Path(__file__).parent.parent / ".build/release/vggconv"))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--input", type=int, help="side of the pictures, for models without dense layers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=8)
    parser.add_argument("--summary", action="store_true", help="one row for each model and batch")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--folder", help="where converted models are kept; a temporary folder if not given")
    options = parser.parse_args()
    cases = []
    for model in options.models:
        summary = vggconv(options.vggconv, "summary", model, "--json")
        size = [summary["inputChannels"], *([options.input] * 2 if options.input else summary["inputSize"])]
        cases += [Case(options, model, size, batch, threads) for batch in options.batch for threads in options.threads]
    print(f"Milliseconds for a batch, the shortest of {options.rounds} x {options.repeat} passes; in brackets vggconv's "
          f"time as a part of it. {machine()}.\n")
    if options.summary:
        print_summary(options, cases)
    else:
        for model in options.models:
            print_table(options, [case for case in cases if case.title.startswith(f"{Path(model).stem}, ")])
    for case in cases:
        for peer, problem in case.missing.items():
            print(f"\n{peer} took no part in {case.title}: {problem}")


if __name__ == "__main__":
    main()
