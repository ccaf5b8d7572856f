# Everything runs in .venv, which is made on first use; Python >= 3.11 and make suffice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TRACE := traces/samples/matmul.warptrace
# mypy finds the folders under their installed names through this link to the repository.
PACKAGES := $(VENV)/names
SOURCES := $(shell find isa sim traces validation -name '*.py' -o -name '*.toml' -o -name '*.csv')

.DELETE_ON_ERROR:
.PHONY: demo test slow lint docs kernels clean

demo: $(VENV)/base
	$(BIN)/warpwise run $(TRACE) --gpu rtx_a6000

test: $(VENV)/full
	$(BIN)/pytest -n auto --benchmark-disable

# Whole GPUs, bounds checks, full sweeps: minutes more.
slow: $(VENV)/full
	$(BIN)/pytest -m slow

lint: $(VENV)/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(PACKAGES) $(BIN)/mypy -p warpwise.isa -p warpwise.traces -p warpwise.sim -p warpwise.validation

# A notebook is executed again when it or the package has changed.
docs: $(VENV)/docs $(patsubst %.py,docs/%.ipynb,$(wildcard notebooks/*.py))
	$(BIN)/sphinx-build -q -W --keep-going docs docs/build/html

docs/notebooks/%.ipynb: notebooks/%.py docs/execute.py $(SOURCES) | $(VENV)/docs
	$(BIN)/python docs/execute.py $< $@

kernels: $(VENV)/full
	$(BIN)/python traces/kernels/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/base: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/full: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,cuda]'
	mkdir -p $(PACKAGES) && ln -sfn $(CURDIR) $(PACKAGES)/warpwise
	touch $@

$(VENV)/docs: $(VENV)/full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "warpwise needs Python 3.11 or newer, and '$(PYTHON)' is not: try 'make PYTHON=python3.12 $(MAKECMDGOALS)'" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
