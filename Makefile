# Two commands do everything on a machine with Python 3.11 and make: `make demo` and `make test`.
# uv installs inside .venv; where it cannot reach an index, pip does the same work.
PYTHON ?= python3
BIN := .venv/bin
PROJECTS := pyproject.toml src/stillwatch_range/pyproject.toml
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit bench clean lock

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

demo: .venv/.run ## simulate two providers and a campaign, detect it, print the table, write the report
	@$(BIN)/stillwatch demo

test: lint types unit ## everything that CI runs: lint, types, import contracts, tests, coverage

lint: .venv/.dev ## ruff and the import contracts
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/lint-imports

types: .venv/.dev ## mypy, strict
	$(BIN)/mypy

unit: .venv/.dev ## the tests, with branch coverage of src/
	$(BIN)/pytest -n auto --cov --cov-report=term

bench: .venv/.dev ## the benchmarks of benchmarks/README.md (minutes)
	$(BIN)/python benchmarks/run.py

clean: ## remove what the commands above made
	rm -rf .venv out test-artifacts .mypy_cache .ruff_cache

.venv/.uv:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv || echo "uv is not to be had here; going on with pip"
	@touch $@

.venv/.run: .venv/.uv $(PROJECTS)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e . -e src/stillwatch_range \
	  || $(BIN)/pip install --quiet -e . -e src/stillwatch_range
	@touch $@

.venv/.dev: .venv/.uv $(PROJECTS)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]' -e src/stillwatch_range \
	  || $(BIN)/pip install --quiet -e '.[dev]' -e src/stillwatch_range
	@touch $@ .venv/.run
