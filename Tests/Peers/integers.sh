#!/usr/bin/env bash
# Runs the layers of integers in LiteRT, tflite-micro and ONNX Runtime from PyPI once more and compares what they make of them with
# fixtures/integer/layers.npz, byte for byte; then every layer of the trained networks, with what VGGCONV makes of them. Versions of the
# packages may be chosen: integers.sh VGGCONV ai-edge-litert==2.3.0 ...
# Needs a processor with VNNI, without which ONNX Runtime's sums may saturate.
# Exit status: 0 if all is the same, 1 if a runtime makes something else of a layer, 69 if a package cannot be had.
set -euo pipefail
vggconv=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
packages=(ai-edge-litert tflite-micro onnxruntime onnx flatbuffers numpy "$@")

python3 -m venv "$folder/venv"
# tflite-micro has only versions that pip calls unfinished.
"$folder/venv/bin/pip" install -q --disable-pip-version-check "${packages[@]}" 2> "$folder/log" || {
  cat "$folder/log" >&2
  echo "integers.sh: nothing was compared: pip cannot install ${packages[*]}" >&2
  exit 69
}
"$folder/venv/bin/pip" list --disable-pip-version-check 2> /dev/null | grep -E '^(ai-edge-litert|tflite_micro|onnxruntime|onnx|numpy) '

PYTHONDONTWRITEBYTECODE=1 "$folder/venv/bin/python" fixtures/generators/integer_layers.py "$folder/layers.npz" \
  > "$folder/output" 2> "$folder/log" || {
  cat "$folder/output"
  grep -vE '^(INFO|W0000)' "$folder/log" >&2 || true
  exit 1
}
tail -n 1 "$folder/output"
cmp fixtures/integer/layers.npz "$folder/layers.npz" || {
  echo "integers.sh: the runtimes follow the rules, but make other codes than those recorded" >&2
  exit 1
}
echo "$(wc -c < fixtures/integer/layers.npz) bytes are the same as those recorded"

PYTHONDONTWRITEBYTECODE=1 "$folder/venv/bin/python" Tests/Peers/integer_networks.py "$vggconv" 2> "$folder/log" || {
  grep -vE '^(INFO|W0000)' "$folder/log" >&2 || true
  exit 1
}
