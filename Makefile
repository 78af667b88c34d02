# LiqTrend. Every target makes and reuses .venv by itself; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
CONFIG ?= user_data/config.json
EPOCHS ?= 50
MINUTES ?= 10
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help install demo trade backtest hyperopt study bench peers chaos test quick lint format structure lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One clear sentence instead of a traceback, before anything is downloaded.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "LiqTrend needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "LiqTrend needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1): say make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "LiqTrend needs Python's venv module: install it (Debian: apt install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV), from requirements.lock (a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.developed: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what tests and lint need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed  ## make .venv from the lock file

demo: $(VENV)/.installed  ## simulated exchange, real Freqtrade in dry-run (DEMO_SECONDS=180 to limit, DEMO_MODEL=1 to ask a real model)
	@$(BIN)/python -m liq_provider.launch.demo

trade: $(VENV)/.installed  ## dry-run on the public live feeds
	@$(BIN)/python -m liq_provider.launch.trade

backtest: $(VENV)/.installed  ## freqtrade backtesting on what you recorded (ARGS="--timerange ...")
	@$(BIN)/freqtrade backtesting --strategy LiqTrend -c $(CONFIG) $(ARGS)

hyperopt: $(VENV)/.installed  ## freqtrade hyperopt of the thresholds (EPOCHS=50 ARGS="...")
	@$(BIN)/freqtrade hyperopt --strategy LiqTrend -c $(CONFIG) --spaces buy sell \
	  --hyperopt-loss SharpeHyperOptLossDaily -e $(EPOCHS) $(ARGS)

study: $(VENV)/.installed  ## does price run on after a wave? A report on what you recorded (ARGS=...)
	@$(BIN)/liq-provider study -c $(CONFIG) $(ARGS)

# Who is compared with runs in an environment of its own, where LiqTrend is not.
$(BENCH)/.installed: requirements-bench.lock | $(BIN)/python
	@echo "Installing the benchmarks' peers into $(BENCH) ..."
	@$(BIN)/python -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.lock
	@touch $@

peers: $(BENCH)/.installed  ## make .venv-bench: who the benchmarks compare with

bench: $(VENV)/.installed $(BENCH)/.installed  ## time everything beside its peers, write benchmarks/results.md (ROWS="import append")
	@$(BIN)/python -m benchmarks $(ROWS)

chaos: $(VENV)/.developed  ## break everything by a seeded plan, then compare (MINUTES=10 SEED=1)
	@$(BIN)/python -m chaos --minutes $(MINUTES) --seed $(SEED)

# Six workers for two cores: tests/lanes.py says which tests compute and which wait. Without bytecode
# each of them, and each process that a test starts, would compile all modules anew.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.developed  ## run every test, offline
	@$(BIN)/python -m pytest -n 6 --dist loadfile $(ARGS)

quick: export PYTHONDONTWRITEBYTECODE =
quick: $(VENV)/.developed  ## the tests that start no process and take no time, within a minute
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not processes and not slow" $(ARGS)

lint: $(VENV)/.developed  ## ruff, format check, mypy, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

format: $(VENV)/.developed  ## let ruff format and fix
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

structure: $(BIN)/python  ## the source in figures: sizes, complexity, names used twice, cycles
	@$(BIN)/python scripts/structure.py

lock: $(VENV)/.developed  ## renew the lock files from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@for wanted in "pyproject.toml -o requirements.lock" \
	    "pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock" \
	    "--group bench -c requirements.lock -o requirements-bench.lock"; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	    --no-annotate --no-header $$wanted; done

clean:  ## remove the environments and caches
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
