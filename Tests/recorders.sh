#!/usr/bin/env bash
# Runs the recorders of schemas/recorders with real Keras 3 and tf_keras, and lets `vggconv verify` judge by what they record.
set -euo pipefail

vggconv=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fixtures=$(dirname "$0")/../fixtures
recorders=$(dirname "$0")/../schemas/recorders
export TF_CPP_MIN_LOG_LEVEL=3

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras tensorflow-cpu tf_keras h5py

"$vggconv" import "$fixtures/keras/vgg_d_digits.h5" -o "$folder/model.vggw" -q
for arguments in "$fixtures/keras/vgg_d_digits.keras" "$fixtures/keras/vgg_d_digits_full.h5 --tf-keras"; do
  # shellcheck disable=SC2086
  "$folder/venv/bin/python" "$recorders/record_keras.py" $arguments -o "$folder/activations.npz"
  "$vggconv" verify "$fixtures/keras/vgg_d_digits.h5" "$folder/model.vggw" --reference "$folder/activations.npz"
done
