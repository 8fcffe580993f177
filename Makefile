# Each target does its own set-up into .venv; nothing else has to be run before. See README.md.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
RUN := $(VENV)/bin
SOURCES := markerless_biomech test launch setup.py install.py

.PHONY: help demo demo-real test test-oldest lint check bench format config install install-oldest

help:
	@echo "make demo         the whole live system on this machine: virtual walker, estimator, recording, report"
	@echo "make demo-real    the same with a recording of real cameras"
	@echo "make test         all tests"
	@echo "make test-oldest  core and message tests with the oldest supported libraries"
	@echo "make lint         ruff, pyright, import contract"
	@echo "make check        lint and test"
	@echo "make bench        latency of the live system on this machine"

install:
	@$(PYTHON) install.py $(VENV)

install-oldest:
	@$(PYTHON) install.py $(OLDEST) --oldest

demo: install
	@$(RUN)/markerless-biomech demo --force

demo-real: install
	@$(RUN)/markerless-biomech demo --real --out out/demo-real --force

test: install
	@$(RUN)/python -m pytest

test-oldest: install-oldest
	@$(OLDEST)/bin/python -m pytest -m "not ros and not accuracy"

lint: install
	@$(RUN)/ruff format --check $(SOURCES)
	@$(RUN)/ruff check $(SOURCES)
	@$(RUN)/pyright
	@$(RUN)/lint-imports

check: lint test

bench: install
	@$(RUN)/markerless-biomech benchmark

format: install
	@$(RUN)/ruff format $(SOURCES)
	@$(RUN)/ruff check --fix $(SOURCES)

config: install
	@$(RUN)/python -m markerless_biomech.nodes.parameters
	@$(RUN)/python -m markerless_biomech.nodes.qos_files
	@$(RUN)/python docs/write_tables.py
	@$(RUN)/python -m markerless_biomech.body.meshes meshes
