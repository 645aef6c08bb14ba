#!/bin/bash
# demo: a tour through the guarantees on a stack of its own, which is gone afterwards. Two or three minutes.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"

BIN=$ROOT/build/release/bin

tell() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}

close_demo() {
    stack_stop
    rm -rf "$STACK"
    [[ $RUN == "$STACK"/* ]] || rm -rf "$RUN"
    [[ $DATA == "$STACK" ]] || rm -rf "$DATA"
}

more_alerts() { # than $1, by campusd's own count since its start
    local raised
    raised=$(status_of alerts.raised)
    [[ -n $raised ]] && ((raised >= $1))
}

caught_up() {
    local position
    position=$(status_of archive.position)
    [[ -n $position ]] && ((position >= TARGET))
}

wait_caught_up() {
    TARGET=$(status_of journal.appended)
    wait_until 120 "the archive to catch up" caught_up || die "the archive does not catch up: see $STACK/log"
}

"$ROOT/scripts/build.sh" release || die "the build failed"
STACK=$(mktemp -d "${TMPDIR:-/tmp}/campus-demo.XXXXXX")
chmod 711 "$STACK"
stack_open
trap close_demo EXIT
trap 'exit 130' INT TERM
pg_start
broker_start
"$BIN/campus-sim" city --out "$STACK/city" --seed 1 --schools 12 --pupils 6000 >/dev/null || die "campus-sim city failed"
campusctl import "$STACK/city" && campusctl fences import "$STACK/city/fences.geojson" --datum wgs84 || die "the import failed"
campusd_start

tell "1. A school morning at sixty times its speed: 300 pupils walk, ride and swipe at gates."
spawn "$STACK/run/pupils.pid" "$STACK/log/pupils.log" "$BIN/campus-sim" day --city "$STACK/city" --pupils 300 \
    --speed 60 --start 07:10 --broker "$CAMPUS_BROKER"
timeout 120 "$BIN/campusctl" alerts tail --count 10 || {
    tail -n 3 "$STACK/log/pupils.log" >&2
    die "no alerts"
}

tell "2. kill -9 of campusd. What it had acknowledged lies in the journal; it reads that and goes on."
campusd_kill9
campusd_start
campusctl status | grep -E '^(journal.replayed_records|journal.replay_ms|state)='

tell "3. kill -9 of PostgreSQL. Alerts go on, the journal grows."
pg_kill9
before=$(status_of alerts.raised)
wait_until 120 "ten more alerts without PostgreSQL" more_alerts $((before + 10)) || die "no alerts without PostgreSQL"
timeout 120 "$BIN/campusctl" alerts tail --count 3
echo "journal at $(status_of journal.durable), archive at $(status_of archive.position)"

tell "4. PostgreSQL is back. The archive catches up by itself, each event once."
pg_start
wait_caught_up
echo "journal at $TARGET, archive at $(status_of archive.position)"
sql "select count(*) || ' fixes, ' || (select count(*) from campus.alert) || ' alerts, '
    || (select count(*) from (select 1 from campus.fix group by card_no, epoch, seq, idx having count(*) > 1) twice)
    || ' fixes twice' from campus.fix"

tell "That was it. ./campus up keeps a whole city running."
