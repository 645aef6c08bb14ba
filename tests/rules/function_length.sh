#!/bin/bash
# No function body is longer than 70 lines (50 are expected). In the house's layout a body stands between a line
# that is "{" and a line that is "}".
set -u
. "$(dirname "$0")/lib.sh"

check() { # TREE
    (cd "$1" && files "$1" '*.c' '*.h' | xargs -r awk '
        FNR == 1 {begin = 0}
        /^[a-zA-Z_].*\(/ {name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)}
        /^\{[[:space:]]*$/ {begin = FNR}
        /^\}[[:space:]]*$/ && begin {
            lines = FNR - begin - 1
            if (lines > 70) {printf "%s:%d: %s has %d lines, 70 at most\n", FILENAME, begin, name, lines; found = 1}
            begin = 0
        }
        END {exit found}') || found=1
    return "$found"
}

# ---- self-check ----
body() { # LINES
    printf 'struct x {\n'
    for _ in {1..80}; do echo '    int a;'; done
    printf '};\n\nstatic int *long_one(int a,\n                     int b)\n{\n'
    for ((i = 0; i < $1; i++)); do echo '    a++;'; done
    echo '}'
}
body 70 >"$SCRATCH/a.c"
must_pass check "$SCRATCH"
body 71 >"$SCRATCH/a.c"
must_find 'long_one has 71 lines' check "$SCRATCH"

judge "$TREE"
