# Everything runs in .venv, which tools/make_env.sh makes. PYTHON=... chooses the interpreter.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help
help: ## Say what there is
	@echo "EfficientPose on MMPose. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: env
env: ## Make .venv with every package pinned (once; about 7 GB)
	@PYTHON="$(PYTHON)" tools/make_env.sh

.PHONY: demo
demo: env ## Find the poses in a few pictures; the results go to demo_output/
	@.venv/bin/efficientpose demo --out demo_output

.PHONY: test
test: env ## Run the tests that take seconds
	@.venv/bin/python -m pytest -n 2 --dist loadfile -m "not slow and not gpu"

.PHONY: test-slow
test-slow: env ## Run the tests that take minutes
	@.venv/bin/python -m pytest -m "slow and not gpu"

.PHONY: bench-train
bench-train: env ## Measure what it costs where training targets are drawn (minutes)
	@.venv/bin/python tools/bench_train.py

.PHONY: starter
starter: env ## Train the starter checkpoint (hours); LSPET=... is the folder of LSP Extended
	@test -n "$(LSPET)" || { echo "error: say where LSP Extended is: make starter LSPET=folder" >&2; exit 2; }
	@.venv/bin/python tools/dataset_converters/lsp2mpii.py "$(LSPET)" data/lspet --skip-absent
	@test -d data/synthetic_mpii || .venv/bin/python tools/make_synthetic_mpii.py --out data/synthetic_mpii --workers 2
	@.venv/bin/python tools/train.py configs/efficientpose_rt_synthetic.py --resume \
		--work-dir work_dirs/efficientpose_rt_starter_synthetic --cfg-options train_cfg.max_epochs=18
	@.venv/bin/python tools/train.py configs/efficientpose_rt_starter.py --resume
	@mkdir -p checkpoints
	@.venv/bin/python tools/publish_checkpoint.py "$$(cat work_dirs/efficientpose_rt_starter/last_checkpoint)" \
		checkpoints/efficientpose_rt_starter.pth --variant rt \
		--source "synthetic people, then LSP Extended (for research) and synthetic people"

.PHONY: lint
lint: env ## Check style, format and types
	@echo "ruff check ..." && .venv/bin/ruff check .
	@echo "ruff format --check ..." && .venv/bin/ruff format --check .
	@echo "mypy ..." && .venv/bin/mypy

.PHONY: clean
clean: ## Remove .venv, caches and build results
	@rm -rf .venv build dist projects/*.egg-info demo_output .pytest_cache .mypy_cache .ruff_cache
	@find configs projects tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
