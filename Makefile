# Every target but `setup` needs nothing before it: it makes the environment first.
.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint unit integration integration-data integration-processes guarantees test-faults bench lock chaos chaos-mutants soak

# The first Python that fits: 3.11 to 3.14 (the embedded Postgres has wheels for these).
PYTHON := $(shell for name in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
	>/dev/null 2>&1 && { echo $$name; break; }; done)
VENV := .venv/bin

help:  ## show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup:  ## make .venv from the locked requirements
	@$(if $(PYTHON),,$(error No Python from 3.11 to 3.14 was found: install one (with its venv module)))
	@$(PYTHON) deploy/local/setup.py

demo: setup  ## start everything, summarize a short and a long text, check it all, stop
	@$(VENV)/precis demo

up: setup  ## start everything and keep it until Ctrl-C
	@$(VENV)/precis up

test: lint unit integration guarantees  ## lint, types, contracts, and all tests but `test-faults`

lint: setup  ## format, lint, types, import contracts
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-cache

unit: setup  ## the fast tests: no I/O
	@$(VENV)/python -m pytest -q tests/unit tests/architecture

integration: setup  ## the tests on real parts, end to end included; two halves side by side
	@$(MAKE) --no-print-directory -j 2 integration-data integration-processes

# Each half starts servers of its own. A new folder falls into the second.
DATA := $(addprefix tests/integration/,gateway jobs migrations notifier precis) tests/model

integration-data:
	@$(VENV)/python -m pytest -q $(DATA)

integration-processes:
	@$(VENV)/python -m pytest -q tests/contract tests/integration tests/journeys \
		$(addprefix --ignore=,$(DATA))

# Alone: who is killed and frozen should not also have to wait for a processor.
guarantees: setup  ## each failpoint under each fault, and a small chaos, before the judge
	@$(VENV)/python -m pytest -q tests/faults/failpoints tests/chaos

test-faults: setup  ## real faults on real processes: the matrix and the figures
	@$(VENV)/python -m pytest -q tests/faults tests/figures --ignore=tests/faults/failpoints

bench: setup  ## measure side by side; results in benchmarks/results
	@$(VENV)/python -m benchmarks

chaos: setup  ## break everything once a second: JOBS= SECONDS= SEED= FAULTS= SMALL_FS=
	@$(VENV)/python -m tests.chaos $(if $(JOBS),--jobs $(JOBS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(SMALL_FS),--small-fs $(SMALL_FS))

chaos-mutants: setup  ## prove the checker: five broken systems, five failures
	@$(VENV)/python -m tests.chaos mutants $(if $(SEED),--seed $(SEED))

soak: setup  ## half the load for MINUTES=10, and what memory does
	@$(VENV)/python -m tests.chaos soak $(if $(MINUTES),--minutes $(MINUTES))

lock: setup  ## renew requirements/*.txt from pyproject.toml
	@$(VENV)/python deploy/local/lock.py
