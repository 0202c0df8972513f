#!/usr/bin/env bash
# Every check of the project, in the order in which a mistake shows soonest. `ci/test.sh STEP…` runs only those steps.
set -euo pipefail
cd "$(dirname "$0")/.."

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(install format lints docs tests postgres fuzz)
# The tests skip what a developer's machine lacks; here everything was installed, so a missing tool is a failure.
export WM_TEST_ALL_TOOLS=1
# The same random inputs each time: what fails here has to do with the change at hand. `cargo test` alone draws others.
export PROPTEST_RNG_SEED=1

format() { cargo fmt --all --check; }
lints() { cargo clippy --workspace --all-targets --quiet -- -D warnings; }
# What links lead nowhere in comments that rustdoc reads.
docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet; }
# A run of the whole workspace builds its programs before the tests that start them. Its log names every test: the last step
# looks there for those that documents name.
tests() {
  local log=${CARGO_TARGET_DIR:-target}/tests.log progress='^ *(Compiling wmlicense|Running|Doc-tests) |^test result: '
  mkdir -p "$(dirname "$log")"
  # What is built and what runs is shown as it happens; the whole log only if something fails.
  if ! WM_TEST_PROGRAMS_BUILT=1 cargo test --workspace --no-fail-fast 2>&1 | tee "$log" | { grep --line-buffered -E "$progress" || :; }; then
    cat "$log"
    return 1
  fi
  grep '^test result:' "$log" | awk '{ passed += $4; ignored += $8 } END { print passed " tests passed, " ignored " ignored" }'
  ci/tests_ran.sh "$log"
}
# What devices see where counting decides, once more with all of it on a server.
postgres() {
  local log=${CARGO_TARGET_DIR:-target}/postgres.log parts
  parts=(again delivery entitlement epochs hostile restore)
  if ! WM_TEST_POSTGRES=18 WM_TEST_PROGRAMS_BUILT=1 cargo test --workspace --test service -- "${parts[@]/%/::}" >"$log" 2>&1; then
    cat "$log"
    return 1
  fi
  grep '^test result:' "$log"
  # And as it is run for many.
  WM_TEST_PROGRAMS_BUILT=1 ci/demo_scale.sh 2000
}
# Beside the packages, the tool that holds documents against the CDDL: apart from the workspace, and so built before its tests.
install() {
  ci/install.sh
  cargo build --quiet --manifest-path ci/cddl/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}/cddl"
}

# Every fuzz target is built and runs for seconds, from the seeds on; hours are for `make fuzz`.
fuzz() {
  local log=${CARGO_TARGET_DIR:-target}/fuzz.log
  mkdir -p "$(dirname "$log")"
  ci/fuzz.sh 3 >"$log" 2>&1 || { tail -n 100 "$log"; return 1; }
  printf '%d fuzz targets found nothing\n' "$(grep -c '^==' "$log")"
}

begin=$SECONDS
for step in "${steps[@]}"; do
  since=$SECONDS
  printf '== %s\n' "$step"
  "$step"
  printf '== %s: %d s\n' "$step" $((SECONDS - since))
done
printf 'all checks passed in %d s\n' $((SECONDS - begin))
