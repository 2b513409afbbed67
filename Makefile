# make demo · make test: each makes its own .venv first, with nothing but python3.
# After that nothing is fetched until pyproject.toml changes.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Named after the content: a fresh checkout of the same file installs nothing anew.
CONTENT := $(shell cksum < pyproject.toml | cut -d ' ' -f 1)
USER := $(VENV)/.user-$(CONTENT)
DEV := $(VENV)/.dev-$(CONTENT)
BENCH := $(VENV)/.bench-$(CONTENT)
FAST := -m "not slow"
# One process for each core; a file stays in one, with the models it has trained.
PYTEST = $(RUN) -m pytest -n auto --dist loadfile
# Without a cache on disk JAX would compile the same loop anew at every eager call.
JAX_CACHE := JAX_COMPILATION_CACHE_DIR=$(VENV)/.jax-cache \
	JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
# JAX compiles every eager call anew, which takes long: one layer's contract, the core
# and one search in `make test`, everything in `make test-all`.
ON_JAX := tests/zoo/ops/test_scan.py tests/zoo/ops/test_lstm.py \
	tests/zoo/layers/test_zoneout_lstm.py tests/tasks/decoding/test_ctc.py \
	-k "TestZoneout or test_scan or test_lstm or test_ctc"

.PHONY: help demo test test-all test-tensorflow test-jax test-torch audit lint bench
.NOTPARALLEL:

help:
	@echo "make demo      what the pretrained models do, task by task"
	@echo "make test      the tests: TensorFlow, then the layers on JAX (torch if there)"
	@echo "make test-all  the slow tests too, and pip-audit"
	@echo "make lint      ruff: format and rules"
	@echo "make bench     speed beside torch and Keras (installs torch)"

demo: $(USER)
	@$(RUN) -m tasks.cli demo

test: test-tensorflow test-jax test-torch

test-all: FAST :=
test-all: ON_JAX := tests/zoo/ops tests/zoo/layers tests/tasks/decoding
test-all: test audit

test-tensorflow: $(DEV)
	@echo "== tests on TensorFlow =="
	@KERAS_BACKEND=tensorflow $(PYTEST) $(FAST) --durations=10

test-jax: $(DEV)
	@echo "== layers and what they are made of, on JAX =="
	@$(JAX_CACHE) KERAS_BACKEND=jax $(PYTEST) $(FAST) $(ON_JAX)

test-torch: $(DEV)
	@if $(RUN) -c "import importlib.util as i, sys; sys.exit(not i.find_spec('torch'))"; \
	then \
	  echo "== layers and what they are made of, on torch =="; \
	  KERAS_BACKEND=torch $(PYTEST) $(FAST) tests/zoo/ops tests/zoo/layers; \
	else \
	  echo "torch is not installed: the layers were not tested on it."; \
	fi

audit: $(DEV)
	@$(RUN) tests/audit.py

lint: $(DEV)
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .

bench: $(BENCH)
	@$(RUN) benchmarks/layers.py

$(VENV)/.made:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { \
	  echo "Python 3.11 or newer is needed: make PYTHON=python3.12 demo"; exit 1; }
	@echo "== a virtual environment in $(VENV) =="
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(USER): $(VENV)/.made
	@echo "== installing what the demo needs (once, some minutes) =="
	@$(RUN) -m pip install --disable-pip-version-check -e ".[report]"
	@touch $@

$(DEV): $(VENV)/.made
	@echo "== installing what the tests need (once, some minutes) =="
	@$(RUN) -m pip install --disable-pip-version-check -e ".[dev]"
	@touch $@ $(USER)

$(BENCH): $(VENV)/.made
	@echo "== installing what the benchmarks need (once; torch is large) =="
	@$(RUN) -m pip install --disable-pip-version-check -e ".[report,bench]"
	@touch $@ $(USER)
