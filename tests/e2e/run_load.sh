#!/bin/bash
# The load tester against a stack of two brokers: every card over a connection of its own, gateways with batches, steps, and
# a broker that has no more descriptors; none lost, none twice. First, what ./campus bench load does by itself.
. "$(dirname "$0")/lib.sh"
need_programs campusd campusctl campus-sim campus-load

figure() { # FILE KEY
    sed -n "s/.*\"load\.$2\": *\([0-9.]*\).*/\1/p" "$1"
}

nothing_lost() { # FILE WHAT
    expect_equal "lost, $2" "$(figure "$1" lost)" 0
    expect_equal "doubled, $2" "$(figure "$1" doubled)" 0
    expect_equal "sent by nobody, $2" "$(figure "$1" unknown)" 0
    expect_equal "acknowledged, $2" "$(figure "$1" acked)" "$(figure "$1" sent)"
}

# load NAME OPTION...: its figures are in $STACK/NAME.json.
load() {
    local name=$1
    shift
    if ! "$BIN/campus-load" --broker "$CAMPUS_BROKERS" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" \
        --json "$STACK/$name.json" "$@" >"$STACK/log/load-$name.log" 2>&1; then
        bad "campus-load, $name"
    fi
    cat "$STACK/log/load-$name.log"
}

bench_load() {
    local json=$STACK.bench.json
    if CAMPUS_DEPS_DONE=1 CAMPUS_BIN=$BIN "$ROOT/scripts/bench.sh" load --quick --json "$json"; then
        expect_equal "lost" "$(figure "$json" lost)" 0
        expect_equal "doubled" "$(figure "$json" doubled)" 0
        expect "what stands behind the figures is kept" grep -q '"steps": *\[' "$json"
    else
        bad "campus bench load failed"
    fi
    rm -f "$json"
}

each_card() {
    load cards --rate 300 --interval-s 1 --seconds 10 --connections cards --generators 2
    nothing_lost "$STACK/cards.json" "a connection each"
    expect_equal "connections" "$(figure "$STACK/cards.json" connections)" 300
    expect_equal "generators" "$(figure "$STACK/cards.json" generators)" 2
    expect_equal "connections lost" "$(figure "$STACK/cards.json" connections_lost)" 0
}

gateways() {
    load gateways --step 1000:3 --step 2000:3 --interval-s 1 --gateways 40 --batch 10 --generators 2
    nothing_lost "$STACK/gateways.json" "gateways"
    expect "ten reports a message" test "$(figure "$STACK/gateways.json" messages)" -lt \
        "$(($(figure "$STACK/gateways.json" sent) / 5))"
    expect_equal "steps" "$(grep -o '"unacked": [0-9]*, "lag_ms"' "$STACK/gateways.json" | wc -l)" 2
}

batches() {
    load batches --rate 2000 --seconds 5 --interval-s 1 --batch 8
    nothing_lost "$STACK/batches.json" "several fixes a report"
}

# A broker with 60 descriptors, asked for 200 connections.
poor_broker() {
    local port
    port=$(free_port)
    printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >"$STACK/poor.conf"
    # shellcheck disable=SC2016
    spawn "$STACK/run/poor.pid" "$STACK/log/poor.log" sh -c 'ulimit -n 60; exec "$0" -c "$1"' \
        "$(command -v mosquitto || echo /usr/sbin/mosquitto)" "$STACK/poor.conf"
    wait_until 30 "a broker with few descriptors" listens "$port" || exit 1
    "$BIN/campus-load" --broker "mqtt://127.0.0.1:$port" --pg '' --cards "$STACK/city/load.csv" --rate 200 --interval-s 1 \
        --connections cards >"$STACK/log/load-poor.log" 2>&1
    expect_equal "exit status" $? 1
    expect "it tells of the limit of open files" grep -q 'connection [0-9]* of 200 failed: .*limit of open files' \
        "$STACK/log/load-poor.log"
    tail -n 1 "$STACK/log/load-poor.log"
    stop_process "$STACK/run/poor.pid" Mosquitto
}

trap e2e_close EXIT
BROKERS=2
stack_city load --pupils 4000 --schools 8
campusd_start
each_card
gateways
batches
poor_broker
campusd_stop
bench_load
