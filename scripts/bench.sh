#!/bin/bash
# bench NAME [--quick] [--json FILE] [...]: runs build/release/bin/bench-NAME, or campus-load for `load` on a private
# stack of its own. The programs write {"figures": {...}}; machine, commit and command are put before them here.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"

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

commit() {
    local id
    id=$(git -C "$ROOT" rev-parse --short=12 HEAD 2>/dev/null) || id=unknown
    [[ -z $(git -C "$ROOT" status --porcelain --untracked-files=no 2>/dev/null) ]] || id=$id-changed
    echo "$id"
}

known() {
    local program
    for program in "$BIN"/bench-*; do
        [[ -x $program ]] && basename "$program" | sed 's/^bench-//'
    done
    [[ -x $BIN/campus-load ]] && echo load
}

# merge FILE COMMAND: FILE as a program left it becomes what is published.
merge() {
    local figures
    figures=$(tr '\n' ' ' <"$1" | sed -n 's/.*"figures"[[:space:]]*:[[:space:]]*\({[^{}]*}\).*/\1/p')
    [[ -n $figures ]] || die "$1 has no figures"
    printf '{"machine": %s,\n "commit": %s,\n "command": %s,\n "figures": %s}\n' "$(json_text "$(machine)")" \
        "$(json_text "$(commit)")" "$(json_text "$2")" "$figures" >"$1.new"
    mv "$1.new" "$1"
}

run_load() {
    local rate=2000 seconds=60 argument extra=()
    for argument in "$@"; do
        case $argument in
        --quick) seconds=10 ;;
        *) extra+=("$argument") ;;
        esac
    done
    STACK=$(mktemp -d "${TMPDIR:-/tmp}/campus-load.XXXXXX")
    chmod 711 "$STACK"
    trap 'stack_stop; rm -rf "$STACK" "$RUN" "$DATA"' EXIT
    trap 'exit 130' INT TERM
    stack_open
    pg_start
    broker_start
    "$BIN/campus-sim" city --out "$STACK/city" --seed 1 || die "campus-sim city failed"
    campusctl import "$STACK/city" || die "campusctl import failed"
    campusctl fences import "$STACK/city/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
    campusd_start
    # what stands later wins: the caller's --rate and --seconds over ours
    "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" \
        --rate "$rate" --seconds "$seconds" "${extra[@]}" && return 0
    say "what campusd counted, and its last words:"
    campusctl status | grep -v "=0$" >&2
    tail -n 20 "$STACK/log/campusd.log" >&2
    return 1
}

main() {
    local name=${1:-} json='' command="./campus bench $*" result i
    [[ ${CAMPUS_DEPS_DONE:-} ]] || "$ROOT/scripts/build.sh" release >&2 || die "the build failed"
    if [[ -z $name || $name == -* ]]; then
        say "bench needs a NAME, one of: $(known | paste -sd' ')"
        return 2
    fi
    shift
    for ((i = 1; i <= $#; i++)); do
        case ${!i} in
        --json)
            i=$((i + 1))
            json=${!i:-}
            [[ -n $json ]] || die "bench: --json needs a FILE"
            ;;
        --json=*) json=${!i#--json=} ;;
        esac
    done
    if [[ $name == load ]]; then
        (run_load "$@")
    elif [[ -x $BIN/bench-$name ]]; then
        "$BIN/bench-$name" "$@"
    else
        die "no benchmark $name; there are: $(known | paste -sd' ')"
    fi
    result=$?
    if ((result == 0)) && [[ -n $json ]]; then
        merge "$json" "$command"
    fi
    return "$result"
}

main "$@"
