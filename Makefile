# `make help` lists the targets. CI and people call the same ones.
# A distribution builds its Python with profile-guided optimisation, version managers mostly do not: a sixth of all speed.
PYTHON ?= $(shell for each in /usr/bin/python3 python3; do \
	$$each -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; done; echo $$each)
BIN := .venv/bin
RETAIL ?= ../shared/data/online-retail

.DEFAULT_GOAL := help
.PHONY: help install install-ci up down services services-down demo demo-retail test slow crash check deploy-check audit format bench docs dashboards proto lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

# The stamp makes every other target cheap to repeat: set-up runs again only when the lock changes.
.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: .venv/.installed ## virtual environment with locked dependencies and .venv/bin/restock

install-ci: install ## atheris and pyspark beside it, for the tests that need them; pyspark needs Java 17
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements.ci.lock

up: install ## every service as a process of its own, with one log; Ctrl-C stops them
	$(BIN)/restock up

down: install ## stop the services of ./var, also those of `restock up --detach`
	$(BIN)/restock down

services: ## start MariaDB, PostgreSQL, Kafka and Redis for tests; prints their addresses
	@scripts/services up

services-down: ## stop them
	@scripts/services down

demo: install ## a day of customer orders, from order to purchase order, in under a minute
	$(BIN)/restock demo

demo-retail: install ## import a real shop, plan and order its whole catalogue
	$(BIN)/restock demo --retail $(RETAIL)

test: install ## everything, under 6 minutes; what needs a server is skipped without its address
	$(BIN)/python -m pytest -q -n auto -m "not slow"

slow: install ## the suites marked slow
	$(BIN)/python -m pytest -q -n auto -m slow

crash: install ## the large crash run: 10,000 orders, 200 kills, 10 freezes
	RESTOCK_CRASH_ORDERS=10000 RESTOCK_CRASH_KILLS=200 RESTOCK_CRASH_FREEZES=10 \
		$(BIN)/python -m pytest -q -s -n 0 -m slow tests/scenario/test_loop_many_processes.py

check: install ## format, lint, types, import rules, tidy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:randomly tests/architecture

deploy-check: install .venv-deploy/.installed ## what deploys, read offline: manifests, image, compose files, scripts
	scripts/deploy-check
	RESTOCK_RENDERED=var/deploy $(BIN)/python -m pytest -q -n 0 tests/deploy/test_rendered.py tests/deploy/test_image.py

audit: install .venv-audit/.installed ## secrets in files, known holes in what is shipped, and its list of parts
	scripts/audit

# Tools whose libraries do not go with ours; the stamp is as above.
.venv-%/.installed: requirements.%.lock
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

format: install ## rewrite sources in the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## rates and ratios, with the machine and the commit
	$(BIN)/python -m benchmarks

docs: install ## reference pages, written from the program
	$(BIN)/python docs/generate.py

dashboards: install ## what Grafana reads, from deploy/grafana/dashboards.yml
	$(BIN)/python deploy/grafana/generate.py

proto: install ## compile the published gRPC interfaces
	$(BIN)/python -m grpc_tools.protoc -I src/restock/edge/grpc/protos \
		--descriptor_set_out=src/restock/edge/grpc/published.binpb $(sort $(wildcard src/restock/edge/grpc/protos/*.proto))

lock: install ## pin the newest allowed versions
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra grpc --extra kafka --extra mysql --extra prove --extra tls --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra grpc --extra kafka --extra mysql --extra tls --universal --generate-hashes --no-emit-index-url --no-header --quiet -c requirements.lock -o deploy/requirements.lock
	for group in audit build ci deploy; do \
		$(BIN)/uv pip compile --group $$group --universal --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.$$group.lock || exit 1; done

clean: services-down ## remove the environment, caches and the state in ./var
	rm -rf .venv .venv-* var .mypy_cache .ruff_cache .pytest_cache .hypothesis
