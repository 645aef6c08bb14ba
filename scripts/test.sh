#!/bin/bash
# test [--quick]: dependencies, builds, every test, lint. A step that fails hides none of the others.
# --quick: developer build only, no end-to-end runs.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT" || exit 1

quick=0
case ${1:-} in
--quick) quick=1 ;;
'') ;;
*) die "test: no option $1 (there is --quick)" ;;
esac

passed=0
failed=0
skipped=0
failures=()
jobs=${CAMPUS_JOBS:-2}
# An address sanitizer's report must fail its test, never be swallowed.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

# step NAME COMMAND...: one thing that passes or fails.
step() {
    local name=$1 begun=$SECONDS
    shift
    say "---- $name"
    if "$@"; then
        passed=$((passed + 1))
        say "---- $name: passed ($((SECONDS - begun)) s)"
    else
        failed=$((failed + 1))
        failures+=("$name")
        say "---- $name: FAILED ($((SECONDS - begun)) s)"
        return 1
    fi
}

# tests PRESET CTEST-ARGUMENT...: each test counts for itself.
tests() {
    local preset=$1 log=$ROOT/build/$1.ctest.log begun=$SECONDS counts=0 name
    shift
    say "---- tests of build/$preset: ctest $*"
    (cd "build/$preset" && ctest --output-on-failure --timeout 900 "$@") 2>&1 | tee "$log"
    while read -r name; do
        failed=$((failed + 1))
        failures+=("$preset: $name")
    done < <(sed -nE 's,^ *[0-9]+/[0-9]+ Test +#[0-9]+: ([^ ]+) .*\*\*\*(Failed|Timeout|Exception|Not Run).*,\1,p' "$log" | sort -u)
    skipped=$((skipped + $(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*Skipped' "$log")))
    counts=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log")
    passed=$((passed + counts))
    if ! grep -qE 'tests passed, [0-9]+ tests failed out of [0-9]+' "$log"; then
        failed=$((failed + 1))
        failures+=("$preset: ctest found no tests or did not finish")
    fi
    say "---- tests of build/$preset took $((SECONDS - begun)) s"
}

build() {
    "$ROOT/scripts/build.sh" "$1"
}

step "packages" "$ROOT/scripts/deps.sh" all
export CAMPUS_DEPS_DONE=1
if step "build dev (gcc, ASan + UBSan)" build dev; then
    tests dev -j "$jobs" -LE e2e
    ((quick)) || tests dev -L e2e_asan
fi
if ((!quick)) && step "build release (gcc)" build release; then
    tests release -j "$jobs" -L unit -LE 'e2e|rules'
    tests release -L e2e -LE e2e_asan
fi
# The other compiler has other warnings; it only compiles here, and no tests.
build_clang() {
    cmake -S . -B build/clang -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang >build/clang.configure.log 2>&1 ||
        { cat build/clang.configure.log; return 1; }
    cmake --build build/clang --target programs -- -j "$jobs"
}

((quick)) || step "build clang (compiles without a warning)" build_clang
for tool in format shell cppcheck tidy; do
    step "lint $tool" "$ROOT/scripts/lint.sh" "$tool"
done

for failure in "${failures[@]}"; do
    say "FAILED: $failure"
done
((skipped == 0)) || say "$skipped tests were skipped: each says why above"
echo "$passed passed, $failed failed"
((failed == 0))
