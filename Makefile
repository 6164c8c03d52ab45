# `make help` lists what there is. Everything runs in .venv, which is made from the lock file.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test sweep reproduce laboratory tensorboard check test-slow mutants lock clean

PYTHON ?= python3
UV ?= uv
SCALE ?= smoke
# The laboratory's own scale unless one is asked for.
LABORATORY_SCALE := $(if $(filter file,$(origin SCALE)),,scale=$(SCALE))
# Tests at the same time, each file's on one of them; many of them wait for processes.
JOBS ?= 3

VENV := .venv
BIN := $(VENV)/bin
# TensorFlow with CUDA where an NVIDIA driver answers.
LOCK := $(if $(shell nvidia-smi -L 2>/dev/null),requirements-cuda.lock,requirements.lock)
PACKAGES := $(VENV)/made-from-$(LOCK)
READY := $(VENV)/ready

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY)  ## make the environment and train one network on images that need no download
	$(BIN)/bnrepro run model=inception bn=x5
	@echo
	@echo "To have the command bnrepro in this shell: source $(BIN)/activate"

test: $(READY)  ## make the environment and run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

sweep: $(READY)  ## the five rows of the paper's table (SCALE=smoke, cpu, gpu or paper)
	$(BIN)/bnrepro sweep study=rows scale=$(SCALE)

reproduce: $(READY)  ## every study, then every figure, table and the report (some 50 hours on 2 cores)
	commands=$$($(BIN)/bnrepro report --commands) && PATH="$(CURDIR)/$(BIN):$$PATH" sh -ec "$$commands"

laboratory: $(READY)  ## why it works: every study of the laboratory, then its figures (some twenty minutes on a core)
	commands=$$($(BIN)/bnrepro laboratory --commands $(LABORATORY_SCALE)) && PATH="$(CURDIR)/$(BIN):$$PATH" sh -ec "$$commands"

tensorboard: $(READY)  ## TensorBoard on the runs
	$(BIN)/bnrepro tensorboard

check: $(READY)  ## the one gate: lint, format, layers, types, tests, published results rebuilt
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile
	$(BIN)/python -m pytest -m slow \
		'tests/test_published_results.py::test_rebuilding_from_the_records_changes_no_byte[this one]'

test-slow: $(READY)  ## the long tests: real trainings, real processes
	$(BIN)/python -m pytest -m slow -n $(JOBS) --dist loadfile

mutants: $(READY)  ## change the code in one place at a time and see that the tests notice (an hour)
	$(BIN)/python scripts/mutants.py

lock:  ## resolve the lock files again (needs uv)
	$(call compile,--extra jax --extra dev,requirements.lock)
	$(call compile,--extra jax --extra dev --extra cuda,requirements-cuda.lock)

clean:  ## remove the environment and the caches, not the results
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist

define compile
	$(UV) pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		$(1) --output-file $(2)
endef

$(PACKAGES): $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
		"bnrepro needs Python 3.11 to 3.13, this is %d.%d; try: make PYTHON=python3.12 $(MAKECMDGOALS)" \
		% sys.version_info[:2])'
	@echo "making $(VENV) from $(LOCK); this takes some minutes"
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(LOCK)
	@touch $@

$(READY): $(PACKAGES) pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
