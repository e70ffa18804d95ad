#!/usr/bin/env bash
# Networks of full size, from a source file to a proven model: full-size.sh VGGCONV
#
# Writes about 3 GB to a temporary folder (TMPDIR), and needs python3-numpy and python3-h5py.
set -euo pipefail
vggconv=$(realpath "${1:?usage: full-size.sh VGGCONV}")
package=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import h5py, numpy' || { echo "install python3-h5py and python3-numpy, or set PYTHON" >&2; exit 69; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

digest() { "$vggconv" inspect "$1" --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["weightsDigest"])'; }

for net in D E; do
  echo "== VGG $net"
  "$python" "$package/Benchmarks/random_model.py" "$net" source.h5
  # Private memory does not grow with the model: 64 MB of it are enough for 550 MB.
  (ulimit -d 65536; "$vggconv" import source.h5 -o model.vggw --force --quiet)
  [ "$(digest source.h5)" = "$(digest model.vggw)" ]
  "$vggconv" verify source.h5 model.vggw --quiet | tail -n 1 | tee verdict
  grep -q '^EXACT' verdict
  for precision in fp16 int8; do
    (ulimit -d 65536; "$vggconv" import source.h5 -o small.vggw --force --to "$precision" --quiet | tail -n 1)
    "$vggconv" verify source.h5 small.vggw --quiet | tail -n 1 | tee verdict
    grep -q '^EQUIVALENT' verdict
  done
  "$vggconv" checksum model.vggw small.vggw > SUMS
  "$vggconv" checksum --check SUMS
  # One flipped bit, in the middle of 500 MB, is found.
  cp model.vggw damaged.vggw
  "$python" -c 'f = open("damaged.vggw", "r+b"); f.seek(200_000_000); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 1]))'
  if "$vggconv" verify source.h5 damaged.vggw --quiet > verdict; then
    echo "a flipped bit was not found" >&2
    exit 1
  fi
done
echo "all is well"
