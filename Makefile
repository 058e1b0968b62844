# Everything that a developer or an operator does with a checkout. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install install-dev run test search check format migrate client docs tools test-servers bench chaos lock clean

# The first Python that is new enough; name another with `make PYTHON=… …`.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$candidate; break; fi; done)
BIN := .venv/bin
UP_ARGS ?=
B ?=
SEED ?=
KILLS ?= 220
MINUTES ?= 18
EXAMPLES ?= 2000
T ?= tests

ifeq ($(strip $(PYTHON)),)
$(error Python 3.11 or later is needed, and none was found on the PATH. Install one, or name it: make PYTHON=/path/to/python3 …)
endif

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## .venv with a working .venv/bin/sluice, and the frontend's packages
	@$(PYTHON) tools/setup.py python frontend-packages

install-dev: ## the same with what tests and checks need
	@$(PYTHON) tools/setup.py python-dev frontend-packages

run: ## install, build and start everything on this machine (UP_ARGS="--port 9000 --no-demo")
	@$(PYTHON) tools/setup.py python frontend
	@exec $(BIN)/sluice up $(UP_ARGS)

tools: ## pinned tofu and opa into a cache outside the checkout, nginx beside them, and bubblewrap
	@$(PYTHON) tools/install.py

test-servers: ## what tests talk to, into the same cache: azurite (npm), fake-gcs-server and a provider (Go), nginx (apt)
	@$(PYTHON) tools/install.py fake-gcs-server empty-provider azurite nginx

test: ## every test, with real PostgreSQL, Redis, worker, engine and browser
	@$(PYTHON) tools/install.py --unless-engine
	@$(PYTHON) tools/install.py fake-gcs-server empty-provider azurite nginx
	@$(PYTHON) tools/setup.py python-dev frontend
	@$(BIN)/python tools/test.py

search: ## property tests with random examples, this many of each: make search EXAMPLES=2000
	@$(PYTHON) tools/install.py --unless-engine
	@$(PYTHON) tools/setup.py python-dev
	@SLUICE_TEST_SEARCH=$(EXAMPLES) $(BIN)/pytest -q -m "hypothesis and not slow" -n 2 --dist loadgroup --timeout 3600 $(T)

check: ## format, lint, types, import rules, migrations match models, generated client
	@$(PYTHON) tools/setup.py python-dev frontend-packages
	@$(BIN)/python tools/check.py

format: ## format and fix what can be fixed
	@$(PYTHON) tools/setup.py python-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

migrate: ## bring the database of SLUICE_DATABASE_URL to the newest schema
	@$(PYTHON) tools/setup.py python
	@$(BIN)/sluice migrate

client: ## generate the TypeScript client from the API
	@$(PYTHON) tools/setup.py python frontend-packages
	@$(BIN)/python tools/client.py

docs: ## write the tables that are made from code
	@$(PYTHON) tools/setup.py python-dev
	@$(BIN)/python tools/docs.py

bench: ## run bench/, or one of it: make bench B=overhead
	@$(PYTHON) tools/install.py --unless-engine
	@$(PYTHON) tools/setup.py python-dev
	@$(BIN)/python tools/bench.py $(B)

chaos: ## kill parts of a running Sluice and judge what is left: make chaos SEED=7 KILLS=220 MINUTES=18
	@$(PYTHON) tools/install.py --unless-engine
	@$(PYTHON) tools/setup.py python-dev
	@$(BIN)/python tools/chaos.py $(if $(SEED),--seed $(SEED)) --kills $(KILLS) --minutes $(MINUTES)

lock: ## resolve the dependencies anew: hashes and versions only
	@$(PYTHON) tools/setup.py python-dev
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml $(LOCK_OPTIONS) --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev -c requirements.lock $(LOCK_OPTIONS) --output-file requirements-dev.lock

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

clean: ## remove what was built; data and tools stay
	@rm -rf .venv .make frontend/node_modules frontend/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
