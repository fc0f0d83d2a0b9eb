#!/usr/bin/env bash
# Writes the lock files from pyproject.toml: versions and hashes of every package, for every platform at once.
#
#   requirements.lock         what a node needs to run
#   requirements-dev.lock     that, the demo, the experiments and the tools (what `make setup` installs)
#   requirements-gmp.lock     GMP for machines without libgmp-dev and without root
#   requirements-guests.lock  the C compiler for WASM programs
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

UV_VERSION=0.13.9
tools=$(mktemp -d)
trap 'rm -r "$tools"' EXIT
"$VENV/bin/python" -m venv "$tools/venv"
"$tools/venv/bin/pip" install -q "uv==$UV_VERSION"

compile() {  # compile OUTPUT SOURCE [OPTION…]
    local output=$1 source=$2
    shift 2
    step "$output"
    "$tools/venv/bin/uv" pip compile -q --universal --generate-hashes --no-annotate --python-version 3.11 \
        --custom-compile-command "make lock" --no-emit-index-url --output-file "$output" "$@" "$source"
}

cd "$ROOT"
compile requirements.lock pyproject.toml
compile requirements-dev.lock pyproject.toml --extra dev
printf 'gmpy2==2.3.2\n' >"$tools/gmp.in"
compile requirements-gmp.lock "$tools/gmp.in"
sed -n 's/^guests = \["\(.*\)"\]$/\1/p' pyproject.toml >"$tools/guests.in"
compile requirements-guests.lock "$tools/guests.in"
