#!/bin/bash
# The journal's disk fills up for real and is healed; then the journal reaches its own limit while PostgreSQL is away.
# Nothing is acknowledged meanwhile, operators are told, an SOS is alerted all the same; then all goes on by itself and
# every report is archived once. The disk is a small tmpfs: where none can be mounted, that part is skipped.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/protobuf.sh"
need_programs campusd campusctl campus-load
DISK_MIB=12 CARDS=200
e2e_open

disk_close() {
    local status=$?
    stop_process "$STACK/run/load.pid" "the load" # before its folder goes
    campusd_stop
    ! mountpoint -q "$STACK/disk" || umount "$STACK/disk"
    (exit "$status")
    e2e_close
}
trap disk_close EXIT

status_is() { # KEY VALUE
    [[ $(status_of "$1") == "$2" ]]
}

status_over() { # KEY NUMBER
    [[ $(status_of "$1") -gt $2 ]]
}

# An SOS that wants no receipt: the broker alone has it.
sos() { # CARD
    unhex "$(field_varint 2 7)$(field_varint 3 1)$(field_bytes 7 \
        "$(field_fixed64 1 $(($(date +%s) * 1000)))$(field_varint 2 1)")" >"$STACK/payload"
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -t "campus/v1/s1/card/$1/up" -f "$STACK/payload"
}

heard_sos() { # CARD: lines
    grep "\"type\":\"sos\"" "$STACK/collected" | grep "\"card\":\"$1\""
}

archived_sos() {
    sql "select count(*) from campus.alert where type = 'sos' and json->'data'->>'card' = '$1'"
}

registry() {
    local i
    registry_begin
    echo 'school,card,lat,lon' >"$STACK/load.csv"
    for ((i = 1; i <= CARDS; i++)); do
        registry_card "c$i"
        echo "s1,c$i,36.2,113.1" >>"$STACK/load.csv"
    done
    registry_card lost1
    registry_card lost2
    registry_end
}

load_begin() {
    spawn "$STACK/run/load.pid" "$STACK/log/load.log" "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" \
        --cards "$STACK/load.csv" --receipts --json "$STACK/load.json" --rate 1000 --interval-s 0.2 --seconds 600 \
        --patience-s 120
    wait_until 60 "reports in the journal" status_over reports 1000 || exit 1
}

load_end() {
    local key pid
    pid=$(pid_of "$STACK/run/load.pid") && kill "$pid"
    wait_until 200 "the senders to have every receipt" gone "$STACK/run/load.pid"
    cat "$STACK/log/load.log"
    for key in lost doubled unknown sos_silent; do
        expect_equal "load.$key" "$(sed -n "s/.*\"load.$key\": *\([0-9.]*\).*/\1/p" "$STACK/load.json")" 0
    done
    rm -f "$STACK/load.json" "$STACK/log/load.log"
}

# What holds while nothing can be written.
in_trouble() { # CARD
    local durable
    durable=$(status_of journal.durable)
    sos "$1"
    wait_until 60 "the alert of the SOS" heard_sos "$1" && ok "an SOS is alerted that cannot be journalled"
    expect_equal "the journal's end meanwhile" "$(status_of journal.durable)" "$durable"
    expect "the log tells operators" grep -q 'level=error event=journal.trouble' "$STACK/log/campusd.log"
    expect "campusctl status tells why" test -n "$(status_of journal.trouble)"
    expect "the alert counts as early" status_over alerts.early 0
}

well_again() { # CARD
    wait_until 60 "the journal to be well" status_is journal.in_trouble 0 && ok "the journal goes on by itself"
    expect "the log tells that too" grep -q 'event=journal.healed' "$STACK/log/campusd.log"
    load_end
    wait_archived 60
    expect_equal "times that SOS is archived" "$(archived_sos "$1")" 1
    expect_equal "ids of that SOS heard" "$(heard_sos "$1" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | sort -u | wc -l)" 1
}

full_disk() {
    mkdir -p "$STACK/disk"
    if ! mount -t tmpfs -o "size=${DISK_MIB}m,mode=700" campus-e2e "$STACK/disk" 2>/dev/null; then
        echo "SKIPPED: a full disk: no right to mount a tmpfs here"
        return
    fi
    JOURNAL_DIRECTORY=$STACK/disk/journal JOURNAL_MORE='  segment_mib: 1'
    campusd_start
    collect_begin
    load_begin
    head -c $((DISK_MIB * 1048576)) /dev/zero >"$STACK/disk/ballast" 2>/dev/null # somebody else's
    wait_until 120 "the journal to find its disk full" status_is journal.in_trouble 1 && ok "the disk is full"
    in_trouble lost1
    expect_equal "times that SOS is archived meanwhile" "$(archived_sos lost1)" 0
    rm "$STACK/disk/ballast"
    well_again lost1
    campusd_stop
    stop_process "$STACK/run/collector.pid" "the listener"
}

own_limit() {
    JOURNAL_DIRECTORY=$STACK/journal JOURNAL_MORE='  segment_mib: 1
  max_mib: 4'
    : >"$STACK/log/campusd.log"
    campusd_start
    collect_begin
    load_begin
    # two snapshots, and none by the clock any more: they must not stand in the way when the archive has caught up
    wait_until 60 "snapshots" status_over snapshot.made 1
    sed -i 's/every_s: .*/every_s: 86400/' "$STACK/campus.yaml"
    kill -HUP "$(pid_of "$STACK/run/campusd.pid")"
    pg_stop # what is not archived may not be deleted
    wait_until 120 "the journal to reach its limit" status_is journal.in_trouble 1 && ok "the limit is reached"
    in_trouble lost2
    expect "it is not beyond its limit" test "$(($(status_of journal.durable) - $(status_of journal.first)))" -le 4194304
    pg_start
    well_again lost2
    expect "segments were deleted" status_over journal.first 0
}

SNAPSHOT_EVERY_S=1 # they fill the disk too, and fail with it
registry
full_disk
own_limit
