# The verbs of this project; `make help` prints them from the comments behind the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
BIN := .venv/bin
INSTALLED := .venv/.installed
REAL := $(BIN)/python -m tests.real run --
FAULTS := HYPOTHESIS_PROFILE=faults $(REAL) $(BIN)/pytest -o faulthandler_timeout=1200

CUSTOMERS ?=
SERVE ?= 1
WORKERS ?= 2
TESTS ?= tests

.PHONY: help demo run test faults bench check fix migrate catalogue topology lock up down

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, and none is on the path"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(INSTALLED) ## replay real shop history and leave the server up (SERVE=0: end after the summary; CUSTOMERS=n: more or fewer)
	$(BIN)/python -m services demo $(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(filter 0,$(SERVE)),--no-serve)

run: $(INSTALLED) ## all services in one process on SQLite, data in ./data
	$(BIN)/python -m services run

test: $(INSTALLED) ## everything, on SQLite and on real Kafka and PostgreSQL that it starts itself (TESTS=path, WORKERS=n)
	$(REAL) $(BIN)/pytest -n $(WORKERS) --dist loadgroup $(TESTS)

faults: $(INSTALLED) ## the fault tests at full length, properties at depth, and a mutant for each guard
	$(FAULTS) -n $(WORKERS) --dist loadgroup -m 'faults and not alone' $(TESTS) || test $$? = 5 # none of these
	$(FAULTS) -m 'faults and alone' $(TESTS) || test $$? = 5

bench: $(INSTALLED) ## measure, each figure against a limit of the same run, into docs/performance.md
	$(BIN)/python -m tests.bench

check: $(INSTALLED) ## lint, format, types, import contracts, and nothing generated is stale
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos
	$(BIN)/mypy $(wildcard services shared demo tests)
	$(BIN)/lint-imports
	$(BIN)/python -m services catalogue --check
	$(BIN)/python -m services topology --check

fix: $(INSTALLED) ## let the linters mend what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

migrate: $(INSTALLED) ## bring every service's database to this code's schema
	$(BIN)/python -m services migrate

catalogue: $(INSTALLED) ## write docs/events anew from the facts in the code
	$(BIN)/python -m services catalogue

topology: $(INSTALLED) ## write docs/topology.md anew: who emits, who reacts
	$(BIN)/python -m services topology

lock: $(INSTALLED) ## resolve the dependencies anew, for development and for the image
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url -c requirements.lock pyproject.toml -o deploy/requirements.lock

up: ## the distributed mode in containers: Kafka, PostgreSQL, four services, gateway, Mailpit, Prometheus, Grafana
	docker compose up --build --detach --wait

down: ## stop the containers; data stay in their volumes
	docker compose down
