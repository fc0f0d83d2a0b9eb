#!/usr/bin/env bash
# Static analysis of contracts/src with slither; fails on any high or medium finding that
# docs/decisions/0009-slither.md does not argue away, and on an argued one that is gone. About a minute.
#
# Slither holds web3 at an older version than the node's, so it has its own environment, .venv-audit.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SLITHER=0.11.6
AUDIT=$ROOT/.venv-audit
WORK=$ROOT/build/slither

[ -x "$VENV/bin/python" ] || fail ".venv is missing" "run: make setup"
if [ "$("$AUDIT/bin/slither" --version 2>/dev/null)" != "$SLITHER" ]; then
    step "installing slither $SLITHER into .venv-audit (1 minute the first time)"
    "$VENV/bin/python" -m venv --clear "$AUDIT"
    "$AUDIT/bin/pip" install -q --disable-pip-version-check "slither-analyzer==$SLITHER"
fi

# Slither cleans and rebuilds: in its own folders, not in contracts/out, which the tests deploy from.
mkdir -p "$WORK"
rm -f "$WORK/findings.json"
export PATH="$ROOT/contracts/bin:$AUDIT/bin:$PATH" FOUNDRY_OUT=$WORK/out FOUNDRY_CACHE_PATH=$WORK/cache
step "analysing contracts/src"
(cd "$ROOT/contracts" && slither . --filter-paths 'node_modules|test/|script/' --fail-none \
    --exclude-informational --exclude-optimization --json "$WORK/findings.json") >"$WORK/slither.log" 2>&1 ||
    fail "slither failed" "see $WORK/slither.log"
"$VENV/bin/python" "$ROOT/scripts/slither_findings.py" "$WORK/findings.json"
