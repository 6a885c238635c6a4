# Two commands suffice: `make run` and `make test` create what they need.
VENV := .venv
PYTHON := $(VENV)/bin/python
SYSTEM_PYTHON ?= python3
EXPERIMENTS = $(patsubst %/experiment.yaml,%,$(sort $(wildcard experiments/*/experiment.yaml)))
MEASURED = $(patsubst %/metrics.csv,%,$(sort $(wildcard experiments/*/metrics.csv)))

.PHONY: setup run test check slow figures page docs notebooks examples bench

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(SYSTEM_PYTHON) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet --constraint constraints.txt torch
	$(PYTHON) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup
	$(PYTHON) -m physlm.run +experiment=capacity_1000x

# Tests start many processes, which share compiled modules even where a user keeps none.
test: export PYTHONDONTWRITEBYTECODE =
test: setup
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

slow: setup
	$(PYTHON) -m pytest -m slow

figures: setup
	for folder in $(MEASURED); do $(PYTHON) $$folder/figure.py || exit 1; done
	$(PYTHON) -m physlm.claims $(EXPERIMENTS) --ledger experiments/README.md

page: setup
	$(PYTHON) -m physlm.page --experiments

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

notebooks: setup
	$(PYTHON) -m tests.notebooks

# The notebooks, each in a kernel of its own, and lm-evaluation-harness on an exported run.
examples: setup
	$(PYTHON) -m pip install --quiet --constraint constraints.txt --editable '.[dev,harness]'
	$(PYTHON) -m pytest --numprocesses 2 --dist load -m slow tests/test_examples.py tests/report/export

bench: setup
	$(PYTHON) -m benchmarks
