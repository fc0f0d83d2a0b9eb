#!/usr/bin/env bash
# Every check that is not a test. All of them run, each with a heading; the end names those that failed.
#   scripts/check.sh             all
#   scripts/check.sh types docs  only these
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
export PATH="$VENV/bin:$PATH"

check_style() { ruff check --quiet . && ruff format --check --quiet . ; }
check_types() { mypy --no-error-summary; }
check_imports() { lint-imports --no-logo; }
check_shell() { local file; for file in scripts/*.sh .ci/run; do bash -n "$file" || return 1; done; }
check_solfmt() { (cd contracts && bin/forge fmt --check); }
check_solhint() { (cd contracts && npx --no-install solhint --max-warnings 0 'src/**/*.sol' 'script/*.sol' 'test/**/*.sol'); }
check_sizes() { python scripts/check_contract_sizes.py; }
check_gas() { (cd contracts && FORGE_SNAPSHOT_CHECK=true bin/forge snapshot --check --match-path test/integration/Gas.t.sol); }
check_generated() { scripts/check_generated.sh; }
check_guests() { python -m blockedge_node.programs.build --verify; }
check_files() { python scripts/check_tracked_files.py; }
check_dependencies() { python scripts/check_dependencies.py; }
check_docs() { python scripts/check_docs.py; }
check_units() { scripts/check_units.sh; }

ALL=(style types imports shell solfmt solhint sizes gas generated guests files dependencies docs units)
failed=()
for name in ${*:-${ALL[@]}}; do
    declare -F "check_$name" >/dev/null || fail "there is no check '$name'" "the checks are: ${ALL[*]}"
    step "$name"
    "check_$name" || failed+=("$name")
done
[ ${#failed[@]} = 0 ] || fail "failed: ${failed[*]}" "again, one by one: make check ONLY=\"${failed[*]}\""
say "all checks passed"
