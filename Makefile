# Two commands suffice: `make run` and `make test` create what they need.
VENV := .venv
PYTHON := $(VENV)/bin/python
SYSTEM_PYTHON ?= python3

.PHONY: setup run test check slow figures bench

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(SYSTEM_PYTHON) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet --constraint constraints.txt torch
	$(PYTHON) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup
	$(PYTHON) -m physlm.run +experiment=capacity_1000x

test: setup
	$(PYTHON) -m pytest

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

slow: setup
	$(PYTHON) -m pytest -m slow

figures: setup
	for figure in experiments/*/figure.py; do $(PYTHON) $$figure || exit 1; done
	$(PYTHON) -m physlm.claims $(dir $(wildcard experiments/*/claims.yaml)) --ledger experiments/README.md

bench: setup
	$(PYTHON) -m benchmarks
