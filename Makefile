# Two commands matter: `make demo` and `make test`. Both work in a fresh clone on a bare Debian
# with git, make and Python 3.11, as root or not, with a display or without.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
INSTALL := scripts/install $(VENV)
unexport PYTHONDONTWRITEBYTECODE
PACKAGING := setup.cfg pyproject.toml

# One test more at once than there are cores, four at most: each takes up to 1.5 GB, and waits now
# and then for a process or a frame. A file's tests stay together, so that what they share is made
# once; torch gets no more threads than its share.
CORES := $(shell nproc 2>/dev/null || echo 1)
WORKERS ?= $(shell echo $$(($(CORES) < 3 ? $(CORES) + 1 : 4)))
THREADS := $(shell echo $$(($(CORES) > $(WORKERS) ? $(CORES) / $(WORKERS) : 1)))
PYTEST_OF = env OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest -n $(1) --dist loadfile --no-loadscope-reorder
PYTEST := $(call PYTEST_OF,$(WORKERS))
BESIDE := $(shell echo $$(($(WORKERS) > 1 ? $(WORKERS) - 1 : 1)))

# The window tests run on three Qt bindings, the core tests without any. All of them run on PyQt6.
# PySide6, which napari's bundle ships, plays the whole loop and the life of windows. PyQt5, which
# napari 0.10 drops, shows every panel and handles every control; the rest asks nothing of a binding
# but its signals.
# The core tests come last, so that the last line is pytest's own.
named = $(wildcard $(addprefix tests/plugin/test_, $(addsuffix .py, $(1))))
PYQT6_TESTS := tests/plugin
PYSIDE6_TESTS := tests/journey $(call named, manifest window)
PYQT5_TESTS := $(call named, controls overlay panels queue)
CORE_TESTS := tests --ignore=tests/plugin --ignore=tests/journey --no-xvfb \
    -p no:pytest-qt -p no:napari -p no:napari-plugin-engine -p no:npe2
COVERAGE := --cov=hubseg --cov-report=term:skip-covered --cov-fail-under=90

.PHONY: help demo test test-core test-window test-most-window test-other-window compiled coverage lint format docs pictures wheel bench clean

help:
	@echo 'make demo    install, open napari on the bundled sample (without a display: a virtual screen)'
	@echo 'make test    install, lint, and run every test; window tests on PyQt5, PySide6 and PyQt6'
	@echo 'make docs    build the documentation as a site, into site/'
	@echo 'make lint | format | test-core | test-window | coverage | pictures | wheel | bench | clean'

# ---- what is installed: a stamp says it need not be done again --------------------------------

$(BIN)/python:
	@scripts/make-venv $(VENV)

$(VENV)/.demo: $(PACKAGING) scripts/system-libraries | $(BIN)/python
	@scripts/system-libraries window screen
	@echo 'Installing napari-hubseg into $(VENV): several minutes the first time, most of it torch.'
	@scripts/timed 'installation' $(INSTALL) -e '.[pyqt6]'
	@touch $@

$(VENV)/.test: $(PACKAGING) scripts/system-libraries | $(BIN)/python
	@scripts/system-libraries window screen
	@echo 'Installing napari-hubseg and its test tools into $(VENV): several minutes the first time, most of it torch.'
	@scripts/timed 'installation' $(INSTALL) -e '.[pyqt5,pyqt6,test]'
	@touch $@

$(VENV)/.docs: $(PACKAGING) | $(BIN)/python
	@scripts/timed 'installation' $(INSTALL) -e '.[docs]'
	@touch $@

# ---- what a person runs -----------------------------------------------------------------------

demo: $(VENV)/.demo
	@scripts/timed 'demo' env QT_API=$${QT_API:-pyqt6} $(BIN)/hubseg demo \
	  || { echo "The demo did not end well: '$(BIN)/hubseg doctor' says what is missing here." >&2; exit 1; }

test: $(VENV)/.test
	@scripts/timed 'lint and window tests' scripts/beside \
	  '$(MAKE) --no-print-directory test-most-window' \
	  '$(MAKE) --no-print-directory lint test-other-window $(if $(filter-out 1,$(CORES)),compiled)'
	@$(MAKE) --no-print-directory test-core

# What the core tests import is compiled once, while window tests run: in a fresh clone each of their
# processes would do so, all at the same time. What is wrong with it the core tests will say.
compiled: $(VENV)/.test
	@-$(BIN)/python -m pytest --collect-only -q $(CORE_TESTS) >/dev/null 2>&1

test-core: $(VENV)/.test
	@echo '── core tests, without Qt, $(WORKERS) at a time'
	@$(PYTEST) $(CORE_TESTS)

# Counting lines takes the core tests two fifths more of a processor.
coverage: $(VENV)/.test
	@rm -f .coverage .coverage.*
	@$(PYTEST) $(CORE_TESTS) $(COVERAGE)

test-window: $(VENV)/.test
	@scripts/timed 'window tests' scripts/beside \
	  '$(MAKE) --no-print-directory test-most-window' '$(MAKE) --no-print-directory test-other-window'

test-most-window: $(VENV)/.test
	@QT_API=pyqt6 PYTEST_QT_API=pyqt6 scripts/timed 'window tests on PyQt6' $(call PYTEST_OF,$(BESIDE)) $(PYQT6_TESTS)

# The journey is one long test: this runs beside the others.
test-other-window: $(VENV)/.test
	@QT_API=pyside6 PYTEST_QT_API=pyside6 scripts/timed 'window tests on PySide6' $(call PYTEST_OF,1) $(PYSIDE6_TESTS)
	@QT_API=pyqt5 PYTEST_QT_API=pyqt5 scripts/timed 'window tests on PyQt5' $(call PYTEST_OF,1) $(PYQT5_TESTS)

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@scripts/timed 'lint' $(BIN)/mypy
	@$(BIN)/python scripts/requirements > $(VENV)/requirements.txt
	@$(BIN)/deptry --requirements-files $(VENV)/requirements.txt src napari_hubseg

format: $(VENV)/.test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# A warning is an error, and nothing is fetched: neither here nor by the pages.
docs: $(VENV)/.docs
	@env NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean

# The tutorial's pictures and the README's moving one, by playing the journey; some minutes.
pictures: $(VENV)/.demo
	@QT_API=$${QT_API:-pyqt6} $(BIN)/python scripts/pictures.py

wheel: $(VENV)/.test
	@rm -rf build dist
	@$(BIN)/python -m build --no-isolation .

bench: $(VENV)/.test
	@for script in benchmarks/[!_]*.py; do scripts/timed "$$script" $(BIN)/python "$$script"; done

clean:
	rm -rf $(VENV) build dist site demo_out *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
