#!/bin/bash
# A card is switched off and on again: the school hears of both, the parent of the first alone; after kill -9 the ticks of the
# journal give the same alerts again, and no other ones. That a card falls silent takes ten minutes and is not waited for here.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/protobuf.sh"
need_programs campusd campusctl
e2e_open
registry_begin
registry_card card
registry_end
printf '%s' '{"type":"Feature","properties":{"id":"yard","kind":"school","school":"s1","radius_m":100},
    "geometry":{"type":"Point","coordinates":[113.1,36.2]}}' >"$STACK/fences.geojson"
campusctl fences import "$STACK/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
campusd_start

# listen NAME TOPIC: the types heard there stand in $STACK/NAME
listen() {
    : >"$STACK/$1"
    spawn "$STACK/run/$1.pid" "$STACK/log/$1.log" sh -c 'exec stdbuf -oL mosquitto_sub -h 127.0.0.1 -p "$1" -q 1 -c -i "$2" \
        -t "$3" >>"$4"' sh "$BROKER_PORT" "$1" "$2" "$STACK/$1"
    wait_until 10 "the subscription to $2" hears "$1" "$2" || exit 1
}

hears() {
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -t "$2" -m hello
    [[ -s $STACK/$1 ]]
}

types() {
    sed -n 's/^{"specversion":"1.0","id":"[^"]*".*"type":"campus.alert.\([a-z_]*\).v1".*/\1/p' "$STACK/$1" | paste -sd' '
}

heard_by() { # NAME TYPES
    [[ $(types "$1") == "$2" ]]
}

card_says() { # SEQ FIX-HEX|'' [SIGNAL-HEX]
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -t campus/v1/s1/card/card/up -s \
        < <(unhex "$(pb_report "$1" "$2")${3:+$(field_bytes 7 "$3")}") || bad "mosquitto_pub failed"
}

ticks() {
    (($(status_of journal.durable) > $1))
}

listen school campus/v1/s1/alerts
listen parent campus/v1/guardian/g-card/alerts
now=$(date +%s)000
card_says 1 "$(pb_fix $((now - 20000)) 362000000 1131000000)"
card_says 2 '' "$(field_fixed64 1 $((now - 10000)))$(field_varint 2 4)"
wait_until 20 "the card to be switched off" heard_by school powered_off || bad "the school heard: $(types school)"
card_says 3 "$(pb_fix "$now" 362000000 1131000000)"
wait_until 20 "the card to be heard again" heard_by school "powered_off heard" || bad "the school heard: $(types school)"
for key in cards_silent cards_off cards_low; do
    expect_equal "engine.$key" "$(status_of "engine.$key")" 0
done

durable=$(status_of journal.durable)
wait_until 20 "ticks in a silent city" ticks "$durable"
expect_equal "alerts that the engine raised" "$(status_of engine.alerts.heard)" 1
wait_archived
campusd_kill9
campusd_start
expect_equal "alerts that it raised from the journal" "$(status_of engine.alerts.heard)" 1
expect_equal "records that it did not know" "$(status_of journal.unknown_records)" 0
wait_archived
expect_equal "alerts archived" "$(sql "select string_agg(type, ' ' order by raised) from campus.alert")" "powered_off heard"
expect_equal "dead letters" "$(sql 'select count(*) from campus.refused')" 0
expect_equal "the parent" "$(types parent | tr ' ' '\n' | sort -u)" powered_off
expect "the school heard no other ids" test "$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$STACK/school" | sort -u | wc -l)" = 2
