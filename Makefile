# Everything sets itself up: `make demo` and `make test` work in a fresh clone with Python and make.
PYTHON ?= $(shell for v in python3 python3.13 python3.12 python3.11; do \
	$$v -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$v && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(READY) ## refresh the sample data set hypothyroid: validate, repair, publish, train, report
	@$(BIN)/assay run hypothyroid

test: $(READY) ## run all tests, on as many as four cores
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 4

check: $(READY) ## lint, types, import contracts
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

bench: $(READY) ## measure against named peers, in one run
	@$(BIN)/python -m benchmarks

docs: $(READY) ## build the documentation into build/docs/index.html
	@$(BIN)/python -m sphinx -q -W --keep-going docs build/docs && echo build/docs/index.html

lock: ## renew requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		-q pyproject.toml --group dev --group docs -o requirements.lock

clean: ## delete the environment, runs and published versions
	rm -rf $(VENV) data/runs data/published

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Assay needs Python 3.11, 3.12 or 3.13; set PYTHON=/path/to/python" >&2; exit 2; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version): 2 to 4 minutes, once"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q flows pipeline
	@$(BIN)/python -m pipeline.neighbours
	@$(BIN)/python -m pipeline.runs
	@touch $@
