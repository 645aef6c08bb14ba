#!/bin/bash
# bench/RESULTS.md: a section is replaced in its place, the others keep every byte. Usage: run_results.sh SOURCE_DIR
set -u
. "$1/scripts/lib.sh"
. "$1/scripts/results.sh"
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
failed=0

# expect WHAT: RESULTS.md is now the text on standard input.
expect() {
    if ! diff - RESULTS.md; then
        echo "FAILED: $1"
        failed=1
    fi
}

RESULTS_HEAD='# Results'
echo 'first' >body
results_replace RESULTS.md geo body
expect 'a missing file is begun' <<'END2'
# Results

## geo

first
END2

printf '```\n## geo\n  two  spaces\n```\n' >body
results_replace RESULTS.md load body
echo 'third' >body
results_replace RESULTS.md archive body
expect 'new sections go to the end' <<'END2'
# Results

## geo

first

## load

```
## geo
  two  spaces
```

## archive

third
END2

printf 'second & \\1\n\nthird\n' >body
results_replace RESULTS.md geo body
echo 'last' >body
results_replace RESULTS.md archive body
expect 'a section is replaced in its place, a heading in a block is none' <<'END2'
# Results

## geo

second & \1

third

## load

```
## geo
  two  spaces
```

## archive

last
END2

cp RESULTS.md before
results_replace RESULTS.md archive body
expect 'the same again changes nothing' <before

printf '\n\ncity\n  batch 20\n' >table
results_body table 'a machine' 123abc './campus bench geo' | sed 's/date: .*/date:/' >RESULTS.md
expect 'a section tells machine, commit, date and command before the table' <<'END2'
- machine: a machine
- commit: 123abc
- date:
- command: `./campus bench geo`

```
city
  batch 20
```
END2
((failed == 0)) && echo 'passed'
exit "$failed"
