#!/usr/bin/env bash
# Generated files in the repository are what their generators write today.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

(cd contracts && "$VENV/bin/python" script/export-abi.py --check)
"$VENV/bin/python" tests/vectors/build.py --check
say "ABIs and vectors are up to date"
