#!/bin/bash
# campusctl score from the outside: a simulated day that is replayed and scored, small files whose numbers are
# known, and what is wrong told by file and line. Usage: run_score.sh CAMPUSCTL CAMPUS_SIM
set -u
CTL=$(realpath "$1")
SIM=$(realpath "$2")
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
cd "$DIR" || exit 1
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

score() { # OPTION...
    "$CTL" score --truth truth.csv --alerts alerts.jsonl "$@" >out.txt 2>err.txt
}

# expect_row WHAT ROW: the table holds it, blanks aside; ROW ends where the test does not care.
expect_row() {
    awk '{$1 = $1; print}' out.txt | grep -q "^$2\( \|\$\)" || fail "$1: no row \"$2\": $(cat out.txt err.txt)"
}

# expect_words WHAT STATUS PART: standard error must hold PART.
expect_words() {
    score
    local got=$?
    [[ $got == "$2" ]] || fail "$1: exit status $got, wanted $2: $(cat out.txt err.txt)"
    grep -qF -- "$3" err.txt || fail "$1: stderr lacks \"$3\": $(cat err.txt)"
}

t0=1772400000
# alert CARD FENCE TYPE SECONDS RAISED_SECONDS [MORE]: as replay prints it
alert() {
    echo "{\"card\":\"$1\",\"fence\":\"$2\",\"type\":\"$3\",\"time_ms\":$((t0 + $4))000,\"raised_ms\":$((t0 + $5))000${6-}}"
}
# event PUPIL CARD FENCE TYPE SECONDS RAISED_SECONDS: as campusd sends it
event() {
    echo "{\"specversion\":\"1.0\",\"type\":\"campus.alert.$4.v1\",\"subject\":\"$1\",\"data\":{\"type\":\"$4\"," \
        "\"pupil\":\"$1\",\"card\":\"$2\",\"fence\":\"$3\",\"time_ms\":$((t0 + $5))000," \
        "\"earliest_ms\":$((t0 + $5 - 9))000,\"latest_ms\":$((t0 + $5 + 9))000,\"raised_ms\":$((t0 + $6))000}}"
}

# ---- a simulated day ----
"$SIM" city --schools 1 --pupils 200 --zones 20 --out city >/dev/null || fail "the city"
"$SIM" day --city city --pupils 50 --out fixes.csv --truth truth.csv >/dev/null || fail "the day"
"$CTL" replay --fences city/fences.geojson --fixes fixes.csv --datum wgs84 >alerts.jsonl || fail "the replay"
score || fail "the day: exit status $?"
[[ ! -s err.txt ]] || fail "the day: $(cat err.txt)"
[[ $(awk '$1 ~ /^(entered|left)$/ && $2 >= 50 && $3 >= 80 && $6 <= $2 / 10' out.txt | wc -l) == 2 ]] ||
    fail "the day: grounds: $(cat out.txt)"
[[ $(awk '$1 == "entered" || $1 == "left" {sum += $2} END {print sum}' out.txt) == $(grep -c ',school$' truth.csv) ]] ||
    fail "the day: the true crossings are others: $(cat out.txt)"
awk '$1 == "danger" && $2 + $5 == '"$(grep -c ',entered,danger$' truth.csv)"' {found = 1} END {exit !found}' out.txt ||
    fail "the day: danger zones entered: $(cat out.txt)"
grep -q '^place in ' out.txt || fail "the day: no places: $(cat out.txt)"

# ---- numbers that are known ----
{
    echo card,fence,time,event
    echo "a,yard,$t0,entered"
    echo "a,yard,$((t0 + 3600)),left"
    echo "b,yard,$t0,entered"
    echo "b,yard,$((t0 + 30)),left"
    echo "c,yard,$(date -u -d "@$t0" +%Y-%m-%dT%H:%M:%SZ),entered"
} >truth.csv
{
    alert a yard entered 10 120
    alert a yard entered 12 130       # double
    event p1 a yard left 3605 3900
    alert b yard entered 5 60         # of what is brief
    echo
    alert d yard entered 0 60         # whose card did nothing
    alert a lake left 3600 3660       # elsewhere
    alert a yard left 0 60            # nothing was left then
    echo '{"card":"a","type":"sos","time_ms":1772400000000,"raised_ms":1772400001000}'
} >alerts.jsonl
sed -i 's/ *#.*//' alerts.jsonl
score || fail "known numbers: exit status $?"
expect_row "known numbers" "entered 2 50.00 1 1 1 1 120 120 120 10"
expect_row "known numbers" "left 1 100.00 0 1 2 0 300 300 300 5"
expect_row "known numbers" "danger 0 - 0 0 0 0 - - - -"
[[ $(wc -l <out.txt) == 4 ]] || fail "rows without anything: $(cat out.txt)"
expect_words "other types" 0 "alerts.jsonl: 1 alerts of other types are not scored"
score --brief 30 || fail "--brief"
expect_row "nothing is brief" "entered 3 66.67 1 0 1 1"
expect_row "nothing is brief" "left 2 50.00 1 0 2 0"
gzip -k alerts.jsonl
"$CTL" score --truth truth.csv --alerts - <alerts.jsonl.gz 2>/dev/null | grep -q '^entered  *2  *50.00' || fail "gzip, -"
: >alerts.jsonl
score || fail "no alerts"
expect_row "no alerts" "entered 2 0.00 2 1 0 0 - - - -"

# what an alert tells as its bounds is what counts
printf 'pupil,card,fence,time,event\np1,a,yard,%d,entered\n' "$t0" >truth.csv
alert a yard entered 1800 1900 >alerts.jsonl
score
expect_row "told half an hour late" "entered 1 0.00 1 0 1 0"
alert a yard entered 1800 1900 ",\"earliest_ms\":$((t0 - 60))000,\"latest_ms\":$((t0 + 1800))000" >alerts.jsonl
score
expect_row "told with its bounds" "entered 1 100.00 0 0 0 0 1900 1900 1900 1800"
event p1 other yard entered 0 60 >alerts.jsonl
score
expect_row "another card" "entered 1 0.00 1 0 1 0"
printf 'pupil,fence,time,event\np1,yard,%d,entered\n' "$t0" >truth.csv
score
expect_row "by pupil, where no card is told" "entered 1 100.00 0 0 0 0"

# a danger zone entered is danger, left it is nothing; without kinds the word decides
{
    printf 'card,fence,time,event,kind\na,lake,%d,entered,danger\na,lake,%d,left,danger\n' "$t0" "$((t0 + 600))"
    printf 'a,hall,%d,entered,place\n' "$t0"
} >truth.csv
{
    alert a lake danger 3 60
    alert a hall entered 4 60
    alert a hall left 600 660
} >alerts.jsonl
score
expect_row "a kind that is danger" "danger 1 100.00 0 0 0 0 60 60 60 3"
expect_row "a kind that is danger" "left 0 - 0 0 0 0"
expect_row "a place" "place in 1 100.00 0 0 0 0 60 60 60 4"
expect_row "a place" "place out 0 - 0 0 1 0"
printf 'card,fence,time,event\na,lake,%d,danger\na,lake,%d,left\na,hall,%d,entered\n' "$t0" "$((t0 + 600))" "$t0" >truth.csv
score
expect_row "an event that is danger" "danger 1 100.00 0 0 0 0"
expect_row "an event that is danger" "entered 1 100.00 0 0 0 0"
expect_row "an event that is danger" "left 0 - 0 0 1 0"
sed -i 's/danger/entered/' truth.csv
expect_words "a danger zone that is not told" 0 "1 danger alerts are of fences that are no danger zones in truth.csv"
expect_row "a danger zone that is not told" "entered 2 50.00 1 0 0 0"

# ---- what is wrong ----
head='card,fence,time,event,kind'
truth() { # LINE: the third of the file
    printf '%s\na,yard,%d,entered,school\n%s\n' "$head" "$t0" "$1" >truth.csv
}
alert a yard entered 0 60 >alerts.jsonl
truth "a,yard,noon,left,school"
expect_words "a time that is none" 1 'truth.csv: line 3: column time: "noon" is no time: Unix seconds or RFC 3339'
truth "a,yard,${t0}000,left,school"
expect_words "milliseconds" 1 'truth.csv: line 3: column time: "1772400000000" is no time: Unix seconds or RFC 3339'
truth "a,yard,1772400,left,school"
expect_words "a time long ago" 1 'truth.csv: line 3: column time: "1772400" is before 2000'
truth "a,yard,$t0,vanished,school"
expect_words "an event that is none" 1 'truth.csv: line 3: column event: "vanished" is none of entered, left, danger'
truth "a,yard,$t0,left,house"
expect_words "a kind that is none" 1 'truth.csv: line 3: column kind: "house" is none of school, place, danger'
truth "a,yard,$t0,left,place"
expect_words "two kinds" 1 'truth.csv: line 3: column kind: "place" is not what a line above says'
truth "a,yard,$t0,danger,school"
expect_words "danger at school" 1 'truth.csv: line 3: column kind: "school" is no fence whose event is danger'
truth ",yard,$t0,left,school"
expect_words "nobody" 1 'truth.csv: line 3: column card: "" is empty'
truth "a,,$t0,left,school"
expect_words "nowhere" 1 'truth.csv: line 3: column fence: "" is empty'
printf 'card,fence,time\n' >truth.csv
expect_words "a missing column" 1 "truth.csv: line 1: no column event: the header needs"
rm truth.csv
expect_words "no file" 1 "truth.csv"

printf '%s\n' "$head" >truth.csv
{
    alert a yard entered 0 60
    echo '{"card":"a","fence":'
} >alerts.jsonl
expect_words "no JSON" 1 "alerts.jsonl: line 2: no JSON: "
expect_words "no JSON" 1 "one alert a line, as campusctl replay prints it or campusd sends it"
echo '[1]' >alerts.jsonl
expect_words "no object" 1 "alerts.jsonl: line 1: no object"
for key in card fence time_ms raised_ms type; do
    alert a yard entered 0 60 | sed "s/\"$key\":/\"another\":/" >alerts.jsonl
    expect_words "no $key" 1 "alerts.jsonl: line 1: key \"$key\": missing or no "
done
alert a yard entred 0 60 >alerts.jsonl
expect_words "a type that is none" 1 'alerts.jsonl: line 1: key "type": "entred" is no alert'
alert a yard entered 0 60 | sed 's/000,"raised/,"raised/' >alerts.jsonl
expect_words "seconds" 1 'alerts.jsonl: line 1: key "time_ms": before 2000 or after 9999: times are in milliseconds'
alert a yard entered 0 60 ',"latest_ms":1772300000000' >alerts.jsonl
expect_words "bounds the wrong way round" 1 'alerts.jsonl: line 1: key "earliest_ms": after latest_ms'
score --brief soon
[[ $? == 2 ]] || fail "--brief soon"
"$CTL" score --truth truth.csv >out.txt 2>err.txt
[[ $? == 2 ]] || fail "no alerts given"
"$CTL" score --truth - --alerts - </dev/null >out.txt 2>err.txt
[[ $? == 2 ]] || fail "both from standard input"

((failed == 0)) && echo "score: all as expected"
exit "$failed"
