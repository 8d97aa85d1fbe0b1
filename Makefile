.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
BIN := .venv/bin
RUNNABLE := .venv/.runnable
INSTALLED := .venv/.installed
FUZZABLE := .venv/.fuzzable
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The first Python that is new enough; give your own with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help install run test check format bench chaos fuzz sbom lock settings clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with the locked dependencies (a no-op when nothing changed)

$(RUNNABLE): requirements/run.txt pyproject.toml client/pyproject.toml
	@test -n "$(PYTHON)" || { echo "Callstream needs Python 3.11 or newer, with venv" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv, once" && $(PYTHON) -m venv .venv; }
	@echo "installing the locked dependencies"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation -e client -e .
	@touch $@

$(INSTALLED): $(RUNNABLE) requirements/dev.txt
	@echo "installing what tests and checks need"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(FUZZABLE): $(INSTALLED) requirements/fuzz.txt
	@$(PIP) --require-hashes -r requirements/fuzz.txt
	@touch $@

run: $(RUNNABLE) ## embedded Redis, a simulated HubSpot account, service and worker: watch events land
	@$(BIN)/python -m tests.demo

test: install ## all the tests, against real Redis servers that they start themselves
	$(BIN)/python -m pytest

check: install ## format, lint, types, import direction, dead links, lock freshness, vulnerabilities, contract drift
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m tests.checks.links
	$(BIN)/python -m tests.checks.strays
	$(BIN)/python -m tests.checks.settings
	$(BIN)/python -m tests.checks.locks
	$(BIN)/python -m tests.checks.audit
	$(BIN)/mypy
	$(BIN)/basedpyright

format: install ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bench: install ## measure change to stream; FULL=1 measures imports, backlogs, many accounts too
	$(BIN)/python -m tests.bench $(if $(FULL),--full)

chaos: install ## break everything, one fault after the other; ARGS="--seeds 1,2,3" or names of windows
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(FUZZABLE) ## throw bytes at every decoder, requests at every route; RUNS=10000000
	$(BIN)/python -m tests.fuzz --runs $(or $(RUNS),1000000)
	$(BIN)/python -m pytest tests/integration/test_openapi.py

sbom: install ## write what an image holds to build/sbom.cdx.json (CycloneDX)
	$(BIN)/python -m tests.checks.sbom

lock: install ## resolve the dependencies with hashes; UPGRADE=1 takes the newest of everything
	$(BIN)/python -m tests.checks.locks --write $(if $(UPGRADE),--upgrade)

settings: install ## write docs/settings.md and .env.example from jobs/config/settings.py
	$(BIN)/python -m tests.checks.settings --write

clean: ## remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
