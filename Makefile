# Everything a newcomer and CI need. Only Python 3.11 or later and make are assumed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
DEMO_EVENTS ?= 200000
HOME_DIR := $(or $(ASSAY_HOME),.assay)
BIN := .venv/bin
PEERS := .cache/peers
PEERS_READY := $(PEERS)/ready-$(shell cksum < benchmarks/peers.lock | cut -d' ' -f1)
READY := .venv/ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

export BENCH_EVENTS
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

setup: $(READY) ## Make .venv with the locked versions

$(READY):
	@echo "setting up .venv (about a minute with a warm package cache)"
	@rm -f .venv/ready-*
	@begun=$$(date +%s); \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }; \
	$(PYTHON) -m venv .venv \
	&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock \
	&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . \
	&& echo $$(( $$(date +%s) - begun )) > $@

demo: setup ## Land demo events, build, publish, and show what came of them
	@$(BIN)/assay init
	@test -f $(HOME_DIR)/demo/fraud_decisions-01.jsonl || $(BIN)/assay demo-data --events $(DEMO_EVENTS)
	@$(BIN)/assay land attempts $(HOME_DIR)/demo/attempts-*
	@$(BIN)/assay land deposit_attempts $(HOME_DIR)/demo/deposit_attempts-*
	@$(BIN)/assay land platform_events $(HOME_DIR)/demo/platform_events-*
	@$(BIN)/assay land claim_events $(HOME_DIR)/demo/claim_events-*
	@$(BIN)/assay land fraud_decisions $(HOME_DIR)/demo/fraud_decisions-*
	@$(BIN)/assay land fraud_outcomes $(HOME_DIR)/demo/fraud_outcomes-*
	@$(BIN)/assay land fraud_attributions $(HOME_DIR)/demo/fraud_attributions-*
	@$(BIN)/assay land experiments $(HOME_DIR)/demo/experiments-*
	@$(BIN)/assay land replay_scenarios $(HOME_DIR)/demo/replay_scenarios-*
	@$(BIN)/assay land data_subject_requests $(HOME_DIR)/demo/data_subject_requests-*
	@$(BIN)/assay land fx_rates $(HOME_DIR)/demo/fx_rates-*
	@$(BIN)/assay refresh
	@$(BIN)/python -m loaders.demo.tour

test: setup ## Run all that CI runs, with a time budget per suite
	@$(BIN)/python tests/run_suites.py

test-long: setup ## The same with full counts, which takes longer
	@ASSAY_LONG=1 $(BIN)/python tests/run_suites.py

red-team: setup ## Attack gold and sabotaged twins of it, then take guards away one by one
	@$(BIN)/pytest tests/privacy/test_red_team.py tests/privacy/test_mutations.py

browser: ## Install Chromium, in which tests look at pages; Debian, as root
	@DEBIAN_FRONTEND=noninteractive timeout 180 apt-get install --yes --no-install-recommends chromium > /dev/null

lint: setup ## Style, types, SQL and the rules of the dbt project
	@$(BIN)/python tests/run_suites.py lint

docs: setup ## Write the dbt documentation site to target/
	@$(BIN)/dbt docs generate

bench: setup ## Measure all that docs/benchmarks.md tells; BENCH_EVENTS says how large
	@$(MAKE) --no-print-directory $(PEERS_READY) \
		|| echo "dlt and SQLMesh could not be installed: what is measured beside them is SKIPPED"
	@$(BIN)/python benchmarks/bench.py

$(PEERS_READY):
	@echo "setting up dlt and SQLMesh, in an environment of their own"
	@rm -rf $(PEERS)
	@$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/python -m pip install --quiet \
		--disable-pip-version-check --no-deps --require-hashes -r benchmarks/peers.lock \
		&& touch $@ || { rm -rf $(PEERS); exit 1; }

bench-collector: setup ## Measure the collector, some 20 minutes
	@$(BIN)/python benchmarks/collecting.py
	@$(BIN)/python benchmarks/freshness.py
	@$(BIN)/python benchmarks/flood.py
	@$(BIN)/python benchmarks/flood.py 60 1
	@$(BIN)/python benchmarks/backlog.py
	@$(BIN)/python benchmarks/outage.py

bench-privacy: setup ## Measure pseudonyms, and the guards of a build
	@$(BIN)/python benchmarks/privacy.py

clean: ## Remove what was built; the home and .venv stay
	rm -rf target logs .cache build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: help setup demo test test-long red-team lint docs bench bench-collector bench-privacy clean
