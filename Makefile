# Thin on purpose: the steps are in ci/, each runnable by itself.

.PHONY: help demo gstreamer test test-crash test-mutants test-release bench fuzz check-dependencies check-format format install

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20

demo: ## the whole journey against a service of its own, one printed line per step
	@ci/demo.sh

gstreamer: ## the GStreamer element, gstreamer/libgstwmlicense.so
	@cargo build --release
	@$(MAKE) --no-print-directory -C gstreamer

test: ## everything but the dependencies: format, lints, tests, the C harness under valgrind and sanitizers
	@ci/test.sh

test-crash: ## kill -9 and failing disks at every change of a file that a step makes; at least 1500 points
	@ci/test_crash.sh

test-mutants: ## which changes of the code the tests notice (MUTANTS="--module wire" for a part, "--sample 300" for a glance)
	@ci/mutants.sh $(MUTANTS)

test-release: ## the C harness against the release build, whose frames and inlining are others
	@WM_TEST_ALL_TOOLS=1 cargo test --release --test c_programs

check-dependencies: ## what is depended on: licenses, bans, sources (builds cargo-deny once), lowest versions
	@ci/dependencies.sh
	@ci/minimal_versions.sh

check-format: ## whether the sources are formatted
	@cargo fmt --all --check

bench: ## the library beside its peers, in one run of a quarter of an hour (BENCH="--only lookup" for a part)
	@ci/bench.sh $(BENCH)

fuzz: ## every fuzz target for a minute (SECONDS=3600 for longer)
	@ci/fuzz.sh $(or $(SECONDS),60)

format: ## format the sources
	@cargo fmt --all

install: ## build for release and install below PREFIX (default /usr/local), DESTDIR respected
	@ci/package.sh
