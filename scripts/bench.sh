#!/bin/bash
# bench [NAME [--quick] [--json FILE] [--results] [...]]: runs build/release/bin/bench-NAME, or campus-load for `load`, `ladder`,
# `gateways`, `cards`, `bare` and `drain` on a private stack of its own; without a NAME the ladder, short. The programs write {"figures": {...}}; machine, commit and command are put before them here.
# bench page RUN.json --out FILE.html, bench compare A.json B.json [...]: a run to look at, two beside each other.
# geo --postgis: beside PostGIS too, on a private server, where it is installed.
# --results: what was printed becomes the section NAME of bench/RESULTS.md; only from a tree without changes.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"
. "$ROOT/scripts/results.sh"
. "$ROOT/scripts/postgis.sh"
. "$ROOT/scripts/bench_load.sh"

BIN=${CAMPUS_BIN:-$ROOT/build/release/bin}

machine() {
    local model memory
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    memory=$(awk '/^MemTotal:/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)
    . /etc/os-release
    echo "$(nproc) x ${model:-$(uname -m)}, $memory GiB, ${PRETTY_NAME:-Linux}, Linux $(uname -r)"
}

# Results of former runs change nothing that is measured.
changed() {
    [[ -n $(git -C "$ROOT" status --porcelain --untracked-files=no -- . ':!bench/RESULTS.md' 2>/dev/null) ]]
}

commit() {
    local id
    id=$(git -C "$ROOT" rev-parse --short=12 HEAD 2>/dev/null) || id=unknown
    changed && id=$id-changed
    echo "$id"
}

known() {
    local program
    for program in "$BIN"/bench-*; do
        [[ -x $program ]] && basename "$program" | sed 's/^bench-//'
    done
    [[ -x $BIN/campus-load ]] && printf '%s\n' cards drain gateways ladder load
    [[ -x $BIN/campus-fill ]] && echo recovery
}

# merge FILE COMMAND: FILE as a program left it becomes what is published, with the figures in $MORE ("key number" lines) and
# whatever stands behind its figures.
merge() {
    "$BIN/campus-load" stamp "$1" --machine "$(machine)" --commit "$(commit)" --command "$2" --more "$MORE" ||
        die "$1 is left as it was"
}

# count_instructions NAME TOGGLE KIND...: instructions a lookup or step inside the function TOGGLE, counted by callgrind: the
# only figure of speed that is the same on every day.
count_instructions() {
    local name=$1 toggle=$2 kind out times total
    shift 2
    if ! command -v valgrind >/dev/null; then
        printf '\nskipped: instructions of %s, valgrind is not installed (./campus deps bench)\n' "$name"
        return 0
    fi
    printf '\ninstructions each, by callgrind\n'
    for kind in "$@"; do
        out=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
            --toggle-collect="$toggle*" "$BIN/bench-$name" --count "$kind" 2>&1)
        times=$(sed -n 's/^\([0-9]*\) times.*/\1/p' <<<"$out")
        total=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$out")
        if [[ -z $times || ${total:-0} -eq 0 ]]; then
            printf '%s\n' "$out" >&2
            die "callgrind did not count $kind"
        fi
        awk -v kind="$kind" -v name="$name" -v each="$((total * 10 / times))" -v more="$MORE" 'BEGIN {
            printf "%-36s %10.1f\n", kind, each / 10
            printf "%s.callgrind.%s %.1f\n", name, kind, each / 10 >>more
        }'
    done
}

# The programs, and what is measured beside them: geo, engine, intake and micro in their full runs count instructions.
run_program() {
    local name=$1 argument postgis='' quick='' count=1 arguments=()
    shift
    for argument in "$@"; do
        case $argument in
        --postgis)
            postgis=1
            continue
            ;;
        --quick) quick=--quick ;;
        esac
        case $argument in
        --quick | --fences* | --count* | --dump*) count='' ;;
        esac
        arguments+=("$argument")
    done
    "$BIN/bench-$name" "${arguments[@]}" || return
    [[ -z $count || $name != engine ]] || count_instructions engine engine_counted decode step
    [[ -z $count || $name != intake ]] || count_instructions intake intake_counted cards gateways
    [[ -z $count || $name != micro ]] ||
        count_instructions micro micro_counted batch single distance step decode gateway ingest append rows
    [[ $name == geo ]] || return 0
    [[ -z $count ]] || count_instructions geo geo_race_counted batch single distance distance_single
    [[ -z $postgis ]] || (run_postgis $quick)
}

# brokers_for OPTION...: how many brokers the connections of such a load need, by the limit of open files of one.
brokers_for() {
    local connections=8 gateways=0 rate=2000 steps='' interval=10
    while (($#)); do
        case $1 in
        --connections) connections=${2:-} ;;
        --gateways) gateways=${2:-} ;;
        --rate) rate=${2:-} ;;
        --step) steps+=" ${2%%:*}" ;;
        --interval-s) interval=${2:-} ;;
        esac
        shift
    done
    awk -v connections="$connections" -v gateways="$gateways" -v rates="${steps:-$rate}" -v interval="$interval" -v files="$(ulimit -n)" \
        'BEGIN {
            for (i = split(rates, each, " "); i > 0; i--) rate = each[i] + 0 > rate ? each[i] + 0 : rate
            cards = rate * interval < 134000 ? rate * interval : 134000
            n = gateways + 0 > 0 ? gateways : connections == "cards" ? cards : connections
            room = files == "unlimited" ? 100000 : files > 1000 ? files - 500 : files / 2
            brokers = int((n + room - 1) / room)
            print (brokers > 1 ? brokers : 1)
        }'
}

# --brokers N: so many private ones, else as many as the connections need; alerts are published at the first.
run_load() {
    local seconds=60 argument brokers='' ladder='' quick='' ours=() extra=() parts
    while (($#)); do
        argument=$1
        shift
        case $argument in
        --quick) seconds=10 quick=--quick ;;
        --ladder) ladder=$argument ;;
        --brokers) brokers=${1:-} && shift ;;
        --brokers=*) brokers=${argument#*=} ;;
        --*=*) extra+=("${argument%%=*}" "${argument#*=}") ;;
        *) extra+=("$argument") ;;
        esac
    done
    if [[ -n $ladder ]]; then # it has rates and times of its own
        ours=("$ladder" $quick)
    else
        ours=(--rate 2000 --seconds "$seconds")
    fi
    ulimit -Sn "$(ulimit -Hn)" # each broker's too
    BROKERS=${brokers:-$(brokers_for "${extra[@]}")}
    [[ $BROKERS =~ ^[1-9][0-9]?$ ]] || die "bench load: --brokers wants a number from 1 to 64"
    ((BROKERS == 1)) || ALERTS_AT_FIRST=1
    trap 'stack_stop; stack_remove' EXIT
    stack_city load
    campusd_start
    mapfile -t parts < <(stack_parts)
    # what stands later wins: the caller's --rate and --seconds over ours
    "$BIN/campus-load" --broker "$CAMPUS_BROKERS" --listen "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" \
        "${parts[@]}" "${ours[@]}" "${extra[@]}" && return 0
    load_failed
}

load_failed() {
    say "what campusd counted, and its last words:"
    campusctl status | grep -v "=0$" >&2
    tail -n 20 "$STACK/log/campusd.log" >&2
    return 1
}

# A school day (campus-load --model day) in accelerated time: an invented city of so many pupils on a stack whose clock runs
# from the first hour on once all is connected, --lead seconds after the start.
run_day() {
    local pupils=134000 speed=60 from=6 to=21 day=2 lead='' brokers='' schools extra=()
    while (($#)); do
        case $1 in
        --model) shift ;;
        --model=day) ;;
        --quick) pupils=2000 speed=120 ;;
        --pupils) pupils=$2 && shift ;;
        --speed) speed=$2 && shift ;;
        --from) from=$2 && shift ;;
        --to) to=$2 && shift ;;
        --day) day=$2 && shift ;;
        --lead) lead=$2 && shift ;;
        --brokers) brokers=$2 && shift ;;
        *) extra+=("$1") ;;
        esac
        shift
    done
    schools=$((pupils < 400 ? 1 : pupils > 41200 ? 206 : pupils / 200))
    lead=${lead:-$((20 + pupils / 1000))}
    ulimit -Sn "$(ulimit -Hn)" # each broker's too
    BROKERS=${brokers:-$(brokers_for --rate "$pupils" --interval-s 1 "${extra[@]}")}
    [[ $BROKERS =~ ^[1-9][0-9]?$ ]] || die "bench load: --brokers wants a number from 1 to 64"
    ((BROKERS == 1)) || ALERTS_AT_FIRST=1
    trap 'stack_stop; stack_remove' EXIT
    stack_city day --schools "$schools" --pupils $((pupils > schools * 200 ? pupils : schools * 200)) \
        --zones $((schools < 200 ? schools * 10 : 2000))
    CLOCK_SPEED=$speed
    CLOCK_START=$(awk -v day="$day" -v from="$from" 'BEGIN {printf "%.0f", 1772380800 + (day - 1) * 86400 + from * 3600}')
    CLOCK_ORIGIN=$(($(date +%s) + lead))
    campusd_start
    "$BIN/campus-load" --model day --broker "$CAMPUS_BROKERS" --listen "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" \
        --city "$STACK/city" --pupils "$pupils" --speed "$speed" --from "$from" --to "$to" --day "$day" \
        --origin "$CLOCK_ORIGIN" "${extra[@]}" && return 0
    load_failed
}

is_day() {
    local before='' argument
    for argument in "$@"; do
        [[ $before$argument == --modelday || $argument == --model=day ]] && return 0
        before=$argument
    done
    return 1
}

# An SOS that waits at the broker for campusd: seconds from its start to the alert at a listener.
first_alert() {
    local begun ended
    spawn "$STACK/run/listener.pid" "$STACK/log/listener.log" sh -c 'exec stdbuf -oL mosquitto_sub -h 127.0.0.1 -p "$1" \
        -q 1 -t "campus/v1/+/alerts" >"$2"' sh "$BROKER_PORT" "$STACK/heard"
    # a CardReport: seq, and a signal with its time and kind
    unhex "$(field_varint 3 "$1")$(field_bytes 7 "$(field_fixed64 1 "$(date +%s)000")$(field_varint 2 1)")" >"$STACK/sos"
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -t "$2" -f "$STACK/sos"
    begun=$(date +%s%N)
    spawn "$STACK/run/campusd.pid" "$STACK/log/campusd.log" "$BIN/campusd" --config "$STACK/campus.yaml"
    until grep -q 'campus.alert.sos' "$STACK/heard" 2>/dev/null; do
        gone "$STACK/run/campusd.pid" && die "campusd ended: see $STACK/log/campusd.log"
        (($(date +%s%N) - begun < 120000000000)) || die "no alert within two minutes"
        sleep 0.01
    done
    ended=$(date +%s%N)
    echo $(((ended - begun) / 1000000))
}

# A city in every kind of state, a snapshot of it, so many events more, kill -9; then how long until an alert goes out?
run_recovery() {
    local rounds=87 made=0 json='' start ms bytes pause_us reports
    while (($#)); do
        case $1 in
        --quick) rounds=8 ;;
        --json) json=$2 && shift ;;
        *) die "bench recovery: what is $1?" ;;
        esac
        shift
    done
    . "$ROOT/tests/e2e/protobuf.sh"
    trap 'stack_stop; stack_remove' EXIT
    stack_city recovery
    SNAPSHOT_EVERY_S=1
    campusd_start
    campusd_stop
    start=$(($(date +%s) * 1000 - 3600000))
    fill() {
        "$BIN/campus-fill" --journal "$STACK/journal" --cache "$STACK/registry.cache" --start "$start" "$@" ||
            die "campus-fill failed"
    }
    say "30 rounds of the city before the snapshot"
    fill --from 0 --rounds 30 >/dev/null
    campusd_start
    wait_until 60 "a snapshot" snapshot_made
    made=$(status_of snapshot.made)
    wait_until 60 "one that owes nobody an alert" snapshot_made
    bytes=$(status_of snapshot.bytes)
    pause_us=$(status_of snapshot.pause_us_max)
    campusd_kill9
    say "$rounds rounds after it"
    reports=$(fill --from 60 --rounds "$rounds") || die "campus-fill failed"
    ms=$(first_alert 1000 "campus/v1/s001/card/c000001/up")
    wait_until 60 "campusd" campusd_died_or_listens
    # alerts that are not settled are read from before the snapshot: more records than reports since
    printf '%-44s %10s\n' "reports since the snapshot" "$reports" "records read" "$(status_of journal.replayed_records)" \
        "snapshot, MiB" "$((bytes >> 20))" \
        "its longest stop of the loop, ms" "$(awk -v us="$pause_us" 'BEGIN {print us / 1000}')" \
        "reading the snapshot, ms" "$(status_of snapshot.load_ms)" \
        "replaying the journal, ms" "$(status_of journal.replay_ms)" \
        "from kill -9's restart to the first alert, s" "$(awk -v ms="$ms" 'BEGIN {print ms / 1000}')"
    [[ -z $json ]] || printf '{"figures": {"recovery.first_alert_s": %s, "recovery.reports": %s, "recovery.replayed": %s,
    "recovery.replay_s": %s, "recovery.snapshot_stop_ms": %s}}\n' \
        "$(awk -v ms="$ms" 'BEGIN {print ms / 1000}')" "$reports" "$(status_of journal.replayed_records)" \
        "$(awk -v ms="$(status_of journal.replay_ms)" 'BEGIN {print ms / 1000}')" \
        "$(awk -v us="$pause_us" 'BEGIN {print us / 1000}')" >"$json"
}

snapshot_made() {
    [[ $(status_of alerts.unconfirmed) == 0 && $(status_of snapshot.made) -gt ${made:-0} ]]
}

# The archive on a private PostgreSQL, journal and data on the same disk.
run_archive() {
    STACK=$(mktemp -d "${TMPDIR:-/tmp}/campus-archive.XXXXXX")
    chmod 711 "$STACK"
    trap 'stack_stop; stack_remove' EXIT
    trap 'exit 130' INT TERM
    stack_open
    pg_start
    "$BIN/bench-archive" --pg "$CAMPUS_PG" --directory "$STACK" "$@"
}

main() {
    local name=${1:-} json='' results='' command="./campus bench $*" shown="./campus bench ${1:-}" result i arguments=()
    if [[ -z ${CAMPUS_DEPS_DONE:-} ]]; then
        "$ROOT/scripts/deps.sh" bench || say "bench: what needs the missing packages is skipped"
        "$ROOT/scripts/build.sh" release >&2 || die "the build failed"
    fi
    if [[ $name == -* ]]; then
        say "bench: the NAME comes first, one of: $(known | paste -sd' '); or page, compare"
        return 2
    fi
    if [[ -z $name ]]; then # the short form of the whole way
        say "bench: ladder --quick; others are $(known | paste -sd' ')"
        main ladder --quick
        return
    fi
    case $name in
    page | compare) exec "$BIN/campus-load" "$@" ;;
    esac
    shift
    for ((i = 1; i <= $#; i++)); do
        case ${!i} in
        --json)
            arguments+=("${!i}")
            i=$((i + 1))
            json=${!i:-}
            [[ -n $json ]] || die "bench: --json needs a FILE"
            ;;
        --json=*) json=${!i#--json=} ;;
        --results)
            results=1
            shown+=" --results"
            continue
            ;;
        *) shown+=" ${!i}" ;; # where the figures went is of no interest to others
        esac
        arguments+=("${!i}")
    done
    [[ -z $results ]] || ! changed || die "bench: results belong to a commit; the tree has changes that are in none"
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/campus-bench.XXXXXX")
    trap 'rm -rf "$SCRATCH"' EXIT
    MORE=$SCRATCH/more
    : >"$MORE"
    run "$name" "${arguments[@]}" | tee "$SCRATCH/table"
    result=${PIPESTATUS[0]}
    if [[ -n $json && (result -eq 0 || $json -nt $MORE) ]]; then # a run that lost something is one too
        merge "$json" "$command"
    fi
    if ((result == 0)) && [[ -n $results ]]; then
        results_body "$SCRATCH/table" "$(machine)" "$(commit)" "$shown" >"$SCRATCH/body"
        results_replace "$ROOT/bench/RESULTS.md" "$name" "$SCRATCH/body"
    fi
    return "$result"
}

# run NAME ARGUMENT...
run() {
    local name=$1
    shift
    if [[ $name == load ]] && is_day "$@"; then
        (run_day "$@")
    elif [[ $name == load ]]; then
        (run_load "$@")
    elif [[ $name == ladder ]]; then
        (run_load --ladder "$@")
    elif [[ $name == gateways ]]; then
        (run_load --ladder --gateways 412 --batch 16 --rate 16000 "$@")
    elif [[ $name == cards ]]; then # each card every 60 s, then 30 s, then 10 s
        (run_load --connections cards --step 2233:60 --step 4467:60 --step 13400:60 "$@")
    elif [[ $name == bare ]]; then
        (run_bare "$@")
    elif [[ $name == drain ]]; then
        (run_drain "$@")
    elif [[ $name == recovery ]]; then
        (run_recovery "$@")
    elif [[ $name == archive ]]; then
        (run_archive "$@")
    elif [[ -x $BIN/bench-$name ]]; then
        run_program "$name" "$@"
    else
        die "no benchmark $name; there are: $(known | paste -sd' ')"
    fi
}

main "$@"
