.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install run test check format bench lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv with the locked dependencies (a no-op when nothing changed)

$(STAMP): requirements/dev.txt pyproject.toml client/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e client -e .
	@touch $@

run: install ## embedded Redis, a simulated HubSpot account, service and worker: watch events land
	@$(BIN)/python -m tests.simulator.run

test: install ## all the tests, against real Redis servers that they start themselves
	$(BIN)/python -m pytest

check: install ## format, lint, types, import direction, dead links, lock freshness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m tests.checks.links
	$(BIN)/python -m tests.checks.locks

format: install ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bench: install ## measure change to stream; writes JSON and prints a table
	$(BIN)/python -m tests.bench

lock: install ## resolve the dependencies anew, with hashes
	$(BIN)/python -m tests.checks.locks --write

clean: ## remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
