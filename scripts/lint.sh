#!/bin/bash
# lint [format|tidy|cppcheck]: all of them without a word. Only our own files; nothing generated.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT" || exit 1

jobs=${CAMPUS_JOBS:-2}

lint_format() {
    source_files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
}

# Every source that the dev build compiles: headers are seen through them.
lint_tidy() {
    [[ -e build/dev/compile_commands.json ]] || "$ROOT/scripts/build.sh" dev || return 1
    local compiled
    compiled=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' build/dev/compile_commands.json | sed "s|^$ROOT/||" | sort -u)
    source_files '*.c' | grep -Fx -f <(printf '%s\n' "$compiled") |
        xargs -r -P "$jobs" -n 1 clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option 2>&1 |
        grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter|^$'
    return "${PIPESTATUS[2]}"
}

lint_cppcheck() {
    source_files '*.c' | xargs -r cppcheck -q -j "$jobs" --std=c11 --enable=warning,performance,portability \
        --inline-suppr --suppress=missingIncludeSystem -D_GNU_SOURCE -D__linux__ -I . --error-exitcode=1
}

lint_shell() {
    local file failed=0
    for file in campus $(source_files '*.sh'); do
        bash -n "$file" || failed=1
    done
    return "$failed"
}

failed=0
for tool in ${1:-format shell cppcheck tidy}; do
    say "lint: $tool"
    "lint_$tool" || {
        say "lint: $tool has findings"
        failed=1
    }
done
exit "$failed"
