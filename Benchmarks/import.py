#!/usr/bin/env python3
"""How long an import takes, beside a copy of the file and its SHA-256: the table of docs/benchmarks.md.

    import.py VGGCONV SOURCE [OPTION...]

Runs 'vggconv import SOURCE OPTION...' and 'cp SOURCE; openssl dgst -sha256 SOURCE' in turns, and prints medians and their ratio.
Memory is used and given back in front of each run, so that on a virtual machine neither waits for pages of its host.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 7
WARM_BYTES = 3 << 30


def seconds(command, folder):
    """Wall and processor seconds of a command that must succeed."""
    subprocess.run([sys.executable, "-c", f"bytearray(b'x') * {WARM_BYTES}"], check=True)
    start = time.monotonic()
    with open(os.devnull, "w") as nothing:
        process = subprocess.Popen(command, cwd=folder, stdout=nothing, stderr=nothing)
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: not close to the source, but written
        sys.exit(f"failed: {command}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    tool, source = (os.path.abspath(path) for path in sys.argv[1:3])
    with tempfile.TemporaryDirectory(dir=os.path.dirname(source)) as folder:
        commands = {
            "vggconv import": [tool, "import", "-f", source, "-o", "model.vggw"] + sys.argv[3:],
            "cp, openssl": ["sh", "-c", 'cp -f "$0" copy && openssl dgst -sha256 "$0"', source],
        }
        times = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                times[name].append(seconds(command, folder))
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in times.items()}
    for name, (wall, processor) in medians.items():
        print(f"{name}: {wall:.2f} s, processor {processor:.2f} s")
    ours, theirs = (row[0] for row in medians.values())
    print(f"ratio: {ours / theirs:.2f}")


main()
