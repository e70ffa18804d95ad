#!/usr/bin/env bash
# Runs what vggconv exports in the programs that it is for, and imports what these write: run.sh VGGCONV [FORMAT...], all formats
# unless some are named. The programs come from PyPI, into a folder that is kept for the next time: INTEROP_VENV, or .build/interop.
# Exit status: 0 if all is as it must be, 1 if not, 69 if a program cannot be had.
set -euo pipefail
vggconv=$(realpath "$1")
shift
cd "$(dirname "$0")"
venv=${INTEROP_VENV:-$PWD/../../.build/interop}

if ! cmp -s requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt > "$log" 2>&1 || {
    cat "$log" >&2
    echo "run.sh: nothing was compared: pip cannot install what requirements.txt lists" >&2
    exit 69
  }
  cp requirements.txt "$venv/"
fi

[ $# -gt 0 ] || set -- $(ls ./*.py | sed 's|./||; s|\.py$||')
failed=()
for format; do
  printf '\n-- %s\n' "$format"
  # -P: the scripts have the names of the packages that they import.
  TF_CPP_MIN_LOG_LEVEL=3 PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" -P "$format.py" "$vggconv" || failed+=("$format")
done
echo
[ ${#failed[@]} -eq 0 ] || { echo "run.sh: failed: ${failed[*]}"; exit 1; }
echo "all as they must be: $*"
