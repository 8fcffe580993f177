# Each target does its own set-up into .venv; nothing else has to be run before. See README.md.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
RUN := $(VENV)/bin
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile
SOURCES := markerless_biomech test launch setup.py install.py

RIG ?= --cameras 8 --fps 60 --keypoint-set bml_movi_87

.PHONY: help demo demo-real test test-oldest lint check bench faults-full soak format config install install-oldest

help:
	@echo "make demo         the whole live system on this machine: virtual walker, estimator, recording, report"
	@echo "make demo-real    the same with a recording of real cameras"
	@echo "make test         all tests"
	@echo "make test-oldest  core and message tests with the oldest supported libraries"
	@echo "make lint         ruff, pyright, import contract"
	@echo "make check        lint and test"
	@echo "make bench        latency of the live system on this machine"
	@echo "make faults-full  every fault, live, into docs/faults.md; 2,000 random messages and 500 files for each reader"
	@echo "make soak         an hour of faults that come and go, into docs/soak.md"

install:
	@$(PYTHON) install.py $(VENV)

install-oldest:
	@$(PYTHON) install.py $(OLDEST) --oldest

demo: install
	@$(RUN)/markerless-biomech demo --force

demo-real: install
	@$(RUN)/markerless-biomech demo --real --out out/demo-real --force

# Nodes are tested one after the other: two live systems at once would wait for each other.
test: install
	@$(RUN)/python -m pytest $(SIDE_BY_SIDE) -m "not ros"; first=$$?; $(RUN)/python -m pytest -m ros && exit $$first

test-oldest: install-oldest
	@$(OLDEST)/bin/python -m pytest $(SIDE_BY_SIDE) -m "not ros and not accuracy"

lint: install
	@$(RUN)/ruff format --check $(SOURCES)
	@$(RUN)/ruff check $(SOURCES)
	@$(RUN)/pyright
	@$(RUN)/lint-imports

check: lint test

bench: install
	@$(RUN)/markerless-biomech benchmark

faults-full: install
	@HYPOTHESIS_PROFILE=full $(RUN)/python -m pytest test/test_malformed_files.py test/test_malformed_messages.py \
		test/test_calibration_kinds.py
	@$(RUN)/python test/faults_full.py $(RIG)

soak: install
	@$(RUN)/python test/soak.py $(RIG)

format: install
	@$(RUN)/ruff format $(SOURCES)
	@$(RUN)/ruff check --fix $(SOURCES)

config: install
	@$(RUN)/python -m markerless_biomech.nodes.parameters
	@$(RUN)/python -m markerless_biomech.nodes.qos_files
	@$(RUN)/python docs/write_tables.py
	@$(RUN)/python -m markerless_biomech.body.meshes meshes
