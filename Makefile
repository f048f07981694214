# Everything that is done to this repository, by name. `make` lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

binary := target/debug/campaign-execution
stack := tests/stack.sh
# Where `make up` keeps what it started.
stack_dir := .cache/stack
# Where the integration tests leave every request that the service sent to a platform.
record := target/platform-requests

.PHONY: help build demo test unit it conformance check fmt lint deny bench up down clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the binary, unoptimised
	@tests/install.sh build
	cargo build

demo: ## a plan from approval to live campaigns, in half a minute, on private servers that are gone afterwards
	@tests/install.sh build postgres
	@cargo build
	@$(binary) demo

test: ## unit tests, then integration tests on a real Kafka and PostgreSQL
	@tests/install.sh build postgres kafka yaml
	@$(MAKE) --no-print-directory unit it

unit: ## the tests that need no server
	cargo test --lib --bins

it: ## the tests that need the servers (and starts them)
	cargo test --test it --no-run
	rm -rf $(record)
	CAMPAIGN_EXECUTION_SANDBOX_RECORD=$(CURDIR)/$(record) $(stack) run -- cargo test --test it
	touch $(record)/complete

conformance: $(record)/complete ## the vendors' own SDKs and definitions judge the sandbox and what the service sent
	@tests/install.sh build python
	@cargo build
	@"$$(tests/conformance/environment.sh)" -B tests/conformance $(record)

# Made by the integration tests; once more when what they are made of has changed since.
$(record)/complete: Cargo.toml Cargo.lock $(shell find src tests/it schemas migrations -type f)
	@$(MAKE) --no-print-directory it

check: fmt lint deny test conformance ## everything a change must pass: what .ci/run runs

# The platforms' folders are declared by a macro, where `cargo fmt` does not look.
fmt: ## is it formatted?
	cargo fmt --check
	rustfmt --check --edition 2024 src/platform/*/mod.rs

lint: ## clippy, warnings are errors
	cargo clippy --all-targets -- -D warnings

deny: ## licences, sources and banned crates
	.cache/tools/bin/cargo-deny --locked --log-level error check bans licenses sources

bench: ## the benchmark, optimised, on a real Kafka and PostgreSQL
	@tests/install.sh build postgres kafka
	cargo build --release
	$(stack) run -- target/release/campaign-execution bench

up: ## leave a Kafka and a PostgreSQL running for work by hand
	@tests/install.sh postgres kafka
	@$(stack) up $(stack_dir)

down: ## stop them and remove their data
	@$(stack) down $(stack_dir)

clean: down ## remove what was built (the downloaded jars and tools stay in .cache)
	cargo clean
