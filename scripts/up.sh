#!/bin/bash
# up [--detach]: from a bare machine to scrolling alerts; a second time, whatever does not run is started again.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"

ALERTS_WITHOUT_TERMINAL=20
STACK=${CAMPUS_VAR:-$ROOT/var}
BIN=$ROOT/build/release/bin
detach=0

load_city() {
    local city=$STACK/city
    [[ -e $city/.loaded ]] && return 0
    say "making the sample city: 206 schools, 134,000 pupils (invented, seed 1)"
    "$BIN/campus-sim" city --out "$city" --seed 1 || die "campus-sim city failed"
    campusctl import "$city" || die "campusctl import failed"
    campusctl fences import "$city/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
    touch "$city/.loaded"
}

start_pupils() {
    running "$STACK/run/pupils.pid" && return 0
    : >"$STACK/log/pupils.log"
    spawn "$STACK/run/pupils.pid" "$STACK/log/pupils.log" "$BIN/campus-sim" day --city "$STACK/city" \
        --pupils "${CAMPUS_PUPILS:-300}" --speed "${CAMPUS_SPEED:-60}" --start 07:10 --repeat \
        --broker "$CAMPUS_BROKER"
    wait_until 30 "the first simulated report" pupils_walk_or_ended
    if gone "$STACK/run/pupils.pid"; then
        tail -n 5 "$STACK/log/pupils.log" >&2
        die "campus-sim day ended at once: see $STACK/log/pupils.log"
    fi
}

pupils_walk_or_ended() {
    [[ -s $STACK/log/pupils.log ]] || gone "$STACK/run/pupils.pid"
}

tell() {
    cat >&2 <<END
campus: running below $STACK, logs in $STACK/log
campus:   broker $CAMPUS_BROKER    PostgreSQL "$CAMPUS_PG"
campus:   ask it:  build/release/bin/campusctl status | alerts tail | fences list
campus:   stop it: ./campus down
campus: the pupils' day runs ${CAMPUS_SPEED:-60} times as fast and ends now, so its times lie in the past: hence "(late)"
END
}

show_alerts() {
    if ((detach)); then
        return 0
    elif [[ -t 1 ]]; then
        say "alerts, as they come (Ctrl-C ends the view, not the programs):"
        trap 'echo; say "the programs go on; ./campus down stops them"; exit 0' INT
        campusctl alerts tail
    else
        say "the first $ALERTS_WITHOUT_TERMINAL alerts:"
        timeout 300 "$BIN/campusctl" alerts tail --count "$ALERTS_WITHOUT_TERMINAL" ||
            die "no $ALERTS_WITHOUT_TERMINAL alerts within 5 minutes: see $STACK/log"
        say "the programs go on; ./campus down stops them"
    fi
}

case ${1:-} in
--detach) detach=1 ;;
'') ;;
*) die "up: no option $1 (there is --detach)" ;;
esac

"$ROOT/scripts/build.sh" release || die "the build failed: what it said stands above"
mkdir -p "$STACK"
exec 9>"$STACK/lock"
flock -n 9 || die "another ./campus up or down is at work on $STACK"
stack_open
pg_start
broker_start
load_city
campusd_start
start_pupils
tell
exec 9>&-
show_alerts
