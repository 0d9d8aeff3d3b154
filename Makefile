# Tournée: from a fresh clone, with Python >= 3.11 and make, each of these works at once. `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# The interpreter that makes the environments: the first on the path that is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
# The interpreters that `make test` runs the suite with, by default each one that is present. PYTHONS="python3.12" chooses.
PYTHONS ?=
# What goes to pytest: make test ARGS="tests/unit -k lease".
ARGS ?=
ONCE ?=
# How long `make chaos` runs, and the seed of its plan; without a seed it takes one and prints it.
MINUTES ?= 10
SEED ?=
# What `make bench` measures, one after the other: modules of benchmarks/, with their words. BENCHES="recovery" chooses.
BENCHES ?= embedded engine fairness:wait fairness:relay log_lines alerts recovery rescue growth

BIN := .venv/bin

.PHONY: help setup demo test chaos bench check format lock clean python

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

setup: python ## make .venv with everything, locked by hash
	@$(PYTHON) requirements/install.py dev
	@$(PYTHON) .ci/board.py

demo: python ## set up what running needs and show the whole system at work; ONCE=1 ends by itself
	@$(PYTHON) requirements/install.py run
	@$(PYTHON) .ci/board.py
	@$(BIN)/tournee demo $(if $(ONCE),--once)

test: python ## set up and run the whole suite on each interpreter present
	@$(PYTHON) requirements/install.py dev
	@$(PYTHON) .ci/board.py
	@.ci/browser
	@$(PYTHON) .ci/suite.py $(foreach p,$(PYTHONS),--python $(p)) -- $(ARGS)

chaos: python ## the fault matrix on real processes and servers; MINUTES=10 SEED=7
	@$(PYTHON) requirements/install.py dev
	@$(PYTHON) .ci/board.py
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) --report .setup/chaos-report.json

bench: python ## the benchmarks, each with its goal and its machine; BENCHES="engine recovery" chooses
	@$(PYTHON) requirements/install.py dev
	@failed=""; \
	for bench in $(BENCHES); do \
		echo "== $$bench" >&2; \
		$(BIN)/python -m benchmarks.$$(echo "$$bench" | tr ':' ' ') || failed="$$failed $$bench"; \
	done; \
	if [ -n "$$failed" ]; then echo "bench: failed:$$failed" >&2; exit 1; fi

check: python ## lint, format, types, import contracts, house rules
	@$(PYTHON) requirements/install.py dev
	@failed=""; \
	try() { echo "$$*" >&2; "$(BIN)/$$@" || failed="$$failed $$1"; }; \
	try ruff check . ; \
	try ruff format --check . ; \
	try mypy ; \
	try lint-imports ; \
	try python -m pytest -q -p no:cacheprovider tests/tidy ; \
	if [ -n "$$failed" ]; then echo "check: failed:$$failed" >&2; exit 1; fi

format: python ## let ruff mend what it can
	@$(PYTHON) requirements/install.py dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: python ## resolve pyproject.toml again into requirements/*.txt, for all supported Pythons and systems
	@$(PYTHON) requirements/install.py dev
	@$(PYTHON) requirements/lock.py

clean: ## remove all that make and the tools have made
	rm -rf .venv .setup .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache board/node_modules

python:
	@test -n "$(PYTHON)" || { echo "make: no Python >= 3.11 was found; install one, or say where: make PYTHON=/path/to/python3" >&2; exit 3; }
