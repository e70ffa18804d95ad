#!/usr/bin/env python3
"""Compares `vggconv bench` with other programs on the same models and the same pictures.

    Benchmarks/compare.py vgg16.vggw --threads 1 2
    Benchmarks/compare.py vgg11.vggw vgg19.vggw --batch 1 8 --summary --peers ncnn MNN
    Benchmarks/compare.py vgg16.vggw --precision int8 --isa avx2 --folder cache

Each of ncnn, onnxruntime (with onnx), openvino, MNN, ai-edge-litert, tensorflow-cpu and opencv-python-headless that pip
has installed takes part; numpy is needed. All get the weights of MODEL, which are in float32, and the same input, so that
after the ReLUs the same values are zero: vggconv does not read the weights of zero inputs of dense layers, the others may
do as they like. With `--precision int8`, each program first quantises MODEL to int8 throughout, with the same pictures:
OpenVINO by NNCF (nncf), ONNX Runtime to a static QDQ model, LiteRT by TensorFlow, ncnn as its own tool does it, and MNN by
its converter; vggconv by `quantize`. `Benchmarks/random_model.py` writes networks with random weights.

Programs take turns, each in a process of its own, so that whatever else the machine does hits all of them. A turn in
which other processes took too much of the processors (--noise) is taken again. The first picture's output is compared with
what vggconv's reference engine makes of MODEL in float32.

Prints tables in Markdown: milliseconds, the shortest pass of all rounds and the median of the quietest turn; vggconv's
shortest as a part of the program's; and the largest difference from the reference engine's output as a part of
its largest value. With --summary, only the fastest other program of each case. The exit status is 69 if a program that
--peers names took no part.
"""
import argparse
import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import integer_peers
import peers

PEERS = {"float32": peers.PEERS, "int8": integer_peers.PEERS}


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


def output_of(tool, model, folder, shape, engine, target):
    """The first picture's classes before the softmax, or features. All maps are kept in the file `target`."""
    source = folder / "input.npz"
    np.savez(source, input=np.ascontiguousarray(pictures(1, *shape).transpose(0, 2, 3, 1)))
    vggconv(tool, "run", model, source, "--engine", engine, "--save-activations", folder / target, "-f", "--json")
    saved = np.load(folder / target)
    values = saved["logits"] if "logits" in saved.files else saved[saved.files[-1]]
    # Maps lie channel by channel in the other programs.
    return (values.transpose(0, 3, 1, 2) if values.ndim == 4 else values).reshape(-1).astype(np.float64)


def busy_seconds():
    """The time that all processors have worked since the start of the machine, and that a hypervisor withheld."""
    user, nice, system, _, _, interrupts, softer, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + interrupts + softer + stolen) / os.sysconf("SC_CLK_TCK")


def undisturbed(options, turn):
    """What a turn gives, and which part of a processor others took during it; of the quietest one if none was quiet."""
    best = (None, np.inf)
    for _ in range(options.attempts):
        busy, own, start = busy_seconds(), sum(os.times()[:4]), time.monotonic()
        result = turn()
        others = busy_seconds() - busy - (sum(os.times()[:4]) - own)
        noise = max(0, others / (time.monotonic() - start))
        if noise < best[1]:
            best = (result, noise)
        if noise <= options.noise:
            break
    return best


@contextlib.contextmanager
def locked(path):
    """Holds the lock of flock(1), so that builds and tests that do so, too, wait."""
    if not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    features = [flag for flag in ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile"] if flag in flags]
    return f"{name}, {os.cpu_count()} processors, {' '.join(features)}"


class Case:
    """What is measured of one model, batch and number of threads."""

    def __init__(self, options, folder, model, size, batch, threads):
        self.options, self.folder, self.batch, self.size, self.threads = options, folder, batch, size, threads
        self.times, self.versions, self.errors, self.missing = {}, {}, {}, {}
        self.quietest = {}  # of each program's turns: which part of a processor others took, and the median pass
        self.name = Path(model).stem
        self.title = f"{self.name}, {size[1]}x{size[2]}, batch {batch}"
        self.archive = self.made("weights.npz", "export", model, "--to", "npz")
        self.expected = output_of(options.vggconv, model, folder, size, "reference", "activations.npz")
        self.model = model
        if options.precision == "int8":
            np.savez(folder / "calibration.npz", images=np.ascontiguousarray(pictures(4, *size).transpose(0, 2, 3, 1)))
            self.model = self.made("vggconv-int8.vggw", "quantize", model, "--to", "int8", "--activations", "int8",
                                   "--calibrate", folder / "calibration.npz", "--explain-only")
        self.compare("vggconv", output_of(options.vggconv, self.model, folder, size, "fast", "output.npz"))
        self.isas = {"vggconv": "auto", **{f"vggconv --isa {isa}": isa for isa in options.isa}}
        for peer in options.peers:
            self.peer(peer, 0)

    def made(self, name, *arguments):
        """The path of a file in the folder, which vggconv makes if it is not there."""
        path = self.folder / name
        if not path.exists():
            vggconv(self.options.vggconv, *arguments, "-o", path)
        return path

    def compare(self, program, values):
        self.errors[program] = np.abs(values - self.expected).max() / np.abs(self.expected).max()

    def round(self):
        """A turn of each program."""
        for program, isa in self.isas.items():
            self.add(program, lambda: self.bench(isa))
        for peer in self.options.peers:
            if peer not in self.missing:
                self.add(peer, lambda: self.peer(peer, self.options.repeat))

    def add(self, program, turn):
        milliseconds, noise = undisturbed(self.options, turn)
        if milliseconds:
            self.times[program] = min(self.times.get(program, np.inf), milliseconds[0])
            self.quietest[program] = min(self.quietest.get(program, (np.inf, 0)), (noise, milliseconds[1]))

    def bench(self, isa):
        report = vggconv(self.options.vggconv, "bench", self.model, "--threads", self.threads, "--batch", self.batch,
                         "--input", f"{self.size[1]}x{self.size[2]}", "--repeat", self.options.repeat, "--isa", isa, "--json")
        return report["milliseconds"]["min"], report["milliseconds"]["median"]

    def peer(self, peer, repeats):
        """The shortest and the median pass; without any, only prepares files and compares the output."""
        environment = dict(os.environ, OMP_NUM_THREADS=str(self.threads), TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
        script = Path(__file__).with_name("peers.py")
        shape = "x".join(map(str, [self.batch, *self.size]))
        output, errors = command(
            [sys.executable, str(script), self.options.precision, peer, str(self.archive), str(self.folder), shape,
             str(self.threads), str(repeats)], env=environment)
        if output is None:
            self.missing[peer] = (errors.strip().splitlines() or ["no message"])[-1]
            return None
        result = json.loads(output.strip().splitlines()[-1])
        values = np.load(self.folder / "peer.npy")
        if values.size != self.expected.size:
            self.missing[peer] = f"puts out {values.size} values instead of {self.expected.size}"
            return None
        self.versions[peer] = result["version"]
        self.compare(peer, values)
        return (min(result["times"]), median(result["times"])) if repeats else None

    def ratio(self, peer):
        return self.times["vggconv"] / self.times[peer]


def print_table(options, cases):
    """All programs on one model, a column for each case."""
    titles = [f"{case.title.split(', ')[-1]}, {case.threads} thread{'s' if case.threads > 1 else ''}" for case in cases]
    version = vggconv(options.vggconv, "--version").strip()
    print("| | " + " | ".join(titles) + " | largest difference |")
    print("|---|" + "---:|" * (len(cases) + 1))
    for name in [*cases[0].isas, *options.peers]:
        if not any(name in case.times for case in cases):
            continue
        cells = []
        for case in cases:
            ratio = "" if name in case.isas or name not in case.times else f" ({case.ratio(name):.2f})"
            times = f"{case.times[name]:.1f} / {case.quietest[name][1]:.1f}" if name in case.times else ""
            cells.append(times + ratio)
        versions = [case.versions[name] for case in cases if name in case.versions]
        title = name.replace("vggconv", version) if name in case.isas else f"{name} {versions[0]}"
        # All instruction sets of vggconv give the same bits.
        error = max(case.errors.get("vggconv" if name in case.isas else name, 0) for case in cases)
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
            fastest = min((name for name in case.times if name not in case.isas), key=case.times.get, default=None)
            other = f" ({case.ratio(fastest):.2f} of {fastest}'s {case.times[fastest]:.4g})" if fastest else ""
            cells.append(f"{case.times['vggconv']:.4g}{other}")
        print(f"| {title} | " + " | ".join(cells) + f" | {max(case.errors['vggconv'] for case in row):.1e} |")


def measured_cases(options, scratch):
    cases = []
    for model in options.models:
        summary = vggconv(options.vggconv, "summary", model, "--json")
        size = [summary["inputChannels"], *([options.input] * 2 if options.input else summary["inputSize"])]
        folder = Path(options.folder or scratch) / Path(model).stem
        folder.mkdir(parents=True, exist_ok=True)
        cases += [Case(options, folder, model, size, batch, threads) for batch in options.batch for threads in options.threads]
    for _ in range(options.rounds):
        with locked(options.lock):
            for case in cases:
                case.round()
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL.vggw")
    parser.add_argument("--vggconv", default=str(Path(__file__).parent.parent / ".build/release/vggconv"))
    parser.add_argument("--precision", choices=list(PEERS), default="float32")
    parser.add_argument("--isa", nargs="+", default=[], help="instruction sets that get a row of their own for vggconv")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--input", type=int, help="side of the pictures, for models without dense layers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=8)
    parser.add_argument("--summary", action="store_true", help="one row for each model and batch")
    parser.add_argument("--peers", nargs="+", help="the other programs; those that are installed if not given")
    parser.add_argument("--folder", help="where converted models are kept; a temporary folder if not given")
    parser.add_argument("--noise", type=float, default=0.1, help="how much of a processor others may take in a turn")
    parser.add_argument("--attempts", type=int, default=3, help="how often a turn is taken until it is quiet")
    parser.add_argument("--lock", help="a file to lock during each round, as flock(1) does, where others use the machine")
    options = parser.parse_args()
    asked = options.peers or []
    options.peers = asked or list(PEERS[options.precision])
    if unknown := set(options.peers) - set(PEERS[options.precision]):
        parser.error(f"no program in {options.precision}: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        cases = measured_cases(options, scratch)
    noise = max(noise for case in cases for noise, _ in case.quietest.values())
    print(f"Milliseconds for a batch in {options.precision}: the shortest of {options.rounds} x {options.repeat} passes / the "
          f"median of the quietest turn, in which others took at most {noise:.0%} of a processor; in brackets vggconv's "
          f"shortest as a part of the program's. {machine()}.\n")
    if options.summary:
        print_summary(options, cases)
    else:
        for model in options.models:
            print_table(options, [case for case in cases if case.name == Path(model).stem])
    for case in cases:
        for peer, problem in case.missing.items():
            print(f"\n{peer} took no part in {case.title}, {case.threads} threads: {problem}")
    if any(peer in case.missing for case in cases for peer in asked):
        sys.exit(69)


if __name__ == "__main__":
    main()
