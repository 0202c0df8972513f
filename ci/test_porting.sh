#!/usr/bin/env bash
# include/wmlicense_wmf.h in every form: each program in tests/c/wmf with both compilers, two-byte wide characters and the sanitizers
# against a running service; and beside the headers of Windows, as far as MinGW has them, compiled only. What `make test` runs of it
# is a choice.
set -euo pipefail
cd "$(dirname "$0")/.."

windows=(-Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only)
printf '#include <wmlicense.h>\nint main(void) { return wm_version() != WM_VERSION; }\n' |
  x86_64-w64-mingw32-gcc-posix -std=c11 "${windows[@]}" -x c -
x86_64-w64-mingw32-g++-posix -std=c++17 "${windows[@]}" tests/c/wmf/windows.cpp
echo "the headers compile beside those of Windows"

WM_TEST_ALL_TOOLS=1 cargo test --quiet --workspace --test c_programs -- --ignored --exact \
  wmf::programs_of_the_old_sdk_work_in_every_form
