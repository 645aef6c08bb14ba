#!/bin/bash
# campusctl locate from the outside: answers in order, both datums, and what is wrong told by file, line and
# column. Usage: run_locate.sh CAMPUSCTL
set -u
CTL=$(realpath "$1")
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# expect STATUS STDOUT STDERR-PART ARGUMENT...
expect() {
    local status=$1 out=$2 err=$3 got
    shift 3
    "$CTL" locate "$@" >out.txt 2>err.txt
    got=$?
    [[ $got == "$status" ]] || fail "$*: exit status $got, wanted $status: $(cat err.txt)"
    [[ $(cat out.txt; echo .) == "$out"$'\n.' || $(cat out.txt; echo .) == "$out." ]] || fail "$*: said: $(cat out.txt)"
    grep -qF -- "$err" err.txt || fail "$*: stderr lacks \"$err\": $(cat err.txt)"
}

cat >fences.geojson <<'END'
{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"id":"zone"},"geometry":{"type":"Polygon","coordinates":
  [[[113,36],[113.2,36],[113.2,36.2],[113,36.2],[113,36]]]}},
{"type":"Feature","properties":{"id":"Annex"},"geometry":{"type":"Polygon","coordinates":
  [[[113.1,36.1],[113.3,36.1],[113.3,36.3],[113.1,36.3],[113.1,36.1]]]}},
{"type":"Feature","properties":{"id":"gate","radius_m":50,"datum":"wgs84"},"geometry":
  {"type":"Point","coordinates":[113.05,36.05]}},
{"type":"Feature","properties":{"id":"tree"},"geometry":{"type":"Point","coordinates":[113.05,36.05]}}
]}
END
printf 'name,LON, lat \n"a, b",113.15,36.15\nb,113.05,36.0500001\nc,0,0\nd,113.2,36.2\ne,113.20000001,36.25\n' >points.csv
gzip -k fences.geojson
answers=$'Annex|zone\ngate|zone\n\nAnnex|zone\nAnnex'

expect 0 "$answers" 'feature 4 (id "tree"): a Point has no area' \
    --fences fences.geojson --points points.csv --datum wgs84
expect 0 "$answers" '' --fences fences.geojson.gz --points=points.csv --datum WGS-84
# fences and points move together; only the gate says that it is WGS-84 already
expect 0 $'Annex|zone\nzone\n\nAnnex|zone\nAnnex' '' --fences fences.geojson --points points.csv --datum gcj02

printf 'lat,lon\n' >none.csv
expect 0 '' '' --fences fences.geojson --points none.csv --datum wgs84
: >empty.csv
expect 1 '' 'empty.csv: empty: a header line is needed' --fences fences.geojson --points empty.csv --datum wgs84
printf 'latitude,lon\n1,2\n' >bad.csv
expect 1 '' 'bad.csv: line 1: no column lat' --fences fences.geojson --points bad.csv --datum wgs84
printf 'id,lat,lon\na,1,2\nb,x1,2\n' >bad.csv
expect 1 '' 'bad.csv: line 3: column 2 (lat): "x1" is no number' --fences fences.geojson --points bad.csv --datum wgs84
printf 'id,lat,lon\na,1,2\nb,1\n' >bad.csv
expect 1 '' 'bad.csv: line 3: ends before column 3 (lon)' --fences fences.geojson --points bad.csv --datum wgs84
printf 'lat,lon\n36,113\n113,36\n' >bad.csv
expect 1 '' 'bad.csv: line 3: column 1 (lat): 113 is beyond 90 degrees' --fences fences.geojson --points bad.csv --datum wgs84
printf 'lat,lon\n36,nan\n' >bad.csv
expect 1 '' 'column 2 (lon): "nan" is no number' --fences fences.geojson --points bad.csv --datum wgs84
printf '{"type":"FeatureCollection","features":[{]}' >bad.geojson
expect 1 '' 'bad.geojson: not JSON: line 1 column' --fences bad.geojson --points points.csv --datum wgs84
sed 's/zone/a|b/' fences.geojson >bad.geojson
expect 1 '' 'the id "a|b" holds |' --fences bad.geojson --points points.csv --datum wgs84
expect 1 '' 'nothing.csv: No such file' --fences fences.geojson --points nothing.csv --datum wgs84
expect 2 '' '--datum is needed' --fences fences.geojson --points points.csv
expect 2 '' 'datum epsg is unknown' --fences fences.geojson --points points.csv --datum epsg
expect 2 '' '--fences and --points are needed' --datum wgs84
"$CTL" locate --fences fences.geojson --points points.csv --datum wgs84 >/dev/full 2>err.txt
[[ $? == 1 ]] || fail "a full disk is not told"
grep -q 'standard output' err.txt || fail "a full disk is not named: $(cat err.txt)"

exit "$failed"
