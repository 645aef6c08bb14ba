#!/bin/bash
# Bad input of every kind, from a broker where anybody may publish anything: each message is counted by its reason and
# kept as a dead letter; the good stream beside it is untouched; campusd and campusctl live on. SEED= for the random part.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/protobuf.sh"
need_data
need_programs campusd campusctl
SEED=${SEED:-$RANDOM}
echo "SEED=$SEED"
RANDOM=$SEED
e2e_open

good=$DATA_FOLDER/traces/run.gpx.gz
trace_list() {
    echo "good $good"
}
TRACES=$STACK/traces.txt
trace_list >"$TRACES"
registry_begin
registry_card good
registry_card bad
registry_card other '' s2
registry_end
trace_fences >"$STACK/fences.geojson"
campusctl fences import "$STACK/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
campusd_start
collect_begin

now=$(date +%s)000
sent=0
declare -A expected=()

# send REASON TOPIC <FILE: publishes standard input (no pipe: a subshell would keep the count); REASON is what it must be counted as ("any": one of them).
send() {
    cat >"$STACK/payload"
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -t "$2" -f "$STACK/payload" || bad "mosquitto_pub to $2 failed"
    sent=$((sent + 1))
    expected[$1]=$((${expected[$1]:-0} + 1))
}

# send_hex REASON TOPIC HEX
send_hex() {
    send "$1" "$2" < <(unhex "$3")
}

refused_sum() {
    campusctl status | awk -F= '/^refused\./ {n += $2} END {print n + 0}'
}

all_refused() {
    (($(refused_sum) >= sent))
}

json_text_of() { # the "raw" text of a line of JSON
    local text
    text=$(sed -nE 's/.*"raw": "(([^"\\]|\\.)*)".*/\1/p' <<<"$1")
    printf '%b' "${text//\\\"/\"}"
}

up=campus/v1/s1/card/bad/up
fix=$(pb_fix "$now" 362000000 1131000000)
whole=$(pb_report 1 "$fix")

trace_publish good "$good" &
WORKERS=$!

# ---- one of each reason ----
send_hex claim $up "$(pb_report 1 "$fix" good)"
send_hex claim $up "$(pb_report 1 "$fix" nobody)"
send_hex unknown_school campus/v1/s9/card/bad/up "$whole"
send_hex unknown_card campus/v1/s1/card/nobody/up "$whole"
send_hex unknown_gate campus/v1/s1/gate/nobody/up "$(field_varint 3 1)$(field_bytes 6 "$(field_fixed64 1 "$now")$(field_text 2 good)")"
send_hex wrong_school campus/v1/s1/card/other/up "$whole"
send_hex sequence $up "$(pb_report 0 "$fix")"
send_hex empty $up "$(pb_report 2 '')"
send_hex position $up "$(pb_report 3 "$(pb_fix "$now" 950000000 1131000000)")"
send_hex position $up "$(pb_report 4 "$(pb_fix "$now" 362000000 -1900000000)")"
send_hex position $up "$(pb_report 5 "$(pb_fix "$now" 362000000 1131000000 "$(field_varint 9 77)")")"
send_hex time $up "$(pb_report 6 "$(pb_fix 0 362000000 1131000000)")"
send_hex time $up "$(pb_report 7 "$(pb_fix $((now + 2 * 86400000)) 362000000 1131000000)")"
send_hex time $up "$(pb_report 8 "$(pb_fix -9223372036854775808 362000000 1131000000)")"
send_hex value $up "$(pb_report 9 "$(pb_fix "$now" 362000000 1131000000 "$(field_varint 8 101)")")"
send_hex value $up "$(pb_report 10 "$(pb_fix "$now" 362000000 1131000000 "$(field_varint 7 36000)")")"
send too_large $up < <(head -c 70000 /dev/zero)
wait_until 30 "every bad message to be counted" all_refused || bad "$sent sent, $(refused_sum) counted"
for reason in "${!expected[@]}"; do
    expect_equal "refused.$reason" "$(status_of "refused.$reason")" "${expected[$reason]}"
done

# ---- every truncation of a whole report; random bytes; texts where bytes belong ----
for ((length = 2; length < ${#whole}; length += 2)); do
    send_hex any $up "${whole:0:length}"
done
for _ in {1..40}; do
    for ((i = 0, noise = 0; i < 1 + RANDOM % 60; i++)); do noise+=$(printf '%02x' $((RANDOM % 256))); done
    # a byte with wire type 7 first: no noise is a message by chance
    send_hex any $up "0f${noise:1}"
done
while read -r line; do
    send any $up < <(json_text_of "$line")
done <"$DATA_FOLDER/invalid/geojsonhint_fixtures.jsonl"
while read -r line; do
    send any owntracks/some/phone < <(printf '%s' "$line")
done <"$DATA_FOLDER/invalid/turf_valid_kinks.jsonl"
wait_until 60 "every bad message to be counted" all_refused
expect_equal "bad messages counted" "$(refused_sum)" "$sent"
campusctl status | grep '^refused\.' | grep -v '=0$'

# ---- bad files of fences: refused or taken with words, never a crash ----
crashed=0
taken=0
refused=0
while read -r line; do
    json_text_of "$line" >"$STACK/bad.geojson"
    campusctl fences import "$STACK/bad.geojson" --datum wgs84 >"$STACK/log/fences.out" 2>&1
    case $? in
    0) taken=$((taken + 1)) ;;
    1)
        refused=$((refused + 1))
        grep -q '^campusctl: ' "$STACK/log/fences.out" || bad "no words about $line"
        ;;
    *)
        crashed=$((crashed + 1))
        cat "$STACK/log/fences.out"
        ;;
    esac
done < <(grep '"class": "bad"' "$DATA_FOLDER/invalid/geojsonhint_fixtures.jsonl")
echo "fence files: $refused refused, $taken taken"
expect_equal "crashes of campusctl fences import" "$crashed" 0
expect_equal "bad fence files taken" "$taken" 0

# ---- the good stream ----
wait "$WORKERS"
check_publishers
WORKERS=
expect "campusd is the process that was started" running "$STACK/run/campusd.pid"
wait_archived
expect_equal "dead letters kept" "$(sql "select count(*) from campus.refused")" "$sent"
check_fixes
check_alerts
