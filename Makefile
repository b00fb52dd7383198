# make demo       a trained sentence VAE and its report, in about ten minutes on two cores
# make test       lint, types and tests, at most eight minutes on two cores
# make test-slow  the long theorems and end-to-end runs

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow lint clean

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[plots]'
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[plots,tensorboard,dev]'
	touch $@

demo: .venv/installed
	$(BIN)/textvae run pipelines/demo.toml

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 -m "not slow" --doctest-modules textvae tests

test-slow: .venv/installed-dev
	$(BIN)/python -m pytest -n 2 -m slow tests

clean:
	rm -rf .venv runs build dist
