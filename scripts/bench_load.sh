# Parts of bench.sh: measurements with campus-load on a private stack. Source lib.sh and stack.sh first.

LOADS=() # process ids of what sends beside us, to be ended with us

# stack_parts: the options that tell campus-load which processes are which part; brokers beside the first (mosquitto-2.pid) are
# the same part.
stack_parts() {
    local file name pid
    for file in "$STACK"/run/*.pid; do
        name=$(basename "$file" .pid)
        case $name in
        campusd | postgres | mosquitto) ;;
        mosquitto*) name=mosquitto ;;
        *) continue ;;
        esac
        pid=$(pid_of "$file") && printf -- '--part\n%s=%s\n' "$name" "$pid"
    done
}

# figures_of FILE: its figures as lines "key number".
figures_of() {
    tr '\n' ' ' <"$1" | sed -n 's/.*"figures"[[:space:]]*:[[:space:]]*{\([^{}]*\)}.*/\1/p' | tr ',' '\n' |
        sed -n 's/^ *"\([a-z_.0-9]*\)": *\([-0-9.e+]*\) *$/\1 \2/p'
}

# run_bare: campusd and a subscriber that throws all away at the same broker, in the same run.
run_bare() {
    local rate=10000 seconds=60 measured=50 json='' load result
    while (($#)); do
        case $1 in
        --quick) seconds=20 measured=12 ;;
        --rate) rate=$2 && shift ;;
        --json) json=$2 && shift ;;
        *) die "bench bare: what is $1?" ;;
        esac
        shift
    done
    trap 'kill "${LOADS[@]}" 2>/dev/null; stack_stop; stack_remove' EXIT
    stack_city bare
    campusd_start
    "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" --rate "$rate" \
        --seconds "$seconds" >"$STACK/log/load.out" 2>&1 &
    load=$!
    LOADS=("$load")
    "$BIN/bench-bare" --pid "$(pid_of "$STACK/run/campusd.pid")" --broker "$CAMPUS_BROKER" --rate "$rate" \
        --seconds "$measured" ${json:+--json "$json"}
    result=$?
    wait "$load" || result=1
    LOADS=()
    printf '\nthe load, counted afterwards:\n'
    grep -E '^(sent|acknowledged|archive)' "$STACK/log/load.out"
    ((result == 0)) || tail -n 5 "$STACK/log/load.out" >&2
    return "$result"
}

# burst_watch SECONDS: events that campusd took into its journal in the busiest second of so many.
burst_watch() {
    local deadline=$((SECONDS + $1)) events at before=0 before_at=0 most=0 per_s
    while ((SECONDS < deadline)); do
        gone "$STACK/run/campusd.pid" && die "campusd ended: see $STACK/log/campusd.log"
        events=$(status_of events)
        at=$(date +%s%N)
        if ((before_at > 0 && ${events:-0} > before)); then
            per_s=$(((events - before) * 1000 / ((at - before_at) / 1000000 + 1)))
            most=$((per_s > most ? per_s : most))
        fi
        before=${events:-0} before_at=$at
        sleep 1
    done
    echo "$most"
}

# drain_burst SECONDS: gateways with 16 reports a message, faster than the broker takes them; sets BURST to the events a second in
# the journal. What does not come through within the seconds is waited for, and counted like all else.
drain_burst() {
    local load result=0
    "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" --rate 500000 \
        --seconds "$1" --gateways 412 --batch 16 --crossing-share 0 --sos-per-s 0 --patience-s 600 \
        --json "$STACK/burst.json" >"$STACK/log/burst.out" 2>&1 &
    load=$!
    LOADS=("$load")
    BURST=$(burst_watch $(($1 + 10)))
    wait "$load" || result=1
    LOADS=()
    printf '\n%-52s %12s\n' "gateways with 16 reports a message: events a second" "$BURST"
    grep -E '^(sent|acknowledged|archive)' "$STACK/log/burst.out"
    ((result == 0)) || tail -n 5 "$STACK/log/burst.out" >&2
    return "$result"
}

# ticks_of PID: hundredths of a second of CPU, as the kernel counts them.
ticks_of() {
    local stat
    read -r stat <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    echo $((${12} + ${13}))
}

# Has the broker had nothing to do for two seconds?
broker_is_idle() {
    local pid before
    pid=$(pid_of "$STACK/run/mosquitto.pid") || die "Mosquitto ended: see $STACK/log/mosquitto.log"
    before=$(ticks_of "$pid")
    sleep 2
    (($(ticks_of "$pid") - before < 10))
}

received_over() {
    [[ $(status_of brokers.received) -gt $1 ]]
}

# drain_watch EXPECTED: what campusd received, five times a second, until it has so many or nothing came for 30 s; prints
# messages and seconds from the first look at which some were there to the last at which more were.
drain_watch() {
    local now first=0 first_at=0 last=0 last_at=0 at deadline=$((SECONDS + 60))
    while ((last < $1 && SECONDS < deadline)); do
        gone "$STACK/run/campusd.pid" && die "campusd ended: see $STACK/log/campusd.log"
        now=$(status_of brokers.received)
        at=$(date +%s%N)
        if ((${now:-0} > last)); then
            ((first > 0)) || first=$now first_at=$at
            last=$now last_at=$at deadline=$((SECONDS + 30))
        fi
        sleep 0.1
    done
    awk -v n="$((last - first))" -v ns="$((last_at - first_at))" -v all="$last" \
        'BEGIN {printf "%d %.3f %.0f\n", all, ns / 1e9, (ns > 0 ? n * 1e9 / ns : 0)}'
}

# A campusd that comes back to a session full of reports; the same messages wait for a subscriber that throws all away.
run_drain() {
    local count=1000000 rate=20000 burst_s=10 json='' load result=0 before all seconds per_s bare BURST=0
    while (($#)); do
        case $1 in
        --quick) count=100000 burst_s=4 ;;
        --json) json=$2 && shift ;;
        --count) count=$2 && shift ;;
        *) die "bench drain: what is $1?" ;;
        esac
        shift
    done
    trap 'kill "${LOADS[@]}" 2>/dev/null; stack_stop; stack_remove' EXIT
    stack_city drain
    campusd_start
    "$BIN/bench-bare" --broker "$CAMPUS_BROKER" --session drain || die "no session for the bare subscriber"
    # no alerts, so that it waits for none; a second more than asked for, since campusd takes some before it is stopped
    "$BIN/campus-load" --broker "$CAMPUS_BROKER" --pg "$CAMPUS_PG" --cards "$STACK/city/load.csv" --rate "$rate" \
        --seconds $((count / rate + 1)) --crossing-share 0 --sos-per-s 0 --patience-s 600 --json "$STACK/load.json" \
        >"$STACK/log/load.out" 2>&1 &
    load=$!
    LOADS=("$load")
    wait_until 60 "the first reports" received_over 100 || die "no reports: see $STACK/log/load.out"
    campusd_stop
    wait_until 600 "the broker to have taken the reports" broker_is_idle || die "the broker never came to rest"
    campusd_spawn
    before=$(date +%s%N)
    read -r all seconds per_s < <(drain_watch "$count") || die "the reports did not come"
    wait "$load" || result=1
    LOADS=()
    bare=$("$BIN/bench-bare" --broker "$CAMPUS_BROKER" --session drain --drain "$count") ||
        die "the bare subscriber did not get its messages"
    printf '%-52s %12s\n' "messages that waited at the broker" "$all" "seconds from the first to the last" "$seconds" \
        "messages a second" "$per_s" \
        "of a subscriber that throws all away, afterwards" "$bare" "seconds from campusd's start until all were archived" \
        "$(awk -v ns=$(($(date +%s%N) - before)) 'BEGIN {printf "%.1f", ns / 1e9}')"
    grep -E '^(sent|acknowledged|archive)' "$STACK/log/load.out"
    ((result == 0)) || tail -n 5 "$STACK/log/load.out" >&2
    drain_burst "$burst_s" || result=1
    [[ -z $json ]] || {
        printf '{"figures": {"load.drain_per_s": %s, "load.bare_drain_per_s": %s, "load.drain_messages": %s, "load.burst_events_per_s": %s' "$per_s" \
            "$bare" "$all" "$BURST"
        figures_of "$STACK/load.json" | sed -n 's/^load\.\(lost\|doubled\) \(.*\)/, "load.drain_\1": \2/p'
        printf '}}\n'
    } >"$json"
    return "$result"
}
