# `make demo` goes from generated videos to a result table, `make tables` to all tables and figures of
# the papers, `make test` tests.
# Both need Python >= 3.11 and a package index, nothing else.
PYTHON ?= python3
CORES ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count())")
VENV := .venv
BIN := $(VENV)/bin
TABLE := results/demo_signal.csv

.PHONY: demo tables test lint format schema lock clean

demo: $(VENV)/.installed ## generated videos -> features -> training -> table
	$(BIN)/avzsl doctor
	$(BIN)/snakemake --cores $(CORES) --quiet rules progress -- $(TABLE) results/figures/demo_signal/methods.png
	@echo
	@$(BIN)/avzsl show $(TABLE)
	@echo "table:   $(TABLE)"
	@echo "figures: results/figures/demo_signal/"

tables: $(VENV)/.installed ## every table and figure of the papers on the demo, and one page with all
	$(BIN)/snakemake --cores $(CORES) --quiet rules progress -- tables
	$(BIN)/snakemake --cores $(CORES) --quiet rules progress -- results/report.html
	@echo "tables: results/tables/    figures: results/figures/    page: results/report.html"

test: $(VENV)/.installed-dev ## all tests
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev ## style, types, workflow, schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
	$(BIN)/avzsl schema --check

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

schema: $(VENV)/.installed ## workflow/schemas/config.schema.json from the code
	$(BIN)/avzsl schema

lock: ## newest versions that fit pyproject.toml; run the tests before you commit it
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --editable ".[dev,slurm,cluster,torchcodec,decord]"
	(sed -n '/^#/p' envs/lock.txt; $(VENV)-lock/bin/python -m pip freeze --exclude-editable | \
	  grep -v '^nvidia-\|^triton\|^cuda-' | sed 's/+c[pu0-9]*$$//') > envs/lock.new
	mv envs/lock.new envs/lock.txt
	rm -rf $(VENV)-lock

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'avzsl needs Python 3.11 or newer, not ' + sys.version)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml envs/lock.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint envs/lock.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint envs/lock.txt --editable ".[dev]"
	touch $@

clean: ## all results of the demo, not the environment
	rm -rf results/*demo* results/*/demo* resources/demo logs
