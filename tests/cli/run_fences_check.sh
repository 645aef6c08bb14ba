#!/bin/bash
# campusctl fences check from the outside: it needs no database, finds what an import would refuse, and tells with
# --repair what would change. Usage: run_fences_check.sh CAMPUSCTL
set -u
CTL=$(realpath "$1")
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
unset CAMPUS_PG PGHOST PGSERVICE
export PGPORT=1 # nobody listens there
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# expect STATUS STDOUT STDERR ARGUMENT...: standard error holds every line of STDERR, and no more lines than it has.
expect() {
    local status=$1 out=$2 err=$3 got part
    shift 3
    "$CTL" fences check "$@" >out.txt 2>err.txt
    got=$?
    [[ $got == "$status" ]] || fail "$*: exit status $got, wanted $status: $(cat err.txt)"
    [[ $(cat out.txt) == "$out" ]] || fail "$*: said: $(cat out.txt)"
    while IFS= read -r part; do
        [[ -z $part ]] || grep -qF -- "$part" err.txt || fail "$*: stderr lacks \"$part\": $(cat err.txt)"
    done <<<"$err"
    if ((status != 2)); then # usage has more lines
        [[ $(grep -c . err.txt) == $(grep -c . <<<"$err") ]] || fail "$*: stderr has other lines too: $(cat err.txt)"
    fi
}

feature() { # ID COORDINATES
    echo "{\"type\":\"Feature\",\"properties\":{\"id\":\"$1\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[$2]}}"
}
square=$(feature yard '[[113,36],[113.2,36],[113.2,36.2],[113,36.2],[113,36]]')
bow=$(feature bow '[[113,36],[113.1,36.1],[113.1,36],[113,36.1],[113,36]]')
flat=$(feature flat '[[113,36],[113.1,36],[113.2,36],[113,36]]')
collection() {
    local IFS=,
    echo "{\"type\":\"FeatureCollection\",\"features\":[$*]}"
}

collection "$square" >good.geojson
collection "$square" "$bow" >bow.geojson
collection "$flat" "$square" "$bow" >flat.geojson
expect 0 'fences     1 good, 0 repaired, 0 refused' '' good.geojson --datum wgs84
expect 0 'fences     1 good, 0 repaired, 0 refused' '' good.geojson --datum wgs84 --repair

# the reason, the place in the file's own datum, and the way out
refused='ring 1: Self-intersection at 113.0500000, 36.0500000 (longitude, latitude in wgs84): mend it there, or let --repair do it'
expect 1 'fences     1 good, 0 repaired, 1 refused' "bow.geojson: feature 2 (id \"bow\"): $refused" bow.geojson --datum wgs84
expect 1 'fences     1 good, 0 repaired, 1 refused' 'at 113.05' bow.geojson --datum gcj02
grep -q 'in gcj02)' err.txt || fail "the place is not in the file's datum: $(cat err.txt)"

# one line says what changed: where, how many vertices and parts, how much of the area
expect 0 'fences     1 good, 1 repaired, 0 refused' \
    'feature 2 (id "bow"): repaired: Self-intersection at 113.0500000, 36.0500000 (longitude, latitude in wgs84): vertices 4 -> 6, parts 1 -> 2, area ' \
    bow.geojson --datum wgs84 --repair
grep -qE 'area [0-9.]+ -> [0-9.]+ m2, of which 0\.0 m2 \(0 %\) differ$' err.txt || fail "no areas: $(cat err.txt)"

# every refusal is told, not the first alone; a fence that no repair can save fails the check
expect 1 'fences     1 good, 0 repaired, 2 refused' "feature 1 (id \"flat\"): ring 1: no area
feature 3 (id \"bow\"): $refused" flat.geojson --datum wgs84
expect 1 'fences     1 good, 1 repaired, 1 refused' 'feature 1 (id "flat"): ring 1: no area: its positions lie on one line
feature 1 (id "flat"): no area
feature 3 (id "bow"): repaired: ' flat.geojson --datum wgs84 --repair

# a ring drawn at random: refused with words, and soon
awk 'BEGIN {
    srand(1)
    printf "{\"type\":\"Feature\",\"id\":\"x\",\"properties\":{},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[113,36]"
    for (i = 0; i < 2000; i++) printf ",[%.7f,%.7f]", 113 + rand(), 36 + rand()
    print ",[113,36]]]}}"
}' >tangled.geojson
expect 1 'fences     0 good, 0 repaired, 1 refused' 'it cannot be repaired: too tangled: more than 30000 crossings' \
    tangled.geojson --datum wgs84 --repair

echo '{"type":"FeatureCollection","features":[{]}' >broken.geojson
expect 1 '' 'broken.geojson: not JSON: line 1 column' broken.geojson --datum wgs84
expect 1 '' 'none.geojson: No such file' none.geojson --datum wgs84
expect 1 'fences     0 good, 0 repaired, 1 refused' 'feature 1 (id "yard"): no datum' good.geojson
expect 2 '' 'check does not take these options' good.geojson --pg 'host=/nowhere'
expect 2 '' 'check which file?'

((failed == 0)) && echo "fences check: all as expected"
exit "$failed"
