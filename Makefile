PYTHON ?= python3
VENV := .venv
RUN_DIR ?= runs/quickstart
WORKERS ?= 2
TFA_VENV := .venv-tfa
# The only one on which TensorFlow 2.15 and this package both run.
TFA_PYTHON ?= python3.11
INSTALLED_FROM := requirements.txt constraints.txt pyproject.toml setup.py
PIP_INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
  -c constraints.txt
# Some packages carry files that no Python can compile.
COMPILE := -$(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib robgan_tf
# A file of tests at a time to each worker, in the order of tests/slow_modules.py. A crashed worker
# would leave the others waiting: no restart, so that the run ends and says so.
PYTEST := $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder \
  --max-worker-restart=0 --durations=20
TFA_PYTEST := $(TFA_VENV)/bin/python -m pytest -n $(WORKERS) --dist loadscope \
  --no-loadscope-reorder --max-worker-restart=0 --durations=20

# Empty is off: what one process has compiled, all others find, those that tests start too.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: train test test-fast test-smoke test-package test-tfa test-tfa-part lint clean

train: $(VENV)/installed
	$(VENV)/bin/python -m robgan_tf.train --gin_file=gin/quickstart.gin --run_dir=$(RUN_DIR)

# The checks run beside the tests and show what they say once they end.
test: $(VENV)/installed-dev
	@log=$$(mktemp); \
	{ $(MAKE) --no-print-directory lint test-package >$$log 2>&1; ended=$$?; \
	  cat $$log; rm -f $$log; exit $$ended; } & \
	$(PYTEST); tests=$$?; \
	wait $$!; checks=$$?; \
	if [ $$checks -ne 0 ]; then \
	  echo "make test: lint or test-package failed; what they said is above, among the tests"; fi; \
	[ $$tests -eq 0 ] && [ $$checks -eq 0 ]

# Under two minutes: without the files of tests that take seven seconds or more.
test-fast: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

# Every table and figure of the paper from nothing on handwritten digits, and the time it took.
# `time` is a word of bash.
test-smoke: SHELL := /bin/bash
test-smoke: $(VENV)/installed-dev
	folder=$$(mktemp -d) && time $(VENV)/bin/python -m robgan_tf.reproduce --scale=smoke --table=1 \
	  --figure=2 --figure=6 --figure=7 --figure=8 --jobs=$(WORKERS) --out=$$folder

# Wheel, sdist and editable install, each used from an empty folder.
test-package: $(VENV)/installed-dev
	$(VENV)/bin/python -m tools.check_package

# The suite on the stack of TensorFlow Addons, in an environment of its own.
test-tfa: $(TFA_VENV)/installed
	$(TFA_PYTEST)

# What can differ there: layers, models, steps, checkpoints, export, a run of each command.
test-tfa-part: $(TFA_VENV)/installed
	$(TFA_PYTEST) @tests/tfa_part.txt

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy
	$(VENV)/bin/zensical build --clean --strict

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(None if ok else "robgan_tf needs Python 3.11 to 3.13; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# pip would compile on one core.
$(VENV)/installed: $(INSTALLED_FROM) | $(VENV)/bin/python
	$(PIP_INSTALL) -e .
	$(COMPILE)
	touch $@

$(VENV)/installed-dev: $(INSTALLED_FROM) | $(VENV)/bin/python
	$(PIP_INSTALL) -e '.[dev,docs]'
	$(COMPILE)
	touch $(VENV)/installed $@

# The wheel, as users get it, with the pins of that stack: its ranges have to admit them.
$(TFA_VENV)/installed: requirements.txt requirements-tfa.txt pyproject.toml setup.py
	$(TFA_PYTHON) -c 'import sys; sys.exit(None if sys.version_info[:2] == (3, 11) else "TensorFlow 2.15 and this package both run on Python 3.11 only; set TFA_PYTHON=...")'
	$(TFA_PYTHON) -m venv $(TFA_VENV)
	$(TFA_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-tfa.txt .
	$(TFA_VENV)/bin/python -m pip check
	touch $@

clean:
	rm -rf $(VENV) $(TFA_VENV)
