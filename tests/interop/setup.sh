#!/bin/sh
# Installs what the interop tests need, next to this file: node_modules and .venv. Quiet; does nothing when
# what is there was made from the same lists (.stamp holds their digest).
set -eu
cd "$(dirname "$0")"

wanted=$(cat package-lock.json requirements.txt | cksum)
if [ -f .stamp ] && [ "$(cat .stamp)" = "$wanted" ]; then
  exit 0
fi
rm -f .stamp

log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() {
  cat "$log" >&2
  echo "error: setup of tests/interop failed: $1" >&2
  exit 1
}

npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >"$log" 2>&1 || fail "npm ci"
python3 -m venv --clear .venv >"$log" 2>&1 || fail "python3 -m venv"
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt >"$log" 2>&1 || fail "pip install"

echo "$wanted" >.stamp
