#!/usr/bin/env bash
# Makes .venv and fills it with exactly the packages of requirements-dev.lock (every file checked by hash).
#
# One package needs more than pip: libp2p pins fastecdsa, which exists as source only and wants a C compiler, Python's
# headers and GMP's. Missing ones are installed with apt when we are root; without root we build against the GMP
# inside gmpy2's wheel; without a compiler we say which line to run.
#
#   PYTHON=/path/to/python3.11   the interpreter to use (default: the first of 3.11, 3.12, 3.13, 3 that is ≥ 3.11)
#   GMP=system|wheel             force one of the two ways to get GMP
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "no Python 3.11 or newer found${PYTHON:+ at PYTHON=$PYTHON}" \
        "Debian, Ubuntu: apt install python3.11 python3.11-venv; or name one: make setup PYTHON=/path/to/python3.11"
}

# compiles HEADER…: do these headers exist for the C compiler?
compiles() {
    local header
    for header in "$@"; do printf '#include <%s>\n' "$header"; done |
        "${CC:-gcc}" -fsyntax-only -x c -I"$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')" - 2>/dev/null
}

install_build_tools() {
    step "installing gcc, Python's headers and libgmp-dev with apt (fastecdsa is built from source)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        gcc libc6-dev python3-dev libgmp-dev >/dev/null
}

# GMP's header and library, taken out of gmpy2's wheel; the rpath makes fastecdsa find it there at run time.
# Not cached: the built file is tied to this .venv.
build_fastecdsa_against_wheel() {
    step "building fastecdsa against the GMP of gmpy2's wheel"
    "$VENV/bin/pip" install -qq --require-hashes --only-binary :all: -r "$ROOT/requirements-gmp.lock"
    local site libs link
    site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
    libs=$site/gmpy2.libs
    link=$(mktemp -d)
    ln -s "$(find "$libs" -name 'libgmp-*.so*' | head -n 1)" "$link/libgmp.so"
    CFLAGS="-I$site/gmpy2" LDFLAGS="-L$link -Wl,-rpath,$libs" \
        "$VENV/bin/pip" install -qq --no-cache-dir --no-deps --require-hashes --no-binary fastecdsa \
        -r <(grep -A 100 '^fastecdsa==' "$ROOT/requirements.lock" | awk 'NR == 1 || /^ /{print} NR > 1 && !/^ /{exit}')
    rm -r "$link"
}

prepare_fastecdsa() {
    if "$VENV/bin/python" -c 'import fastecdsa.curve' 2>/dev/null; then return; fi
    local gmp=${GMP:-}
    if [ -z "$gmp" ]; then
        if ! compiles Python.h gmp.h && may_apt; then install_build_tools || say "apt could not; going on without"; fi
        if compiles Python.h gmp.h; then gmp=system; elif compiles Python.h; then gmp=wheel; fi
    fi
    case $gmp in
        system) ;;  # pip's ordinary build finds everything
        wheel) build_fastecdsa_against_wheel ;;
        *) fail "fastecdsa, which libp2p needs, is built from source, and a C compiler or Python's headers are missing" \
            "run: sudo apt install gcc libc6-dev python3-dev libgmp-dev" ;;
    esac
}

if ! "$VENV/bin/python" -c '' 2>/dev/null; then
    python=$(find_python)
    step "making .venv with $("$python" -V) ($python)"
    "$python" -m venv --clear "$VENV" 2>/dev/null ||
        fail "$python cannot make a virtual environment" "Debian, Ubuntu: apt install python3-venv"
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
prepare_fastecdsa
step "installing the locked Python packages (1 minute the first time)"
"$VENV/bin/pip" install -qq --require-hashes -r "$ROOT/requirements-dev.lock"
step "installing blockedge-node itself, editable"
"$VENV/bin/pip" install -qq --no-deps -e "$ROOT"
# See mypy_path in pyproject.toml: trio's own types, ahead of outdated stubs that libp2p drags in.
mkdir -p "$VENV/typing"
ln -sfn "$("$VENV/bin/python" -c 'import trio; print(trio.__path__[0])')" "$VENV/typing/trio"
"$VENV/bin/pip" check >/dev/null || fail "the installed packages do not fit together" "run: .venv/bin/pip check"
