# Everything runs in .venv, which tools/make_env.sh makes. PYTHON=... chooses the interpreter.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help
help: ## Say what there is
	@echo "EfficientPose on MMPose. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: env
env: ## Make .venv with every package pinned (once; about 6 GB)
	@PYTHON="$(PYTHON)" tools/make_env.sh

.PHONY: demo
demo: env ## Find the poses in a few pictures; the results go to demo_output/
	@.venv/bin/efficientpose demo --out demo_output

.PHONY: test
test: env ## Run the tests that take seconds
	@.venv/bin/python -m pytest -m "not slow and not gpu"

.PHONY: test-slow
test-slow: env ## Run the tests that take minutes
	@.venv/bin/python -m pytest -m "slow and not gpu"

.PHONY: lint
lint: env ## Check style, format and types
	@echo "ruff check ..." && .venv/bin/ruff check .
	@echo "ruff format --check ..." && .venv/bin/ruff format --check .
	@echo "mypy ..." && .venv/bin/mypy

.PHONY: clean
clean: ## Remove .venv, caches and build results
	@rm -rf .venv build dist projects/*.egg-info demo_output .pytest_cache .mypy_cache .ruff_cache
	@find configs projects tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
