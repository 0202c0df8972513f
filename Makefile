# Thin on purpose: the steps are in ci/, each runnable by itself.

.PHONY: help demo demo-scale demo-shop gstreamer test test-crash test-held test-mutants test-release test-packaging bench fuzz check-dependencies check-format \
	format install uninstall deb tarball

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20

demo: ## the whole journey against a service of its own, one printed line per step
	@ci/demo.sh

demo-scale: ## PostgreSQL and two replicas behind nginx, one killed meanwhile: 100 000 licenses out, restores at the limit (LICENSES=2000 for fewer)
	@ci/demo_scale.sh $(LICENSES)

demo-shop: ## a shop that rents, sells and subscribes by the owner's API and by tokens of its own; three devices, and a title in a browser
	@ci/demo_shop.sh

gstreamer: ## the GStreamer element, gstreamer/libgstwmlicense.so
	@cargo build --release
	@$(MAKE) --no-print-directory -C gstreamer

test: ## everything but the dependencies: format, lints, tests, the C harness under valgrind and sanitizers
	@ci/test.sh

test-crash: ## kill -9 and failing disks at every change of a file that a step makes; at least 1500 points
	@ci/test_crash.sh

test-held: ## ten thousand connections of one address, while others are served (needs 12 000 open files)
	@cargo test --workspace --test service ten_thousand -- --ignored --nocapture

test-mutants: ## which changes of the code the tests notice (MUTANTS="--module wire" for a part, "--sample 300" for a glance)
	@ci/mutants.sh $(MUTANTS)

test-release: ## the C harness against the release build, whose frames and inlining are others
	@WM_TEST_ALL_TOOLS=1 cargo test --release --test c_programs

test-packaging: ## what is packaged, built and used as strangers do: archive, features, Debian packages in a clean root (STEPS="deb root" for a part)
	@ci/test_packaging.sh $(STEPS)

check-dependencies: ## what is depended on: licenses, bans, sources (builds cargo-deny once), lowest versions
	@ci/dependencies.sh
	@ci/minimal_versions.sh

check-format: ## whether the sources are formatted
	@cargo fmt --all --check

bench: ## library and service beside their peers, in one run of twelve minutes (BENCH="lookup-100k acquire" for rows by name)
	@ci/bench.sh $(BENCH)

fuzz: ## every fuzz target for a minute (SECONDS=3600 for longer)
	@ci/fuzz.sh $(or $(SECONDS),60)

format: ## format the sources
	@cargo fmt --all

install: ## build for release and install below PREFIX (default /usr/local); DESTDIR and LIBDIR are respected
	@ci/package.sh

uninstall: ## remove what `make install` put below PREFIX, and nothing else
	@ci/package.sh --uninstall

deb: ## Debian packages, in deb below the target folder
	@ci/deb.sh

tarball: ## archives of what is installed and of the sources, with SHA-256 and a bill of materials, in dist below the target folder
	@ci/tarball.sh
