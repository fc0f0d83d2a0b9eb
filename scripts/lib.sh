# Shared by the shell scripts: where the repository is, and how they speak.
# shellcheck shell=bash
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }

# fail WHAT [WHAT TO DO]: one sentence each, on stderr, exit 1.
fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
    exit 1
}

# May this script install Debian packages without asking anybody?
may_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
