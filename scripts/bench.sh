#!/bin/bash
# bench NAME [--quick] [--json FILE] [--results] [...]: runs build/release/bin/bench-NAME, or campus-load for `load` on a
# private stack of its own. The programs write {"figures": {...}}; machine, commit and command are put before them here.
# geo --postgis: beside PostGIS too, on a private server, where it is installed.
# --results: what was printed becomes the section NAME of bench/RESULTS.md; only from a tree without changes.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"
. "$ROOT/scripts/results.sh"
. "$ROOT/scripts/postgis.sh"

BIN=${CAMPUS_BIN:-$ROOT/build/release/bin}

json_text() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "${text//[$'\001'-$'\037']/ }"
}

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
    [[ -x $BIN/campus-load ]] && echo load
    [[ -x $BIN/campus-fill ]] && echo recovery
}

# merge FILE COMMAND: FILE as a program left it becomes what is published, with the figures in $MORE ("key number" lines).
merge() {
    local figures more
    figures=$(tr '\n' ' ' <"$1" | sed -n 's/.*"figures"[[:space:]]*:[[:space:]]*\({[^{}]*}\).*/\1/p')
    [[ -n $figures ]] || die "$1 has no figures"
    more=$(sed -n 's/^\([^ ]*\) \([0-9.]*\)$/,   "\1": \2/p' "$MORE" | tr '\n' ' ')
    [[ -z $more ]] || figures=${figures%\}}$more}
    printf '{"machine": %s,\n "commit": %s,\n "command": %s,\n "figures": %s}\n' "$(json_text "$(machine)")" \
        "$(json_text "$(commit)")" "$(json_text "$2")" "$figures" >"$1.new"
    mv "$1.new" "$1"
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

# The programs, and what is measured beside them: geo and engine in their full runs count instructions.
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
    [[ $name == geo ]] || return 0
    [[ -z $count ]] || count_instructions geo geo_race_counted batch single distance distance_single
    [[ -z $postgis ]] || (run_postgis $quick)
}

run_load() {
    local rate=2000 seconds=60 argument extra=()
    for argument in "$@"; do
        case $argument in
        --quick) seconds=10 ;;
        *) extra+=("$argument") ;;
        esac
    done
    trap 'stack_stop; stack_remove' EXIT
    stack_city load
    campusd_start
    # what stands later wins: the caller's --rate and --seconds over ours
    "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" \
        --rate "$rate" --seconds "$seconds" "${extra[@]}" && return 0
    say "what campusd counted, and its last words:"
    campusctl status | grep -v "=0$" >&2
    tail -n 20 "$STACK/log/campusd.log" >&2
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
    local rounds=87 made=0 json='' start ms
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
    fill --from 0 --rounds 30
    campusd_start
    wait_until 60 "a snapshot" snapshot_made
    made=$(status_of snapshot.made)
    wait_until 60 "one that owes nobody an alert" snapshot_made
    campusd_kill9
    say "$rounds rounds after it"
    fill --from 60 --rounds "$rounds"
    ms=$(first_alert 1000 "campus/v1/s001/card/c000001/up")
    wait_until 60 "campusd" campusd_died_or_listens
    printf '%-44s %10s\n' "records replayed since the snapshot" \
        "$(status_of journal.replayed_records)" "snapshot, MiB" "$(($(status_of snapshot.bytes) >> 20))" \
        "its longest stop of the loop, ms" "$(awk -v us="$(status_of snapshot.pause_us_max)" 'BEGIN {print us / 1000}')" \
        "reading the snapshot, ms" "$(status_of snapshot.load_ms)" \
        "replaying the journal, ms" "$(status_of journal.replay_ms)" \
        "from kill -9's restart to the first alert, s" "$(awk -v ms="$ms" 'BEGIN {print ms / 1000}')"
    [[ -z $json ]] || printf '{"figures": {"recovery.first_alert_s": %s, "recovery.replayed": %s, "recovery.replay_s": %s}}\n' \
        "$(awk -v ms="$ms" 'BEGIN {print ms / 1000}')" "$(status_of journal.replayed_records)" \
        "$(awk -v ms="$(status_of journal.replay_ms)" 'BEGIN {print ms / 1000}')" >"$json"
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
    if [[ -z $name || $name == -* ]]; then
        say "bench needs a NAME, one of: $(known | paste -sd' ')"
        return 2
    fi
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
    if ((result == 0)) && [[ -n $json ]]; then
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
    if [[ $name == load ]]; then
        (run_load "$@")
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
