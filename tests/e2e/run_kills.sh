#!/bin/bash
# The same traces while everything is killed in turn, kill -9: campusd three times, PostgreSQL, Mosquitto. Nothing is
# lost, nothing stands twice, and what is heard twice has the same id.
. "$(dirname "$0")/lib.sh"
need_data
need_programs campusd campusctl
SNAPSHOT_EVERY_S=1
e2e_open
traces_begin

receipts_so_far() {
    sql "select count(*) from campus.fix"
}

past() {
    local rows
    rows=$(receipts_so_far) && ((rows >= $1))
}

taken_past() {
    local reports
    reports=$(status_of reports)
    [[ -n $reports ]] && ((reports >= $1))
}

points_of() {
    while read -r card file device; do trace_points "$file" "$device"; done <"$1" | wc -l
}

# Two waves, so that each kill falls into the middle of one.
split=$(($(wc -l <"$TRACES") * 2 / 3))
head -n "$split" "$TRACES" >"$STACK/first.txt"
tail -n "+$((split + 1))" "$TRACES" >"$STACK/second.txt"
first=$(points_of "$STACK/first.txt")
second=$(points_of "$STACK/second.txt")

publish_all "$STACK/first.txt" &
WORKERS=$!
for percent in 10 30 50; do
    wait_until 120 "$percent % of $first fixes in the archive" past $((first * percent / 100)) || bad "no way on"
    campusd_kill9
    echo "campusd killed at $(receipts_so_far) of $((first + second)) fixes"
    campusd_start
done
expect "the last restart began at a snapshot" test "$(status_of snapshot.began_at)" -gt 0
wait_until 120 "65 % of $first fixes in the archive" past $((first * 65 / 100)) || bad "no way on"
rows=$(receipts_so_far)
reports=$(status_of reports)
pg_kill9
# guarantee 4: reports are taken and journalled while PostgreSQL is away
wait_until 60 "reports taken without PostgreSQL" taken_past $((reports + first / 20)) &&
    ok "$(($(status_of reports) - reports)) reports taken while PostgreSQL was dead (since $rows fixes)"
pg_start
wait "$WORKERS"

publish_all "$STACK/second.txt" &
WORKERS=$!
wait_until 120 "30 % of the second $second fixes in the archive" past $((first + second * 30 / 100)) || bad "no way on"
broker_kill9
rows=$(receipts_so_far)
echo "Mosquitto killed at $rows of $((first + second)) fixes"
expect "Mosquitto was killed in the middle" test "$rows" -lt $((first + second))
broker_start
wait "$WORKERS"
WORKERS=
check_publishers
wait_archived 120
check_fixes
check_alerts
echo "resent by senders: $(sed -n 's/^published=.*resent=\([0-9]*\).*/\1/p' "$STACK"/log/publish-*.log | awk '{n += $1} END {print n + 0}')"
# the same id always carries the same words
expect_equal "ids heard with differing content" "$(sort -u "$STACK/collected" |
    sed -n 's/^{"specversion":"1.0","id":"\([^"]*\)".*/\1/p' | sort | uniq -d | wc -l)" 0
