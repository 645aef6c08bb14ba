#!/bin/bash
# Fences change while campusd is dead: what was told under the old ones is raised again under the old ones, live as by a
# campusd that reads the journal alone, from the start or from a snapshot; and the new ones hold for what comes after.
. "$(dirname "$0")/lib.sh"
need_programs campusd campusctl
SNAPSHOT_EVERY_S=1
e2e_open
registry_begin
registry_card first
registry_card second
registry_end

fence_at() { # LON
    printf '%s' '{"type":"Feature","properties":{"id":"yard","kind":"school","school":"s1","radius_m":100},
        "geometry":{"type":"Point","coordinates":['"$1"',36.2]}}' >"$STACK/fences.geojson"
    campusctl fences import "$STACK/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
}

# walk CARD LON: from far away to there, a fix a minute
walk() {
    local i lat
    echo "time,lat,lon,accuracy_m" >"$STACK/$1.csv"
    for ((i = 0; i < 24; i++)); do
        lat=36.21
        ((i < 10)) || lat=36.2
        echo "2026-03-02T08:$(printf %02d "$i"):00Z,$lat,$2,8"
    done >>"$STACK/$1.csv"
    trace_publish "$1" "$STACK/$1.csv"
}

snapshot_past() {
    (($(status_of snapshot.position) > $1))
}

two_snapshots() {
    (($(find "$STACK/journal" -name 'snapshot-*[0-9a-f]' | wc -l) == 2))
}

alerts_archived() { # and not "archived", which is what wait_archived asks
    sql "select id from campus.alert" | sort
}

fence_at 113.1
campusd_start
walk first 113.1
wait_archived
durable=$(status_of journal.durable)
expect_equal "told under the old fence" "$(alerts_archived | sed 's/-.*//')" entered
wait_until 20 "a snapshot behind it" snapshot_past "$durable"
campusd_kill9
fence_at 113.2
campusd_start
expect "it began at a snapshot" test "$(status_of snapshot.began_at)" -gt 0
walk second 113.2
wait_archived
check_publishers
expect_equal "told under the old fence and the new one" "$(alerts_archived | sed 's/-.*//' | paste -sd' ')" "entered entered"
expect_equal "raised by the journal alone" "$(journal_fold again | cut -f 1 | sort)" "$(alerts_archived)"
wait_until 20 "two snapshots kept" two_snapshots
campusd_kill9
snapshots=("$STACK"/journal/snapshot-*[0-9a-f])
printf 'damaged' | dd of="${snapshots[1]}" bs=1 seek=1000 conv=notrunc status=none
campusd_start
expect_equal "the newest is damaged: it began at the other" "$(printf %016x "$(status_of snapshot.began_at)")" "${snapshots[0]##*-}"
expect "the log says so" grep -q "snapshot.passed_over.*${snapshots[1]##*/}: damaged" "$STACK/log/campusd.log"
expect_equal "raised again under a damaged one" "$(status_of engine.alerts.entered)" 2
campusd_kill9
snapshots=("$STACK"/journal/snapshot-*[0-9a-f])
segment=$STACK/journal/0000000000000000.seg
cp "$segment" "$STACK/whole.seg"
truncate -s "$((16#${snapshots[0]##*-}))" "$segment" # its head counts too: shorter than any snapshot's position
"$BIN/campusd" --config "$STACK/campus.yaml" >"$STACK/log/short.log" 2>&1
expect_equal "a journal that ends before its snapshot is refused" "$? $(grep -c 'segments are missing' "$STACK/log/short.log")" "1 1"
mv "$STACK/whole.seg" "$segment"
rm "$STACK"/journal/snapshot-*
campusd_start
expect_equal "without a snapshot" "$(status_of snapshot.began_at) $(status_of engine.alerts.entered)" "0 2"
expect_equal "records that it did not know" "$(status_of journal.unknown_records)" 0
wait_archived
expect_equal "archived" "$(alerts_archived | wc -l)" 2
