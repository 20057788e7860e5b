# Gridwhistle's commands. `make help` lists them; `make demo` and `make test` are all a newcomer needs.
# Everything runs from .venv, which is made from the lock files and made again only when they change.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
# Rewritten whenever the environment was made; its name carries the locks' content, not their age.
LOCKS := requirements.lock requirements-dev.lock
LOCKS_HASH := $(shell cat $(LOCKS) pyproject.toml 2>/dev/null | sha256sum | cut -c1-16)
STAMP := $(VENV)/.made-from-$(LOCKS_HASH)
# The first of these that is Python 3.11 and can make environments, or else that is Python 3.11; nameko does not run on
# newer ones. The distribution's own comes first: it was built with profile-guided optimisation, which one built on the
# spot (pyenv, say) seldom is: a loop of Python took half as long again there, whole lives a tenth (docs/performance.md).
PYTHONS := /usr/bin/python3.11 python3.11 python3
PYTHON ?= $(shell for needs in sys,ensurepip,venv sys; do for name in $(PYTHONS); do \
	"$$name" -c "import $$needs; sys.exit(sys.version_info[:2] != (3, 11))" 2>/dev/null && { command -v "$$name"; exit; }; \
	done; done)
# What a command is given besides: make demo ARGS=--once, make unit ARGS='-k clock'.
ARGS ?=
SOURCES := deploy services shared tests benchmarks
# A run starts hundreds of Python processes. Their modules are compiled once, where the environment would forbid it, too.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------- environment
.PHONY: venv
venv: $(STAMP) ## Make .venv from the lock files (done by itself when needed)

$(STAMP):
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 was not found. 没有找到 Python 3.11。" >&2; \
		echo "Install it (Debian 12: apt-get install python3 python3-venv) or name it: make venv PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "Python's venv module is missing. 缺少 Python 的 venv 模块。" >&2; \
		echo "Install it: apt-get install python3-venv (or python3.11-venv)" >&2; \
		exit 1; fi
	@echo "Making $(VENV) from the lock files (about a minute the first time)"
	@rm -f $(VENV)/.made-from-*
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: lock
lock: ## Resolve the dependencies of pyproject.toml anew and write both lock files
	@$(MAKE) --no-print-directory venv
	$(BIN)/python deploy/locks.py $(ARGS)

# ---------------------------------------------------------------------------------------------- running
.PHONY: demo
demo: $(STAMP) ## Run the whole suite with a town's day in it and go on serving (ARGS=--once ends after the summary)
	@$(BIN)/gridwhistle demo $(ARGS)

.PHONY: servers
servers: $(STAMP) ## Start private RabbitMQ, PostgreSQL and Prometheus and print their addresses
	@$(BIN)/python -m deploy.servers $(ARGS)

# ---------------------------------------------------------------------------------------------- checks
.PHONY: test
test: lint types imports drift install-servers ## Run every check; installs servers from Debian when absent and root
	@$(MAKE) --no-print-directory unit
	@echo "Passed so far: ruff, mypy, import-linter, documents, packs, tests without servers"
	@$(MAKE) --no-print-directory integration

.PHONY: lint
lint: $(STAMP) ## Check style (ruff, every rule) and formatting
	@echo "== ruff"
	@$(BIN)/ruff check $(wildcard $(SOURCES))
	@$(BIN)/ruff format --check --quiet $(wildcard $(SOURCES)) || { \
		echo "Not formatted as ruff would; mend with: make format" >&2; exit 1; }

.PHONY: format
format: $(STAMP) ## Format the code and mend what ruff can mend by itself
	@$(BIN)/ruff check --fix-only --quiet $(wildcard $(SOURCES))
	@$(BIN)/ruff format $(wildcard $(SOURCES))

.PHONY: types
types: $(STAMP) ## Check types (mypy, strict)
	@echo "== mypy"
	@$(BIN)/mypy

.PHONY: imports
imports: $(STAMP) ## Check the architecture's directions of import
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo

.PHONY: drift
drift: $(STAMP) ## Check that generated documents and the jurisdiction packs are in order
	@echo "== generated documents"
	@$(BIN)/gridwhistle docs check
	@echo "== jurisdiction packs"
	@for pack in deploy/jurisdictions/*/; do $(BIN)/gridwhistle jurisdiction lint "$$pack"; done

.PHONY: install-servers
install-servers: $(STAMP)
	@echo "== servers"
	@$(BIN)/python -m deploy.servers --install-only

# The timing-free tests, on both cores, file by file: what a file prepares is prepared once.
.PHONY: unit
unit: $(STAMP) ## Run the tests that need no server
	@echo "== pytest, without servers"
	@$(BIN)/pytest -q -n 2 --dist loadfile -m "not integration and not chaos and not browser" $(ARGS)

# Three at a time, file by file: each has servers of its own, and waits for them half of the time. Then what wants the
# machine to itself. What ARGS chooses may lie in one of the two alone: pytest's 5 means that nothing was chosen.
NOTHING_CHOSEN = [ $$? -eq 5 ] && [ -n "$(ARGS)" ]
.PHONY: integration
integration: $(STAMP) ## Run the tests against private servers, kills included
	@echo "== pytest, with private servers"
	@$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder --durations=20 \
		-m "(integration or chaos or browser) and not (soak or alone)" $(ARGS) || { $(NOTHING_CHOSEN); }
	@echo "== pytest, every kind of fault"
	@$(BIN)/pytest -q --durations=3 -m "alone and not soak" $(ARGS) || { $(NOTHING_CHOSEN); }

.PHONY: soak
soak: $(STAMP) install-servers ## Run the tests that take too long for every day: three nodes of RabbitMQ by the shipped files, every scenario in full mode
	@$(BIN)/pytest -q -m soak $(ARGS)

.PHONY: chaos
chaos: $(STAMP) install-servers ## Break everything, for an hour or more: 10,000 lives and 200 faults in each mode (ARGS='--mode full --seed 7')
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: bench
bench: $(STAMP) install-servers ## Measure the full mode beside the same machine's raw figures
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: clean
clean: ## Remove what the commands made (not .venv: make distclean)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find $(wildcard $(SOURCES)) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## As clean, and .venv too
	@rm -rf $(VENV)
