#!/usr/bin/env bash
# Proves contracts/proofs/*.t.sol with halmos: every check_… function for all arguments at once.
#   scripts/prove.sh                 all
#   scripts/prove.sh LedgerProof     one contract's
#
# Halmos pins packages of its own, so it has its own environment, .venv-prove. docs/proofs.md records the last run.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
HALMOS=0.3.3
CVC5=1.4.2
PROVE=$ROOT/.venv-prove
WORK=$ROOT/build/prove

[ -x "$VENV/bin/python" ] || fail ".venv is missing" "run: make setup"
if [ "$("$PROVE/bin/halmos" --version 2>/dev/null)" != "halmos $HALMOS" ] ||
    ! "$PROVE/bin/python" -c 'import cvc5' 2>/dev/null; then
    step "installing halmos $HALMOS into .venv-prove (1 minute the first time)"
    "$VENV/bin/python" -m venv --clear "$PROVE"
    "$PROVE/bin/pip" install -q --disable-pip-version-check "halmos==$HALMOS" "cvc5==$CVC5"
fi

# A folder of its own, with what the proofs import; out/ and cache/ stay for the next time.
mkdir -p "$WORK"
for name in bin src script proofs; do
    rm -rf "${WORK:?}/$name"
    cp -r "$ROOT/contracts/$name" "$WORK/$name"
done
cp "$ROOT/contracts/proofs/foundry.toml" "$WORK/foundry.toml"
ln -sfn "$ROOT/contracts/node_modules" "$WORK/node_modules"

export PATH="$WORK/bin:$PROVE/bin:$PATH"
step "proving (solc first: a minute; then minutes)"
cd "$WORK"
# 40 turns: more than any loop here has (32 weeks of decay); a bound that is reached fails the proof.
halmos --match-contract "${1:-Proof}" --loop 40 --solver-timeout-branching 100ms \
    --solver-timeout-assertion "${SECONDS_EACH:-600}s" \
    --solver-command "$PROVE/bin/python $ROOT/scripts/smt.py" 2>&1 |
    tee "$ROOT/build/prove.log"
grep -q '; 0 failed' "$ROOT/build/prove.log" && ! grep -q '[1-9][0-9]* failed' "$ROOT/build/prove.log" ||
    fail "not all was proved" "see build/prove.log"
