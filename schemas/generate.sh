#!/usr/bin/env bash
# Generates the C code of the protobuf schemas: generate.sh [ROOT], where ROOT is the package (the default) or an empty
# folder to compare with it.
set -euo pipefail
schemas=$(cd "$(dirname "$0")" && pwd)
root=${1:-$schemas/..}

generate() { # SCHEMA TARGET
  [ -f "$schemas/$1.proto" ] || return 0
  local target="$root/Sources/$2"
  mkdir -p "$target/include"
  protoc-c --proto_path="$schemas" --c_out="$target" "$1.proto"
  mv "$target/$1.pb-c.h" "$target/include/"
}

generate caffe CCaffe
generate vggw CVGGManifest
