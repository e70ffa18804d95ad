#!/usr/bin/env python3
"""Compares `vggconv bench` with other programs on the same model and the same pictures.

    Benchmarks/compare.py MODEL.vggw --threads 1 2 --batch 1 8 --folder /tmp/bench

Each of ncnn, onnxruntime (with onnx), openvino, MNN, ai-edge-litert, tensorflow-cpu and opencv-python-headless that pip
has installed takes part; numpy is needed. All get the weights of MODEL in float32 and the same input, so that after the
ReLUs the same values are zero: vggconv does not read the weights of zero inputs of dense layers, the others may do as
they like. Programs take turns, each in a process of its own, so that whatever else the machine does hits all of
them; the shortest pass of all rounds counts. The scores of each must be those of vggconv's reference engine.

Prints a table in Markdown: milliseconds, vggconv's time as a part of the program's, and the largest difference of the
scores from the reference engine's as a part of the largest score.
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


def scores_of(tool, model, folder, shape, engine):
    path = Path(folder) / "input.npz"
    np.savez(path, input=np.ascontiguousarray(pictures(1, *shape[1:]).transpose(0, 2, 3, 1)))
    result = vggconv(tool, "run", model, path, "--engine", engine, "--top", 100000, "--json")["results"][0]
    scores = np.zeros(len(result["top"]))
    for entry in result["top"]:
        scores[entry["class"]] = entry["logit"]
    return scores


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--vggconv", default=str(Path(__file__).parent.parent / ".build/release/vggconv"))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=8)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--folder", help="where converted models are kept; a temporary folder if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / "weights.npz"
        vggconv(options.vggconv, "export", options.model, "--to", "npz", "-o", archive, "-f")
        summary = vggconv(options.vggconv, "summary", options.model, "--json")
        size = [summary["inputChannels"], *summary["inputSize"]]
        expected, ours = (scores_of(options.vggconv, options.model, folder, [1, *size], engine)
                          for engine in ["reference", "fast"])
        columns = [(batch, threads) for batch in options.batch for threads in options.threads]
        best, versions, missing = {}, {}, {}
        errors = {"vggconv": np.abs(ours - expected).max() / np.abs(expected).max()}
        for batch, threads in columns:
            for _ in range(options.rounds):
                report = vggconv(options.vggconv, "bench", options.model, "--threads", threads, "--batch", batch,
                                 "--repeat", options.repeat, "--json")
                key = ("vggconv", batch, threads)
                best[key] = min(best.get(key, np.inf), report["milliseconds"]["min"])
                for peer in options.peers:
                    if peer in missing:
                        continue
                    result, problem = run_peer(peer, archive, folder, [batch, *size], threads, options.repeat)
                    if problem:
                        missing[peer] = problem
                        continue
                    key = (peer, batch, threads)
                    best[key] = min(best.get(key, np.inf), min(result["times"]))
                    versions[peer] = result["version"]
                    scores = np.array(result["scores"])
                    errors[peer] = max(errors.get(peer, 0), np.abs(scores - expected).max() / np.abs(expected).max())
        version = vggconv(options.vggconv, "--version").strip()
    titles = [f"batch {batch}, {threads} thread{'s' if threads > 1 else ''}" for batch, threads in columns]
    print(f"Milliseconds for a batch, the shortest of {options.rounds} x {options.repeat} passes; in brackets vggconv's "
          f"time as a part of it. {machine()}.\n")
    print("| | " + " | ".join(titles) + " | largest difference |")
    print("|---|" + "---:|" * (len(columns) + 1))
    for name in ["vggconv", *[peer for peer in options.peers if peer in versions]]:
        cells = []
        for batch, threads in columns:
            time, ours = best.get((name, batch, threads)), best["vggconv", batch, threads]
            ratio = "" if name == "vggconv" or time is None else f" ({ours / time:.2f})"
            cells.append("" if time is None else f"{time:.1f}{ratio}")
        title = version if name == "vggconv" else f"{name} {versions[name]}"
        print(f"| {title} | " + " | ".join(cells) + f" | {errors[name]:.1e} |")
    for peer, problem in missing.items():
        print(f"\n{peer} took no part: {problem}")


if __name__ == "__main__":
    main()
