#!/bin/bash
# campus-load --ladder: tells steps with the cores of each part, how late the archive was, and the knee with who stood in the
# way. How fast this machine is, is not asked.
. "$(dirname "$0")/lib.sh"
need_programs campusd campusctl campus-load

# climb OPTION...: two seconds a step, four cards of six; leaves $STACK/load.json.
climb() {
    "$BIN/campus-load" --cards "$STACK/cards.csv" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" \
        --part campusd="$(pid_of "$STACK/run/campusd.pid")" --part mosquitto="$(pid_of "$STACK/run/mosquitto.pid")" \
        --part postgres="$(pid_of "$STACK/run/postgres.pid")" --ladder --rate 40 --rate-max 80 --factor 2 --step-s 2 \
        --interval-s 0.1 --connections 2 --sos-per-s 2 --patience-s 90 --json "$STACK/load.json" "$@"
}

says() { # WHAT REGEX
    expect "$1" grep -qE "$2" "$STACK/load.json"
}

e2e_open
registry_begin
echo 'school,card,lat,lon' >"$STACK/cards.csv"
for i in 1 2 3 4 5 6; do
    registry_card "c$i"
    echo "s1,c$i,36.2,113.1" >>"$STACK/cards.csv"
done
registry_end
campusd_start

expect "a ladder with wide bounds ends well" climb --alert-ms 600000 --archive-ms 600000 --lag-ms 600000
says "steps tell the cores of each part" '"cpu": \{"campusd": [0-9.e-]+, "mosquitto": [0-9.e-]+, "postgres": [0-9.e-]+, "load": '
says "steps tell how late the archive was" '"archive_p50_ms": [0-9.]+, "archive_p99_ms": [1-9]'
says "its latency is told by percentile" '"archived": \[\[10(\.0)?, [0-9.]+\]'
says "figures of the archive" '"load\.archived_p99_ms": [0-9.]+'
says "versions" '"versions": \{"broker": "mosquitto version [^"]+", "PostgreSQL": "[0-9.]+'
says "the knee, or that it was not reached" '"knee": \{("by": "not reached"|"rate": )'
says "nothing was lost" '"load\.lost": 0(\.0)?[,}]'

# rows are written in batches: none is there within a millisecond
expect "a ladder whose first step breaks ends well" climb --archive-ms 1
says "the step names the measure and the part" '"broke": "[^"]+", "broke_by_measure": "[a-z]+", "by": "[a-z]+'
says "the knee names who stood in the way" '"knee": \{"rate": 0(\.0)?, "broke_at": [0-9.]+, "what": "[^"]+", "by": "[a-z]+", "why": "[^"]*campusd [0-9.]+, mosquitto'
