# `make` alone prints this list. Two commands are enough to see BlockEdge work: make demo, make test.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
FORGE := cd contracts && bin/forge
# Test files at a time: one for each core of the smallest machine we promise anything for.
WORKERS ?= 2

# Stamps say which lock files and package description the installed tools correspond to.
PYTHON_READY := .venv/.setup-done
CONTRACTS_READY := contracts/node_modules/.setup-done

.PHONY: help
help:  ## this list
	@echo "BlockEdge: edge nodes buy and sell computation without trusting each other."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "After setup: .venv/bin/blockedge --help   ·   start reading at README.md"

# ---- set up -------------------------------------------------------------------------------------

.PHONY: setup
setup: $(PYTHON_READY) $(CONTRACTS_READY)  ## install what is missing: .venv, contract tools; quick when nothing changed

$(PYTHON_READY): requirements-dev.lock requirements-gmp.lock pyproject.toml scripts/setup_python.sh
	@scripts/setup_python.sh
	@touch $@

$(CONTRACTS_READY): contracts/package-lock.json scripts/setup_contracts.sh
	@scripts/setup_contracts.sh
	@touch $@

# ---- see it work --------------------------------------------------------------------------------

.PHONY: demo
demo: setup  ## a chain, five nodes, a real job, two cheats, a refuser and a jury: one story with figures
	@.venv/bin/blockedge devnet demo

.PHONY: verdicts
verdicts: setup  ## ten nodes and every cheat, side by side: who is caught, who pays; ARGS="--only lazy" for some
	@.venv/bin/blockedge devnet verdicts $(ARGS)

# ---- test ---------------------------------------------------------------------------------------

.PHONY: test
test: setup test-contracts test-py  ## all tests: contracts with forge, everything else with pytest

.PHONY: test-contracts
test-contracts: $(CONTRACTS_READY)  ## the contracts' unit, flow, fuzz and invariant tests
	@mkdir -p build
	@$(FORGE) test 2>&1 | tee ../build/forge.log

.PHONY: test-py
test-py: setup  ## the Python tests; narrow them with ARGS="tests/core -k worker"
	@mkdir -p build
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --junitxml=build/pytest.xml $(ARGS)

.PHONY: test-arm
test-arm: setup  ## the golden table under qemu-aarch64: same stdout, fuel, memory, stack depth; ARGS=--fresh fetches anew
	@scripts/test_arm.sh $(ARGS)

.PHONY: test-foreign
test-foreign: setup  ## programs of others, unmodified: resvg and CPython 3.12 (26 MB), minutes the first time
	@scripts/test_foreign.sh $(ARGS)

.PHONY: golden
golden: setup  ## tests/golden/guests.json: only with a new engine id or a rebuilt guest
	@$(PY) tests/golden/build.py

.PHONY: check
check: setup  ## style, types, import rules, sizes, gas, generated files, docs; one of them: make check ONLY=types
	@scripts/check.sh $(ONLY)

.PHONY: audit
audit: setup  ## static analysis of the contracts with slither, in an environment of its own
	@scripts/slither.sh

.PHONY: prove
prove: setup  ## prove with halmos that every ending moves exactly the money it should; ARGS=LedgerProof for one
	@scripts/prove.sh $(ARGS)

.PHONY: mutants
mutants: setup  ## break the money code line by line and see the tests notice; ARGS="Ledger Court" for some files
	@$(PY) scripts/mutants.py $(ARGS)

.PHONY: fmt
fmt: setup  ## format Python and Solidity, fix what ruff can fix
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .
	@$(FORGE) fmt

# ---- generated files ----------------------------------------------------------------------------

.PHONY: abi
abi: setup  ## contracts → blockedge_node/chain/abi/*.json
	@cd contracts && ../$(PY) script/export-abi.py

.PHONY: vectors
vectors: setup  ## tests/vectors/*.json, read by pytest and by forge
	@$(PY) tests/vectors/build.py

.PHONY: lock
lock:  ## pin requirements*.lock anew after a change in pyproject.toml
	@scripts/lock.sh

.PHONY: guests
guests: setup  ## rebuild the WASM programs from their C source (needs the 400 MB extra `guests`) and compare
	@.venv/bin/pip install -q --require-hashes -r requirements-guests.lock
	@$(PY) -m blockedge_node.programs.build --check

# ---- measure, read ------------------------------------------------------------------------------

.PHONY: bench
bench: setup  ## the figures of docs/benchmarks.md: gas, negotiation, idle cost, executor overhead
	@for what in gas negotiate idle executor; do .venv/bin/blockedge bench $$what; done

.PHONY: docs
docs:  ## check that every link and every command the documents name exists
	@$(PY) scripts/check_docs.py

.PHONY: clean
clean:  ## remove caches and build output, keep what setup installed
	@rm -rf build dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
		contracts/out contracts/cache contracts/broadcast
	@find blockedge_node tests scripts -name __pycache__ -prune -exec rm -rf {} +
