#!/bin/bash
# 2,000 reports a second for ten seconds: none lost, none twice.
. "$(dirname "$0")/lib.sh"
need_programs campusd campusctl campus-sim campus-load
json=$(mktemp)
trap 'rm -f "$json"; echo "$(basename "$0"): $passed ok, $failed failed"; exit $((failed > 0))' EXIT
if CAMPUS_DEPS_DONE=1 CAMPUS_BIN=$BIN "$ROOT/scripts/bench.sh" load --quick --json "$json"; then
    cat "$json"
    expect_equal "lost" "$(sed -n 's/.*"load\.lost": *\([0-9.]*\).*/\1/p' "$json")" 0
    expect_equal "doubled" "$(sed -n 's/.*"load\.doubled": *\([0-9.]*\).*/\1/p' "$json")" 0
else
    bad "campus bench load failed"
fi
