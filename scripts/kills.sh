#!/bin/bash
# kills [--seed N] [--kills N] [--rate N] [--cards N] [--pause-ms N] [--keep]: kill -9 of campusd, Mosquitto, PostgreSQL and several at
# once, at moments drawn from the seed, while cards with receipts report at the rate. Then everything is counted:
#   every report with a receipt is in PostgreSQL once, and nothing else;
#   the alerts in PostgreSQL are those of an undisturbed campusd that reads a copy of the journal, id and every value;
#   a listener heard each of them at least once, and each id always with the same bytes.
# It ends with 1 on any difference; USR1 ends the kills early. A seed draws the same kinds and pauses again, not the same instants of the machine.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"

BIN=${CAMPUS_BIN:-$ROOT/build/release/bin}
SNAPSHOT_EVERY_S=2 # restarts begin at snapshots, and tell the same all the same
SEED='' KILLS=200 RATE=13400 CARDS=134000 PAUSE_MS=3000 KEEP=''
LOAD_SECONDS=7200 # longer than any run; the load ends when the kills are done
PATIENCE_S=180
FLOW_S=2
SETTLE_S=75 # above alerts.repeat_s
WRONG=0
PLAIN="(format csv, delimiter E'\\t', quote E'\\b')"

read_options() {
    while (($# > 0)); do
        case $1 in
        --seed) SEED=${2:-} ;;
        --kills) KILLS=${2:-} ;;
        --rate) RATE=${2:-} ;;
        --cards) CARDS=${2:-} ;;
        --pause-ms) PAUSE_MS=${2:-} ;;
        --keep)
            KEEP=1
            shift
            continue
            ;;
        *) die "kills: no option $1 (--seed N, --kills N, --rate N, --cards N, --pause-ms N, --keep)" ;;
        esac
        [[ ${2:-} =~ ^[0-9]{1,9}$ ]] || die "kills: $1 needs a number"
        shift 2
    done
    ((CARDS >= 650)) || die "kills: --cards from 650: a school's worth"
    [[ -n $SEED ]] || SEED=$((RANDOM * 32768 + RANDOM))
    RANDOM=$SEED
}

# draw N: DRAWN is from 0 to N-1. Never in a subshell, which would draw the same again.
draw() {
    DRAWN=$(((RANDOM * 32768 + RANDOM) % $1))
}

nap_ms() {
    sleep "$(($1 / 1000)).$(printf '%03d' $(($1 % 1000)))"
}

kill_one() {
    case $1 in
    campusd) campusd_kill9 ;;
    broker) broker_kill9 ;;
    postgres) pg_kill9 ;;
    esac
}

# Starts without waiting for the others: campusd comes up without a broker and without a database.
start_one() {
    case $1 in
    campusd) campusd_spawn ;;
    broker) broker_start ;;
    postgres) pg_start ;;
    esac
}

# Connected to everything, and through what the broker had kept for it: new reports flow again, FLOW_S seconds' worth. Without
# that a broker is killed again and again with the same queue, which grows, and nothing new is ever under way when they die.
back() {
    campusctl status 2>/dev/null | awk -F= -v before="$REPORTS" -v enough=$((RATE * FLOW_S)) '
        $1 == "state" {ready = $2 == "ready"} $1 == "brokers.up" {up = $2} $1 == "archive.connected" {connected = $2}
        $1 == "reports" {reports = $2}
        END {exit !(ready && up == 1 && connected && reports - before >= enough)}'
}

# draw_victims: VICTIMS in the order in which they die, KIND for the count.
draw_victims() {
    local all=(campusd broker postgres) kept i
    draw 4
    if ((DRAWN < 3)); then
        VICTIMS=("${all[DRAWN]}")
        KIND=${VICTIMS[0]}
        return
    fi
    KIND=mixed
    draw 3
    VICTIMS=("${all[DRAWN]}" "${all[(DRAWN + 1) % 3]}" "${all[(DRAWN + 2) % 3]}")
    draw 2
    ((DRAWN == 0)) && unset 'VICTIMS[2]'
    draw 2
    if ((DRAWN == 0)); then # the other way round
        kept=("${VICTIMS[@]}")
        VICTIMS=()
        for ((i = ${#kept[@]} - 1; i >= 0; i--)); do VICTIMS+=("${kept[i]}"); done
    fi
}

one_kill() {
    local victim again=''
    draw_victims
    draw "$PAUSE_MS"
    nap_ms "$DRAWN"
    REPORTS=$(status_of reports)
    running "$STACK/run/load.pid" || die "the load ended early: see $STACK/log/load.log"
    for victim in "${VICTIMS[@]}"; do kill_one "$victim"; done
    COUNT[$KIND]=$((${COUNT[$KIND]:-0} + 1))
    for victim in "${VICTIMS[@]}"; do start_one "$victim"; done
    draw 4
    if ((DRAWN == 0)) && [[ " ${VICTIMS[*]} " == *' campusd '* ]]; then
        draw 1500 # and once more while it reads its journal
        nap_ms "$DRAWN"
        campusd_kill9
        again=' twice'
        COUNT[at_start]=$((${COUNT[at_start]:-0} + 1))
        campusd_spawn
    fi
    [[ " ${VICTIMS[*]} " != *' campusd '* ]] || REPORTS=0
    wait_until 120 "everything to be back after kill $1 ($KIND: ${VICTIMS[*]}$again)" back ||
        die "it does not come back; seed $SEED; logs in $STACK/log"
}

journal_all_archived() {
    local position
    position=$(status_of archive.position)
    [[ -n $position ]] && ((position >= TARGET)) && [[ $(status_of alerts.waiting) == 0 ]]
}

begin() {
    trap finish EXIT
    stack_city kills --pupils "$CARDS" --schools $((CARDS / 650))
    campusd_start
    spawn "$STACK/run/load.pid" "$STACK/log/load.log" "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" \
        --cards "$STACK/city/load.csv" --receipts --heard "$STACK/heard" --json "$STACK/load.json" \
        --rate "$RATE" --seconds "$LOAD_SECONDS" --patience-s "$PATIENCE_S"
    wait_until 120 "the load to begin" load_reports || die "no report came: see $STACK/log/load.log"
    # The first reports of a city bring thousands of alerts at once, which each restart within a minute publishes again.
    ((CARDS < 10000)) || sleep "$SETTLE_S"
}

load_reports() {
    [[ $(status_of reports) -gt $((CARDS + RATE * 2)) ]]
}

finish() {
    local status=$?
    trap - EXIT
    stack_stop
    if ((status == 0)) && [[ -z $KEEP ]]; then
        stack_remove
    else
        say "what was left lies in $STACK"
    fi
    exit "$status"
}

wrong() {
    echo "DIFFERENT: $*"
    WRONG=1
}

figure() {
    sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$STACK/load.json" | head -n 1
}

check_rows() {
    local key
    cat "$STACK/log/load.log"
    [[ -s $STACK/load.json ]] || die "the load did not finish; seed $SEED"
    for key in load.lost load.doubled load.unknown load.sos_silent; do
        [[ $(figure "$key") == 0 ]] || wrong "$key is $(figure "$key")"
    done
    [[ $(figure load.acked) == "$(figure load.sent)" ]] || wrong "receipts for $(figure load.acked) of $(figure load.sent)"
}

fold_alerts() {
    journal_fold fold >"$STACK/fold.tsv" || wrong "campusd --fold failed: $(tail -n 1 "$STACK/log/fold.log")"
    # as PostgreSQL writes JSON
    "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$CAMPUS_PG" -c 'create temp table fold (id text, json jsonb)' \
        -c "copy fold from stdin with $PLAIN" -c "copy fold to stdout with $PLAIN" <"$STACK/fold.tsv" |
        LC_ALL=C sort >"$STACK/alerts.fold"
}

archived_alerts() {
    sql "copy (select id, json from campus.alert) to stdout with $PLAIN" | LC_ALL=C sort
}

# same WHAT FILE FILE: sorted lines.
same() {
    if cmp -s "$2" "$3"; then
        echo "same:         $1: $(wc -l <"$2")"
    else
        wrong "$1: $(comm -23 "$2" "$3" | wc -l) only in the first, $(comm -13 "$2" "$3" | wc -l) only in the second of" \
            "$(wc -l <"$2") and $(wc -l <"$3"):"
        comm -3 "$2" "$3" | head -n 6 | cut -c 1-300
    fi
}

check_alerts() {
    fold_alerts
    archived_alerts >"$STACK/alerts.archive"
    same "alerts archived and raised by an undisturbed run, id and values" "$STACK/alerts.archive" "$STACK/alerts.fold"
    cut -f 1 "$STACK/alerts.archive" | LC_ALL=C sort -u >"$STACK/ids.archive"
    LC_ALL=C sort -u "$STACK/heard" >"$STACK/heard.once"
    cut -d ' ' -f 1 "$STACK/heard.once" | LC_ALL=C sort -u >"$STACK/ids.heard"
    same "ids of alerts archived and heard" "$STACK/ids.archive" "$STACK/ids.heard"
    [[ $(wc -l <"$STACK/heard.once") == "$(wc -l <"$STACK/ids.heard")" ]] || wrong "an id was heard with differing bytes"
    [[ $(wc -l <"$STACK/alerts.archive") == "$(wc -l <"$STACK/ids.archive")" ]] || wrong "an alert is archived twice"
    [[ -s $STACK/ids.archive ]] || wrong "there are no alerts at all"
    echo "heard:        $(wc -l <"$STACK/heard") messages of $(wc -l <"$STACK/ids.heard") alerts"
}

main() {
    local begun i kind
    declare -gA COUNT=()
    read_options "$@"
    if [[ -z ${CAMPUS_DEPS_DONE:-} ]]; then
        "$ROOT/scripts/deps.sh" run || say "kills: packages are missing"
        "$ROOT/scripts/build.sh" release >&2 || die "the build failed"
    fi
    echo "seed $SEED, $KILLS kills, $RATE reports a second of $CARDS cards at most"
    begin
    begun=$SECONDS
    trap 'KILLS=0' USR1 # enough: count now
    for ((i = 1; i <= KILLS; i++)); do
        one_kill "$i"
        ((i % 10 != 0)) || say "$i kills in $((SECONDS - begun)) s"
    done
    kill "$(pid_of "$STACK/run/load.pid")" || die "the load ended early"
    wait_until 900 "the last receipts, alerts and rows" gone "$STACK/run/load.pid" || die "the load does not end; seed $SEED"
    TARGET=$(status_of journal.appended)
    wait_until 120 "the archive to reach position $TARGET" journal_all_archived || wrong "the archive stays behind"
    campusd_stop # what it still takes is archived before it ends
    echo "seed $SEED: $((i - 1)) kills in $((SECONDS - begun)) s:$(for kind in campusd broker postgres mixed at_start; do
        printf ' %s %s' "$kind" "${COUNT[$kind]:-0}"
    done)"
    check_rows
    check_alerts
    ((WRONG == 0)) && echo "no difference"
    return "$WRONG"
}

main "$@"
