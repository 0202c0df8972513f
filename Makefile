# Thin on purpose: the steps are in ci/, each runnable by itself.

.PHONY: help test bench check-format format

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

test: ## everything CI checks: format, lints, tests, the C harness under valgrind and sanitizers
	@ci/test.sh

check-format: ## whether the sources are formatted
	@cargo fmt --all --check

bench: ## the library beside its peers, in one run (BENCH="--licenses 1000000" for more)
	@cargo run --quiet --profile bench -p wmlicense-bench -- $(BENCH)

format: ## format the sources
	@cargo fmt --all

