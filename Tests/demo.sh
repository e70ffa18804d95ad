#!/usr/bin/env bash
# What `make demo` shows: two trained files of one network, from two frameworks, become one native model that is proven
# equal to what Keras computed, runs, and gets small.
set -euo pipefail

vggconv=$(realpath "$1")
fixtures=$(realpath "$(dirname "$0")/../fixtures")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$fixtures" fixtures

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ vggconv %s\n' "$*"; "$vggconv" "$@"; }
digest() { "$vggconv" inspect "$1" --json | sed -n 's/.*"weightsDigest": "\([0-9a-f]*\)".*/\1/p'; }

say "1. A VGG-16 that Keras trained on handwritten digits, and the same network as a Caffe file of 2014's form"
run import fixtures/keras/vgg_d_digits.h5 -o keras.vggw
run import fixtures/caffe/vgg_d_digits_v1.caffemodel -o caffe.vggw

say "2. Both hold the same weights"
printf 'keras.vggw  %s\ncaffe.vggw  %s\n' "$(digest keras.vggw)" "$(digest caffe.vggw)"
[ "$(digest keras.vggw)" = "$(digest caffe.vggw)" ]

say "3. What is in it"
run summary keras.vggw

say "4. It computes what Keras computed"
run verify fixtures/keras/vgg_d_digits.h5 keras.vggw --reference fixtures/refs/keras_vgg_d_digits.npz

say "5. It reads a picture of a seven"
run run keras.vggw fixtures/pictures/digit_7.png --top 3

say "6. It gets small"
run evaluate keras.vggw fixtures/digits_test.npz
run quantize keras.vggw --to int8 -o int8.vggw
run verify fixtures/keras/vgg_d_digits.h5 int8.vggw
run evaluate int8.vggw fixtures/digits_test.npz
run prune int8.vggw --fc 0.7 --max-distance 0.2 -o small.vggw
run evaluate small.vggw fixtures/digits_test.npz

say "7. CI checks its bytes"
"$vggconv" checksum ./*.vggw > SUMS
run checksum --check SUMS
