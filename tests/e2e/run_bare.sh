#!/bin/bash
# bench-bare: tells the CPU of campusd beside that of a bare subscriber, and leaves no session at the broker that nobody reads.
. "$(dirname "$0")/lib.sh"
need_programs campusd campusctl campus-load bench-bare

e2e_open
registry_begin
echo 'school,card,lat,lon' >"$STACK/cards.csv"
for ((i = 1; i <= 200; i++)); do
    registry_card "c$i"
    echo "s1,c$i,36.2,113.1" >>"$STACK/cards.csv"
done
registry_end
campusd_start
expect "a session is opened" "$BIN/bench-bare" --session e2e --broker "$CAMPUS_BROKER"
"$BIN/campus-load" --cards "$STACK/cards.csv" --broker "$CAMPUS_BROKER" --pg '' --rate 1500 --seconds 120 --interval-s 0.1 \
    --crossing-share 0 --sos-per-s 0 >"$STACK/log/load.log" 2>&1 &
load=$!
expect "bench-bare ends well" "$BIN/bench-bare" --pid "$(pid_of "$STACK/run/campusd.pid")" --broker "$CAMPUS_BROKER" \
    --rate 100 --seconds 6 --slices 2 --json "$STACK/bare.json"
kill "$load" 2>/dev/null
wait "$load" 2>/dev/null
for key in load.cpu_vs_bare_subscriber load.cpu_us_per_event load.bare_cpu_us_per_event load.events_per_cpu_s; do
    expect "$key is above 0" grep -qE "\"$key\": ([1-9]|0\.0*[1-9])" "$STACK/bare.json"
done
expect "what waits in a session is drained" grep -qE '^[1-9][0-9]*$' \
    <("$BIN/bench-bare" --session e2e --drain 1000 --broker "$CAMPUS_BROKER" 2>&1)
expect "--session beside --pid is told" grep -q "either --pid or --session" \
    <("$BIN/bench-bare" --session e2e --pid 1 --broker "$CAMPUS_BROKER" 2>&1)
# campusd's are connected; the broker counts anew with each of its reports, the first of which is an old one
mosquitto_sub -h 127.0.0.1 -p "$BROKER_PORT" -t '$SYS/broker/uptime' -C 3 -W 60 >/dev/null
sessions=$(mosquitto_sub -h 127.0.0.1 -p "$BROKER_PORT" -t '$SYS/broker/clients/disconnected' -C 1 -W 30)
expect_equal "sessions that nobody reads" "$sessions" 0
expect "a wrong --pid is told" grep -q "no process" <("$BIN/bench-bare" --pid 999999999 --broker "$CAMPUS_BROKER" 2>&1)
