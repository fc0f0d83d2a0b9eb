#!/usr/bin/env bash
# The golden table (tests/golden) on aarch64: real Cranelift aarch64 code, run by qemu's user emulation; and the system
# calls that this takes, which the filter of executor/seccomp.py must let through.
#
# Needs apt (to read Debian's package lists; nothing foreign is installed), dpkg, pip from .venv, the network at the
# first run, and qemu-aarch64 (installed with apt when we are root). Everything it fetches stays in build/arm:
#   apt/     package lists and packages of Debian's arm64, with a private apt state
#   root/    Python 3.11 for aarch64 and what it links to, unpacked
#   site/    the aarch64 wheels of wasmtime and of what hashing needs, at the versions of requirements.lock
#
#   make test-arm ARGS=--fresh   fetch everything anew
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ARM=$ROOT/build/arm
PACKAGES=(python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libgcc-s1 zlib1g libexpat1 libffi8
    libssl3 libbz2-1.0 liblzma5 libuuid1)
WHEELS=(wasmtime pycryptodome eth-hash eth-typing typing-extensions)

[ "${1:-}" != --fresh ] || rm -rf "$ARM"
mkdir -p "$ARM"

if ! command -v qemu-aarch64 >/dev/null; then
    may_apt || fail "qemu-aarch64 is missing" "run: sudo apt install qemu-user"
    step "installing qemu-user with apt"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-user >/dev/null
fi
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || fail "$tool is missing" "this script takes aarch64's Python from Debian 12: run it there"
done

if [ ! -x "$ARM/root/usr/bin/python3.11" ]; then
    step "fetching Python 3.11 for aarch64 from Debian 12"
    rm -rf "$ARM/root" && mkdir -p "$ARM"/apt/{state/lists/partial,cache/archives/partial,debs} "$ARM/root"
    : >"$ARM/apt/state/status"
    cat >"$ARM/apt/sources.list" <<-LIST
	deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
	deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
	LIST
    cat >"$ARM/apt/apt.conf" <<-CONF
	Dir::State "$ARM/apt/state";
	Dir::State::status "$ARM/apt/state/status";
	Dir::Cache "$ARM/apt/cache";
	Dir::Etc::sourcelist "$ARM/apt/sources.list";
	Dir::Etc::sourceparts "-";
	APT::Architecture "arm64";
	APT::Architectures { "arm64"; };
	APT::Sandbox::User "";
	CONF
    export APT_CONFIG=$ARM/apt/apt.conf
    apt-get update -qq
    (cd "$ARM/apt/debs" && apt-get download -qq "${PACKAGES[@]}")
    unset APT_CONFIG
    for package in "$ARM"/apt/debs/*.deb; do dpkg-deb -x "$package" "$ARM/root"; done
fi

if [ ! -d "$ARM/site/wasmtime" ]; then
    step "fetching the aarch64 wheels"
    rm -rf "$ARM/wheels" "$ARM/site"
    for name in "${WHEELS[@]}"; do
        # the pinned version with the hashes of all its files, as the lock has them
        awk -v name="$name" '/^[^ #]/ { keep = index($0, name "==") == 1 } keep && !/^ *#/' "$ROOT/requirements.lock"
    done >"$ARM/wheels.lock"
    [ "$(grep -c '==' "$ARM/wheels.lock")" = "${#WHEELS[@]}" ] ||
        fail "requirements.lock does not name all of: ${WHEELS[*]}" "bring WHEELS in scripts/test_arm.sh up to date"
    "$VENV/bin/pip" download -qq --no-deps --only-binary :all: --require-hashes -r "$ARM/wheels.lock" -d "$ARM/wheels" \
        --python-version 311 --implementation cp --abi cp311 --abi abi3 --abi none \
        --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux_2_28_aarch64
    for wheel in "$ARM"/wheels/*.whl; do "$VENV/bin/python" -m zipfile -e "$wheel" "$ARM/site"; done
fi

PYTHON=(-L "$ARM/root" -E "PYTHONPATH=$ARM/site" "$ARM/root/usr/bin/python3.11" -B)  # -B: no bytecode of another Python

step "running the golden table on aarch64 ($(qemu-aarch64 --version | head -n 1))"
qemu-aarch64 "${PYTHON[@]}" "$ROOT/tests/golden/build.py" --check

step "comparing the system calls of a run with what seccomp lets through"
# As the executor starts its children: with a heap for each thread, glibc would open a file (children.py).
qemu-aarch64 -strace -E MALLOC_ARENA_MAX=1 "${PYTHON[@]}" "$ROOT/tests/golden/calls.py" >/dev/null 2>"$ARM/calls.log"
"$VENV/bin/python" -B "$ROOT/tests/golden/calls.py" --check "$ARM/calls.log"
