# What every script here begins with: words for people, waiting on conditions, processes by pid file.
# Source it; ROOT is the source tree afterwards.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() {
    printf '%s\n' "campus: $*" >&2
}

die() {
    say "$*"
    exit 1
}

# wait_until SECONDS WHAT COMMAND...: asks the command until it says yes. WHAT ends the sentence "waiting for".
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2 told=0 begun=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            say "waited $((SECONDS - begun)) s for $what, in vain"
            return 1
        fi
        if ((told == 0 && SECONDS - begun >= 3)); then
            say "waiting for $what"
            told=1
        fi
        sleep 0.05
    done
}

# A port of 127.0.0.1 on which nobody listens, below the range that the kernel hands out by itself.
free_port() {
    local port
    for _ in {1..200}; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    die "no free port found on 127.0.0.1 between 20000 and 32000"
}

listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# ---- processes: "pid starttime boot" in a pid file, so that a pid that was given anew is never taken for ours ----

boot_id() {
    cat /proc/sys/kernel/random/boot_id
}

process_start_time() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [[ $1 != Z ]] && echo "${20}"
}

# spawn PIDFILE LOGFILE COMMAND...: a process of its own session that inherits no descriptor of ours.
spawn() {
    local pid_file=$1 log=$2 pid start
    shift 2
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            if ((fd > 2)); then
                eval "exec $fd>&-"
            fi
        done
        exec setsid "$@" </dev/null >>"$log" 2>&1
    ) &
    pid=$!
    disown "$pid"
    start=$(process_start_time "$pid") || start=0
    echo "$pid $start $(boot_id)" >"$pid_file"
}

# pid_of PIDFILE: prints the pid while that very process runs.
pid_of() {
    local pid start boot
    [[ -r $1 ]] || return 1
    read -r pid start boot <"$1" || return 1
    [[ $boot == "$(boot_id)" ]] || return 1
    [[ $(process_start_time "$pid") == "$start" ]] || return 1
    echo "$pid"
}

running() {
    pid_of "$1" >/dev/null
}

gone() {
    ! running "$1"
}

# stop_process PIDFILE WHAT [SIGNAL [SECONDS]]: polite first, kill -9 after the deadline (and says so).
stop_process() {
    local pid_file=$1 what=$2 signal=${3:-TERM} seconds=${4:-30} pid
    if pid=$(pid_of "$pid_file"); then
        kill -s "$signal" "$pid"
        if ! wait_until "$seconds" "$what to end" gone "$pid_file"; then
            say "$what (pid $pid) does not end: kill -9"
            kill -9 "$pid" 2>/dev/null
            wait_until 10 "$what to be gone" gone "$pid_file"
        fi
    fi
    rm -f "$pid_file"
}

# children_of PID: its child processes, by /proc alone.
children_of() {
    local parent=$1 file stat
    for file in /proc/[0-9]*/stat; do
        { read -r stat <"$file"; } 2>/dev/null || continue
        file=${file%/stat}
        stat=${stat##*) }
        # shellcheck disable=SC2086
        set -- $stat
        [[ $2 == "$parent" ]] && echo "${file#/proc/}"
    done
}

source_files() {
    if git -C "$ROOT" rev-parse --git-dir >/dev/null 2>&1; then
        git -C "$ROOT" ls-files --cached --others --exclude-standard -- "$@" | sort -u |
            while read -r file; do [[ -f $ROOT/$file ]] && echo "$file"; done
    else
        (cd "$ROOT" && find . \( -name build -o -name var -o -name .git \) -prune -o -type f -print |
            sed 's|^\./||' | sort | grep -E "$(printf '%s\n' "$@" | sed 's|[.]|\\.|g; s|[*]|.*|g; s|$|$|' | paste -sd'|')")
    fi
}
