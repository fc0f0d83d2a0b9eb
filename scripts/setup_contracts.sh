#!/usr/bin/env bash
# Installs the contract tools (forge, anvil, solc, OpenZeppelin, solhint) from npm, exactly as package-lock.json says.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v node >/dev/null && command -v npm >/dev/null ||
    fail "node or npm is missing; solc runs on it" "Debian, Ubuntu: apt install nodejs npm (Node 20 or newer)"
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail "Node $(node -v) is too old for the contract tools" "install Node 20 or newer"

step "installing the contract tools from npm"
cd "$ROOT/contracts"
npm ci --no-audit --no-fund --loglevel=error
"$ROOT/contracts/bin/forge" --version >/dev/null ||
    fail "forge does not run on $(uname -m)" "packages exist for Linux on x86-64 and aarch64"
