#!/bin/bash
# Functions that are not called, words that are not left behind, paths that only exist elsewhere.
set -u
. "$(dirname "$0")/lib.sh"

FUNCTIONS='(^|[^a-zA-Z0-9_])(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca)[[:space:]]*\('
WORDS='(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)'
PATHS='(^|[^A-Za-z0-9_.])/(home|root|Users)/[A-Za-z0-9_]|(^|[^A-Za-z0-9_])shared/data'

check() { # TREE
    (cd "$1" && files "$1" '*.c' '*.h' | xargs -r grep -nE "$FUNCTIONS" /dev/null) |
        sed 's/$/   <- banned function/' | grep . && found=1
    (cd "$1" && files "$1" '*' | grep -vE '^tests/(rules/banned\.sh|fuzz/corpus/)' | xargs -r grep -nIE "$WORDS" /dev/null) |
        sed 's/$/   <- nothing is left for later in the tree: an issue or the work itself/' | grep . && found=1
    (cd "$1" && files "$1" '*' | grep -vE '^tests/' | xargs -r grep -nIE "$PATHS" /dev/null) |
        sed 's/$/   <- a path that users do not have/' | grep . && found=1
    return "$found"
}

# ---- self-check ----
printf 'int x = snprintf_atoi(1);\nchar t[] = "/tmp/a-XXXXXX";\n' >"$SCRATCH/a.c"
must_pass check "$SCRATCH"
echo 'int x = atoi (text);' >"$SCRATCH/a.c"
must_find 'a.c:1:int x = atoi' check "$SCRATCH"
echo '/* FIXME later */' >"$SCRATCH/a.c"
must_find 'nothing is left for later' check "$SCRATCH"
echo 'see /home/x' >"$SCRATCH/a.md"
must_find 'a path that users do not have' check "$SCRATCH"

judge "$TREE"
