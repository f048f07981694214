#!/usr/bin/env bash
# Makes the private Python environment of `make conformance`, once per requirements.txt, and prints its interpreter.
#
# It lies in .cache/conformance-<hash of requirements.txt>, takes about half a minute and 500 MB, and holds nothing but what that
# file pins. Nothing of the machine's own Python is used or changed.
set -euo pipefail

repo="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
requirements="$repo/tests/conformance/requirements.txt"
dir="$repo/.cache/conformance-$(sha256sum "$requirements" | cut -c 1-12)"

say() { printf 'conformance: %s\n' "$*" >&2; }

mkdir -p "$repo/.cache"
exec 9>"$dir.lock"
flock 9 # two runs at once make it once
if [ ! -e "$dir/complete" ]; then
  python="$(command -v python3.11 || command -v python3)" || { say "Python is missing: run tests/install.sh"; exit 1; }
  say "installing the vendors' packages into ${dir#"$repo/"} (half a minute, once)"
  rm -rf "$dir"
  "$python" -m venv "$dir"
  "$dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --requirement "$requirements" >&2
  "$dir/bin/python" -m pip check --disable-pip-version-check >&2
  touch "$dir/complete"
fi
echo "$dir/bin/python"
