#!/usr/bin/env bash
# Fuzzes the readers with libFuzzer, one after the other: fuzz.sh SECONDS [TARGET[:SHARE]]…
#
# SECONDS is for all targets together. A target with a share gets so many times the seconds of one without; the default is
# every target, the two importers with more. What is found goes to .build/fuzz-corpus; an input that makes a reader
# fail goes to FailCases, where the tests replay it ever after. The status is 0 where nothing failed.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
seconds=${1:?usage: fuzz.sh SECONDS [TARGET[:SHARE]]...}
shift
[ $# -gt 0 ] || set -- caffe:4 onnx:4 keras:4 prototxt:2 configuration catalogue signature tflite:2 native zip numpy json pickle safetensors picture

# AddressSanitizer first: in the other order the fuzzer is built, runs and sees nothing. The parts under test are not public.
swift build --package-path . --scratch-path "$root/.build/fuzz" -c release --sanitize=address --sanitize=fuzzer \
  -Xswiftc -enable-testing --product fuzz
fuzzer=$root/.build/fuzz/release/fuzz

# Swift's crash reporter would wait on the pipe of a process that libFuzzer is about to end.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=detect_leaks=1

shares=0
for target in "$@"; do [[ $target == *:* ]] && shares=$((shares + ${target#*:})) || shares=$((shares + 1)); done
status=0
for item in "$@"; do
  target=${item%:*}
  [[ $item == *:* ]] && share=${item#*:} || share=1
  found=$root/.build/fuzz-corpus/$target
  mkdir -p "$found" "FailCases/$target"
  options=(-max_total_time=$((seconds * share / shares + 1)) -max_len=16384 -timeout=60 -rss_limit_mb=1024
    -malloc_limit_mb=128 -print_final_stats=1 -verbosity=1 -artifact_prefix="FailCases/$target/")
  [ ! -f "Dictionaries/$target" ] || options+=(-dict="Dictionaries/$target")
  printf '\n== %s\n' "$target"
  seeds=("Corpus/$target")
  log=$root/.build/fuzz-corpus/$target.log
  VGGCONV_FUZZ_TARGET=$target "$fuzzer" "${options[@]}" "$found" "${seeds[@]}" >"$log" 2>&1 || status=1
  grep -E 'cov:' "$log" | tail -1 || true
  grep -E 'stat::number_of_executed_units|stat::average_exec|stat::peak_rss' "$log" || true
  grep -E 'SUMMARY|Test unit written|Fatal error|Precondition' "$log" || true
  rmdir --ignore-fail-on-non-empty "FailCases/$target"
done
exit $status
