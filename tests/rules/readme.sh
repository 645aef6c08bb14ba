#!/bin/bash
# Every directory says in a README.md of at most a screen what it is for; links between our pages lead somewhere;
# README.md names the command that .ci/run runs.
set -u
. "$(dirname "$0")/lib.sh"

LINES_MAX=60

check_links() { # TREE FILE
    local link target
    while read -r link; do
        target=${link%%#*}
        [[ -z $target || $target == *://* || $target == mailto:* ]] && continue
        [[ -e $1/$(dirname "$2")/$target ]] || finding "$2: link to $target leads nowhere"
    done < <(grep -oE '\]\([^) ]+\)' "$1/$2" | sed 's/^](//; s/)$//')
}

check() { # TREE
    local dir file lines
    for dir in $(files "$1" '*' | grep / | cut -d/ -f1 | grep -v '^\.' | sort -u) docs/decisions tests/rules tests/e2e; do
        file=$dir/README.md
        [[ -d $1/$dir && -n $(ls "$1/$dir") ]] || continue
        if [[ ! -s $1/$file ]]; then
            finding "$file: missing"
            continue
        fi
        lines=$(wc -l <"$1/$file")
        ((lines <= LINES_MAX)) || finding "$file: $lines lines, a screen has $LINES_MAX"
    done
    while read -r file; do
        check_links "$1" "$file"
    done < <(files "$1" '*.md')
    grep -q '\./campus test' "$1/README.md" || finding "README.md: does not name ./campus test"
    grep -q 'campus" test\|\./campus test' "$1/.ci/run" || finding ".ci/run: does not run ./campus test"
    return "$found"
}

# ---- self-check ----
mkdir -p "$SCRATCH/.ci" "$SCRATCH/a"
echo 'exec ./campus test' >"$SCRATCH/.ci/run"
echo './campus test, [a](a/README.md)' >"$SCRATCH/README.md"
touch "$SCRATCH/a/x.c"
echo 'words' >"$SCRATCH/a/README.md"
must_pass check "$SCRATCH"
seq 61 >"$SCRATCH/a/README.md"
must_find 'a/README.md: 61 lines' check "$SCRATCH"
rm "$SCRATCH/a/README.md"
must_find 'a/README.md: missing' check "$SCRATCH"
must_find 'README.md: link to a/README.md leads nowhere' check "$SCRATCH"
echo 'make test' >"$SCRATCH/README.md"
must_find 'does not name ./campus test' check "$SCRATCH"

judge "$TREE"
