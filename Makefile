# make bench | suite | test | doctor | report | lint      ARGS="..." is passed on
# Each makes .venv first when it is missing or older than what it is made from.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.stamp
ARGS   ?=
TESTERS ?= 2
TORCH  ?=

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
endif

# TORCH=cpu takes PyTorch's own CPU wheels (about 200 MB in place of 5 GB); any other value names another index there.
ifneq ($(TORCH),)
TORCH_COMMAND := $(BIN)/python -m pip install --quiet --constraint constraints.txt torch torchvision --index-url https://download.pytorch.org/whl/$(TORCH)
endif

.PHONY: bench suite test doctor report lint setup clean
.DEFAULT_GOAL := help

help:
	@echo 'make bench    measure every model here (ARGS="--size tiny --plan quick" for a first look)'
	@echo 'make suite    take every model through its life, tiny: train, fine-tune, prune, quantize, export'
	@echo 'make test     test the tool itself, in two processes (TESTERS=1: in one)'
	@echo 'make doctor   examine this Python, PyTorch and CUDA installation'
	@echo 'make report   show the newest run again and open its report'
	@echo 'make lint     style, types, import rules'

bench: $(STAMP)
	@$(BIN)/python -m pytest bench $(ARGS)

suite: $(STAMP)
	@$(BIN)/python -m pytest suite $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m pytest tests -n $(TESTERS) --dist loadfile $(ARGS)

doctor: $(STAMP)
	@$(BIN)/python -m diagnostics $(ARGS)

report: $(STAMP)
	@$(BIN)/python -m bench report --open $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
	  { echo "torch-vitals needs Python 3.11 to 3.14, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	    echo "Next: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 2; }
	@echo "setting up $(VENV) (once, some minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(if $(TORCH_COMMAND),echo '$(TORCH_COMMAND)' && $(TORCH_COMMAND))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV)
