#!/bin/bash
# An ordinary phone with OwnTracks stands in for a card: its JSON raises the alerts that the card's reports raise.
. "$(dirname "$0")/lib.sh"
need_data
need_programs campusd campusctl
e2e_open

file=$DATA_FOLDER/traces/run.gpx.gz
trace_list() {
    echo "phone $file"
}
registry_begin
registry_card phone walker/handset
registry_end
trace_fences >"$STACK/fences.geojson"
campusctl fences import "$STACK/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
campusd_start
collect_begin

count=$(trace_points "$file" | wc -l)
begin=$(($(date +%s) - 600 - count * 10))
trace_points "$file" | awk -v begin="$begin" '{
    printf "{\"_type\":\"location\",\"lat\":%s,\"lon\":%s,\"tst\":%d,\"acc\":8,\"batt\":80,\"tid\":\"wh\"}\n", $1, $2, begin + NR * 10}' |
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -i handset -t owntracks/walker/handset -l || bad "mosquitto_pub failed"

all_taken() {
    local reports
    reports=$(status_of reports)
    [[ -n $reports ]] && ((reports >= count))
}
wait_until 30 "all $count locations" all_taken || bad "only $(status_of reports) of $count locations were taken"
wait_archived
expect_equal "locations in the archive" "$(sql "select count(*) from campus.fixes where card = 'phone'")" "$count"
check_alerts
