# Everything that a developer does here. Each target first sets up .venv, quickly when nothing changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
CONTRACT := ../shared/contract/check_openapi.py
# The documented parts that are built
TAGS := --tag "Dictionaries" --tag "Audit & Action Logs" --tag "Events" --tag "Authentication & Accounts" --tag "Auth" \
	--tag "Directory" --tag "Directory (Tenants & Organizations)" --tag "Entities" --tag "Query Index" \
	--tag "Feature Toggles" --tag "Configs"
# Options of `make run`, such as  make run SERVE="--port 9000"
SERVE ?=
# Options of `make test`, such as  make test TESTS="-k undo"
TESTS ?=
# Set to 1 when the tests have just run, so that `make check` leaves them out
TESTED ?=

.PHONY: help setup run test check bench lock format clean chromium redis openapi

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv

$(STAMP): requirements.txt pyproject.toml tools/setup.sh
	@bash tools/setup.sh "$(PYTHON)"

run: $(STAMP) ## Start the server with demo data
	@exec $(BIN)/backstep serve --demo $(SERVE)

test: $(STAMP) chromium redis ## Run all tests, those in a browser too
	@CHROMIUM="$$(bash tools/chromium.sh)" $(BIN)/python -m pytest -n 2 --dist loadgroup $(TESTS)

check: $(STAMP) ## Format, lint, types, import contract, tests, OpenAPI conformance
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
ifneq ($(TESTED),1)
	@$(MAKE) --no-print-directory test
endif
	@$(MAKE) --no-print-directory openapi

openapi: $(STAMP)
	@mkdir -p build
	$(BIN)/backstep openapi --output build/openapi.json
	@if [ -f $(CONTRACT) ]; then \
		$(BIN)/python $(CONTRACT) build/openapi.json $(TAGS); \
	else echo "The contract checker is not beside this repository: conformance not checked."; fi

bench: $(STAMP) ## Measure, print a table, write bench.json
	@$(BIN)/backstep bench

lock: $(STAMP) ## Resolve the dependencies again into requirements.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --quiet --upgrade -o requirements.txt
	@if grep -n '://' requirements.txt; then echo "requirements.txt must not name a host." >&2; exit 1; fi

format: $(STAMP) ## Format the code and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chromium:
	@bash tools/chromium.sh >/dev/null

redis:
	@bash tools/redis.sh

clean: ## Remove what was built; the data in var/ stays
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache bench.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
