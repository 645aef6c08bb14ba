#!/bin/bash
# outage [--minutes N | --seconds N] [--rate N] [--cards N] [--before N]: PostgreSQL is stopped for so long while reports
# go on at the rate, then started. Tells how long alerts took before and during that, how fast the archive caught up, and
# counts every row. It ends with 1 if anything is lost, doubled or invented, an SOS has no alert or the archive stays behind.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"

BIN=${CAMPUS_BIN:-$ROOT/build/release/bin}
AWAY_S=600 RATE=2233 CARDS=134000 BEFORE_S=60
PATIENCE_S=120

read_options() {
    while (($# > 0)); do
        [[ ${2:-} =~ ^[0-9]{1,9}$ ]] || die "outage: $1 needs a number"
        case $1 in
        --minutes) AWAY_S=$(($2 * 60)) ;;
        --seconds) AWAY_S=$2 ;;
        --rate) RATE=$2 ;;
        --cards) CARDS=$2 ;;
        --before) BEFORE_S=$2 ;;
        *) die "outage: no option $1 (--minutes N, --seconds N, --rate N, --cards N, --before N)" ;;
        esac
        shift 2
    done
    ((CARDS >= 650)) || die "outage: --cards from 650: a school's worth"
}

begin() {
    trap finish EXIT
    stack_city outage --pupils "$CARDS" --schools $((CARDS / 650))
    campusd_start
}

finish() {
    local status=$?
    trap - EXIT
    stack_stop
    ((status == 0)) && stack_remove || say "what was left lies in $STACK"
    exit "$status"
}

# load_begin NAME SECONDS: reports, SOS and crossings; returns when the first reports of the run are in.
load_begin() {
    local reports
    reports=$(status_of reports)
    spawn "$STACK/run/load.pid" "$STACK/log/load-$1.log" "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" \
        --cards "$STACK/city/load.csv" --json "$STACK/$1.json" --rate "$RATE" --seconds "$2" --patience-s "$PATIENCE_S"
    TARGET=$((reports + RATE * 3)) # what warms up, and some seconds
    wait_until 120 "reports" reports_past || die "no reports: see $STACK/log/load-$1.log"
}

reports_past() {
    [[ $(status_of reports) -ge $TARGET ]]
}

load_end() { # NAME
    wait_until 900 "alerts and rows of the load" gone "$STACK/run/load.pid" || die "the load does not end"
    [[ -s $STACK/$1.json ]] || {
        cat "$STACK/log/load-$1.log" >&2
        die "the load failed"
    }
}

figure() { # NAME KEY
    sed -n "s/.*\"load\.$2\": *\([0-9.]*\).*/\1/p" "$STACK/$1.json" | head -n 1
}

archive_past() {
    local position
    position=$(status_of archive.position)
    [[ -n $position ]] && ((position >= TARGET))
}

# From the last look at which nothing had moved to the first at which all is there that waited.
catch_up() {
    local rows begun now deadline=$((SECONDS + 900))
    rows=$(status_of archive.rows)
    TARGET=$(status_of journal.appended)
    pg_start
    begun=$(date +%s%N)
    until archive_past; do
        ((SECONDS < deadline)) || die "the archive does not catch up"
        now=$(date +%s%N)
        [[ $(status_of archive.rows) != "$rows" ]] || begun=$now
        sleep 0.02
    done
    CAUGHT_MS=$((($(date +%s%N) - begun) / 1000000 + 1))
    CAUGHT_ROWS=$(($(status_of archive.rows) - rows))
}

tell() {
    local name
    echo "alerts, ms        median       99 %        max    SOS 99 %"
    for name in before during; do
        printf '%-12s %11s %10s %10s %11s\n' "$name" "$(figure $name alert_p50_ms)" "$(figure $name alert_p99_ms)" \
            "$(figure $name alert_max_ms)" "$(figure $name sos_p99_ms)"
    done
    awk -v rows="$CAUGHT_ROWS" -v ms="$CAUGHT_MS" -v rate="$RATE" -v away="$AWAY_S" 'BEGIN {
        printf "PostgreSQL away for %d s; caught up with %d rows in %.1f s: %.0f rows/s, %.1f times what arrived (%d/s)\n",
            away, rows, ms / 1000, rows * 1000 / ms, rows * 1000 / ms / rate, rate}'
}

check() {
    local name key wrong=0
    for name in before during; do
        for key in lost doubled unknown sos_silent; do
            [[ $(figure $name $key) == 0 ]] || {
                echo "WRONG: $name: load.$key is $(figure $name $key)"
                wrong=1
            }
        done
        echo "$name: $(figure $name sent) reports sent, $(figure $name acked) acknowledged, lost $(figure $name lost)," \
            "doubled $(figure $name doubled), SOS without alert $(figure $name sos_silent)"
    done
    return "$wrong"
}

main() {
    read_options "$@"
    if [[ -z ${CAMPUS_DEPS_DONE:-} ]]; then
        "$ROOT/scripts/deps.sh" run || say "outage: packages are missing"
        "$ROOT/scripts/build.sh" release >&2 || die "the build failed"
    fi
    begin
    load_begin before "$BEFORE_S"
    load_end before
    load_begin during $((AWAY_S + 7200)) # until it is told to end
    pg_stop
    say "PostgreSQL is stopped for $AWAY_S s at $RATE reports a second"
    sleep "$AWAY_S" # the outage itself: the one thing here that is time
    catch_up
    kill "$(pid_of "$STACK/run/load.pid")" || die "the load ended early"
    load_end during
    tell
    check
}

main "$@"
