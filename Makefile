# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` do all their set-up themselves, in .venv beside this file.
.PHONY: help demo test check golden bench qemu10
BIN = .venv/bin

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /\1: /p' Makefile

demo: ## train on real scans, deploy to an emulated STM32L452, check every output
	@./setup.sh demo
	@$(BIN)/microai deploy --board stm32l4 --emulate --out build/demo

test: ## every test
	@./setup.sh demo,dev
	@$(BIN)/pytest

check: ## what runs before each commit, in about two minutes
	@./setup.sh demo,dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/pytest -q -m "not qemu and not slow and not board"

golden: ## rewrite the golden files; `git diff` judges
	@./setup.sh demo,dev
	@$(BIN)/pytest -q tests/test_golden.py --golden

bench: ## predict the networks that engines are compared on; MICROAI_DATA has the MLPerf Tiny ones
	@./setup.sh demo,dev
	@$(BIN)/microai bench --out BENCHMARKS.md

qemu10: ## unpack Debian's backported QEMU 10 into the cache, beside the installed one
	@./qemu10.sh
