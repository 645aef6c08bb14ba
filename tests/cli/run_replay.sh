#!/bin/bash
# campusctl replay from the outside: a card that goes in and out of a circle, one that is thrown about by its
# receiver, and what is wrong told by file, line and column. Usage: run_replay.sh CAMPUSCTL
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

# expect_words WHAT STATUS PART: replays fixes.csv; standard error must hold PART.
expect_words() {
    "$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 >out.txt 2>err.txt
    local got=$?
    [[ $got == "$2" ]] || fail "$1: exit status $got, wanted $2: $(cat err.txt)"
    grep -qF -- "$3" err.txt || fail "$1: stderr lacks \"$3\": $(cat err.txt)"
}

cat >fences.geojson <<'END'
{"type":"Feature","properties":{"id":"yard","radius_m":100},"geometry":{"type":"Point","coordinates":[113.1,36.2]}}
END

# One fix a minute: 10 far east of the circle, 10 in its middle, 10 far east again.
walk() {
    echo card,time,lat,lon,accuracy_m
    for ((i = 0; i < 30; i++)); do
        ((i >= 10 && i < 20)) && lon=113.1 || lon=113.11
        echo "walker,$((1772400000 + i * 60)),36.2,$lon,10"
    done
}

walk >fixes.csv
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 >once.txt || fail "the walk"
[[ $(sed 's/.*"type":"\([a-z]*\)".*/\1/' once.txt | paste -sd' ') == "entered left" ]] || fail "the walk: $(cat once.txt)"
grep -q '^{"card":"walker","fence":"yard","type":"entered","time_ms":1772400[56][0-9]*,"raised_ms":17724006[0-9]*}$' once.txt ||
    fail "the arrival, within a fix of the crossing: $(head -n 1 once.txt)"
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 | cmp -s - once.txt || fail "twice is not the same"

# --explain adds the steps behind each alert: the last one is where the sum and the streak reach what they need
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 --explain >why.txt || fail "explain"
[[ $(sed 's/,"earliest_ms".*/}/' why.txt) == "$(cat once.txt)" ]] || fail "explain tells other alerts: $(cat why.txt)"
grep -q '"fence_version":1,"why":\[{"time_ms":1772400600000,"by":"unknown","accuracy_m":10.00,"distance_m":-[0-9]*,"firm":true,"word":3.662,"sum":3.662,"needed":6.205,' why.txt ||
    fail "the first step: $(head -n 1 why.txt)"
grep -q '"state":"outside"},{"time_ms":[0-9]*,"by":"unknown",[^}]*"state":"inside"}\]}$' why.txt || fail "the last step: $(head -n 1 why.txt)"

grep -q '"latest_ms":[0-9]*,"sure":0.99[0-9]*,"fence_version"' why.txt || fail "how sure: $(head -n 1 why.txt)"

# --steps tells every step, of those that led to nothing too
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 --steps steps.csv >out.txt || fail "steps"
cmp -s out.txt once.txt || fail "steps changes the alerts"
head -n 1 steps.csv | grep -q '^card,fence,time_ms,by,accuracy_m,distance_m,firm,word,sum,needed,' || fail "columns: $(head -n 1 steps.csv)"
(($(grep -c '^walker,yard,[0-9]*,unknown,10.00,-\{0,1\}[0-9]*,1,' steps.csv) == 13)) || fail "the steps: $(cat steps.csv)"
grep -q ',outside$' steps.csv && grep -q ',inside$' steps.csv || fail "the states: $(cat steps.csv)"
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 --steps /dev/full >out.txt 2>err.txt && fail "a full disk"
grep -q '/dev/full' err.txt || fail "a full disk is named: $(cat err.txt)"

# Whoever wants fewer false departures hears of them later, or not at all.
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 --false-left 0.1 --false-entered 0.5 >soon.txt || fail "rates"
[[ $(sed -n 's/.*"type":"left".*"raised_ms":\([0-9]*\).*/\1/p' soon.txt) -lt $(sed -n 's/.*"type":"left".*"raised_ms":\([0-9]*\).*/\1/p' once.txt) ]] ||
    fail "a departure that is told sooner: $(cat soon.txt)"
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 --miss 1 2>err.txt && fail "a rate of 1"
grep -q -- "--miss: 1 is no share from 0.000001 to 0.5" err.txt || fail "the rate is named: $(cat err.txt)"

# A zone that is passed between two fixes is explained by the way.
cat >pond.geojson <<'END'
{"type":"Feature","properties":{"id":"pond","kind":"danger","radius_m":40},"geometry":{"type":"Point","coordinates":[113.1,36.2]}}
END
{
    echo card,time,lat,lon,accuracy_m,source
    for ((i = 0; i < 12; i++)); do
        case $i in
        [0-6]) lon=113.097 ;;
        7) lon=113.0991 ;;
        8) lon=113.1009 ;;
        *) lon=113.10$((i - 7)) ;;
        esac
        echo "walker,$((1772400000 + i * 60)),36.2,$lon,10,gnss"
    done
} >fixes.csv
"$CTL" replay --fences pond.geojson --fixes fixes.csv --datum wgs84 --explain >out.txt || fail "the pond"
grep -q '"type":"danger",.*"why":\[{"time_ms":[0-9]*,"by":"way","way_s":60,"distance_m":-[34][0-9],"sum":[5-7].[0-9]*,"needed":4.595,"state":"outside"}\]}$' out.txt ||
    fail "the way past the pond: $(cat out.txt)"
walk >fixes.csv

# RFC 3339 says the same as Unix seconds
awk -F, -v OFS=, 'NR > 1 {$2 = strftime("%Y-%m-%dT%H:%M:%SZ", $2, 1)} {print}' fixes.csv >other.csv 2>/dev/null &&
    [[ $(wc -l <other.csv) == 31 ]] &&
    { "$CTL" replay --fences fences.geojson --fixes other.csv --datum wgs84 | cmp -s - once.txt || fail "RFC 3339"; }

# A receiver that claims 2 m and is 300 m wrong every tenth minute moves nobody.
{
    echo card,time,lat,lon,accuracy_m
    for ((i = 0; i < 60; i++)); do
        ((i % 10 == 9)) && echo "liar,$((1772400000 + i * 60)),36.2,113.1034,1.9" ||
            echo "liar,$((1772400000 + i * 60)),36.2,113.1,15"
    done
} >fixes.csv
"$CTL" replay --fences fences.geojson --fixes fixes.csv --datum wgs84 >out.txt || fail "the liar"
[[ ! -s out.txt ]] || fail "the liar moved somebody: $(cat out.txt)"

# --silence: the clock goes on between arrivals. An hour without a fix on a school's ground is told, and makes the leaving
# after it doubtful; without the option there are only the doubts.
{
    echo card,time,lat,lon,accuracy_m
    for ((i = 0; i < 30; i++)); do
        ((i >= 15)) && at=$((1772403600 + i * 60)) lon=113.11 || at=$((1772400000 + i * 60)) lon=113.1
        echo "sleeper,$at,36.2,$lon,10"
    done
} >fixes.csv
sed 's/"id":"yard"/"id":"yard","kind":"school"/' fences.geojson >school.geojson
"$CTL" replay --fences school.geojson --fixes fixes.csv --datum wgs84 --silence >silent.txt || fail "silence"
[[ $(sed 's/.*"type":"\([a-z]*\)".*/\1/' silent.txt | paste -sd' ') == "silent heard left" ]] || fail "silence: $(cat silent.txt)"
grep -q '^{"card":"sleeper","type":"silent","time_ms":1772400840000,"raised_ms":17724014[4-9][0-9]*}$' silent.txt ||
    fail "when it was last heard: $(head -n 1 silent.txt)"
"$CTL" replay --fences school.geojson --fixes fixes.csv --datum wgs84 >out.txt || fail "no silence"
[[ $(grep -c '"type":"left".*,"doubts":\["silence"\]}$' out.txt) == 1 && $(wc -l <out.txt) == 1 ]] || fail "no silence: $(cat out.txt)"

# The same walk told in GCJ-02 is half a kilometre away: nobody enters.
walk >fixes.csv
sed 's/"radius_m":100/"radius_m":100,"datum":"wgs84"/' fences.geojson >declared.geojson
"$CTL" replay --fences declared.geojson --fixes fixes.csv --datum gcj02 >out.txt || fail "gcj02"
[[ ! -s out.txt ]] || fail "a datum was not converted: $(cat out.txt)"

printf 'card,time,lat,lon\nc,1772400000,36.2,113.1\n' >fixes.csv
expect_words "a missing column" 1 "fixes.csv: line 1: no column accuracy_m"
printf 'card,time,lat,lon,accuracy_m\nc,1772400000,36.2,113.1,5\nc,noon,36.2,113.1,5\n' >fixes.csv
expect_words "a time that is none" 1 'fixes.csv: line 3: column time: "noon"'
printf 'card,time,lat,lon,accuracy_m\nc,1772400000,96.2,113.1,5\n' >fixes.csv
expect_words "a place off the globe" 1 "fixes.csv: line 2: column lat"
rm fixes.csv
expect_words "no file" 1 "fixes.csv"

((failed == 0)) && echo "replay: all as expected"
exit "$failed"
