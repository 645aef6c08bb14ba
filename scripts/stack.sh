# A private stack below one folder: PostgreSQL 15, Mosquitto, campusd. Used by `./campus up` and by tests/e2e.
# Source scripts/lib.sh first. Set STACK (the folder) and BIN (where the programs lie), then stack_open. BROKERS: how many
# Mosquittos (1); with ALERTS_AT_FIRST set, campusd publishes alerts at the first alone, else at each.
#
#   $STACK/campus.env    what programs beside the daemon need to know (KEY=VALUE), and what a second start needs
#   $STACK/campus.yaml   configuration of campusd
#   $STACK/run/          pid files, sockets      $STACK/log/   one file a program
#   $STACK/journal/      campusd's journal       $STACK/pg/, $STACK/mosquitto/   unless users cannot get there

PG_BIN=${CAMPUS_PG_BIN:-/usr/lib/postgresql/15/bin}
MORE_PORTS=() # of the brokers after the first; they are new with each stack_open
SOCKET_PATH_MAX=107 # sun_path less its NUL

# env_get KEY: the value that a former start remembered.
env_get() {
    [[ -r $STACK/campus.env ]] && sed -n "s/^$1=//p" "$STACK/campus.env" | tail -n 1
}

# as USER COMMAND...: the command itself when we are no root.
as() {
    local user=$1
    shift
    if ((EUID == 0)); then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups -- "$@"
    else
        "$@"
    fi
}

can_reach() {
    ((EUID != 0)) || as "$1" test -x "$2"
}

# own USER DIR...: makes the folders, theirs alone.
own() {
    local user=$1
    shift
    mkdir -p "$@"
    if ((EUID == 0)); then
        chown "$user:" "$@"
    fi
    chmod 700 "$@"
}

# Before the command of what stands in an alert's way, which must not wait for the processor behind the archive or a load.
urgent() {
    if ((EUID == 0)); then
        echo nice -n -5
    fi
}

ensure_user() {
    if ((EUID == 0)) && ! id "$1" >/dev/null 2>&1; then
        useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin "$1"
    fi
}

# Folders, and where PostgreSQL and Mosquitto may write when we are root and they are not.
stack_open() {
    umask 022
    [[ ! -e $STACK/campus.env || -O $STACK/campus.env ]] ||
        die "$STACK belongs to $(stat -c %U "$STACK/campus.env"): run this as that user, or name another folder in CAMPUS_VAR"
    mkdir -p "$STACK" "$STACK/run" "$STACK/log" "$STACK/journal"
    STACK=$(cd "$STACK" && pwd -P)
    chmod 700 "$STACK/journal"
    DATA=$(env_get CAMPUS_DATA_DIR)
    RUN=$(env_get CAMPUS_RUN_DIR)
    BROKER_PORT=$(env_get CAMPUS_BROKER_PORT)
    ensure_user postgres
    ensure_user mosquitto
    [[ -n $DATA && -d $DATA ]] || choose_data
    [[ -n $RUN && -d $RUN && -O $RUN ]] || choose_run
    own postgres "$RUN/pg"
    [[ -n $BROKER_PORT ]] || BROKER_PORT=${CAMPUS_BROKER_PORT:-$(free_port)}
    MORE_PORTS=()
    while ((${#MORE_PORTS[@]} < ${BROKERS:-1} - 1)); do
        MORE_PORTS+=("$(free_port)")
    done
    stack_write_env
}

choose_data() {
    local user
    DATA=$STACK
    for user in postgres mosquitto; do
        if ! can_reach "$user" "$STACK"; then
            DATA=/var/lib/campus-$(printf '%s' "$STACK" | cksum | cut -d' ' -f1)
            say "user $user, as whom the server must run when started by root, cannot enter $STACK:" \
                "the databases of PostgreSQL and Mosquitto lie in $DATA"
            mkdir -p "$DATA"
            chmod 755 "$DATA"
            return
        fi
    done
}

# Sockets: their path has a limit, and the server's user must get there.
choose_run() {
    local socket
    RUN=$DATA/run
    socket=$RUN/pg/.s.PGSQL.5432.lock
    if ((${#socket} > SOCKET_PATH_MAX)); then
        RUN=$(mktemp -d /tmp/campus-run.XXXXXX)
        chmod 755 "$RUN"
        say "$STACK is too long a path for a socket: sockets lie in $RUN"
    fi
    mkdir -p "$RUN"
}

# A value of a libpq connection string, quoted where it must be.
conninfo_text() {
    local quoted=${1//\\/\\\\}
    if [[ $1 == *[[:space:]\'\\]* ]]; then
        printf "'%s'" "${quoted//\'/\\\'}"
    else
        printf "%s" "$1"
    fi
}

stack_write_env() {
    CAMPUS_PG="host=$(conninfo_text "$RUN/pg") port=5432 user=campus dbname=campus"
    CAMPUS_BROKER=mqtt://127.0.0.1:$BROKER_PORT
    CAMPUS_BROKERS=$(printf '%s\n' "$BROKER_PORT" "${MORE_PORTS[@]}" | sed 's|^|mqtt://127.0.0.1:|' | paste -sd,)
    CAMPUS_CONTROL=$RUN/control.sock
    export CAMPUS_PG CAMPUS_BROKER CAMPUS_CONTROL
    export CAMPUS_ENV=$STACK/campus.env
    cat >"$STACK/campus.env.new" <<END
CAMPUS_PG=$CAMPUS_PG
CAMPUS_BROKER=$CAMPUS_BROKER
CAMPUS_CONTROL=$CAMPUS_CONTROL
CAMPUS_DATA_DIR=$DATA
CAMPUS_RUN_DIR=$RUN
CAMPUS_BROKER_PORT=$BROKER_PORT
END
    mv "$STACK/campus.env.new" "$STACK/campus.env"
}

# ---- PostgreSQL: on a unix socket only, so that it needs no port and nobody else can knock ----

pg_init() {
    [[ -s $DATA/pg/PG_VERSION ]] && return 0
    [[ -x $PG_BIN/initdb ]] || die "no PostgreSQL 15 in $PG_BIN: run ./campus deps, or set CAMPUS_PG_BIN"
    own postgres "$DATA/pg"
    (cd / && as postgres "$PG_BIN/initdb" -D "$DATA/pg" -U campus --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-instructions) >"$STACK/log/initdb.log" 2>&1 ||
        die "initdb failed: see $STACK/log/initdb.log"
    as postgres tee -a "$DATA/pg/postgresql.conf" >/dev/null <<END

# written by scripts/stack.sh
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 50
max_wal_size = 2GB
log_min_messages = warning
timezone = 'UTC'
END
}

pg_answers() {
    "$PG_BIN/pg_isready" -q -h "$RUN/pg" -p 5432 -U campus -d postgres
}

pg_died_or_answers() {
    pg_answers || gone "$STACK/run/postgres.pid"
}

# Server processes left over from a postmaster that was killed hold its shared memory for a moment: try again.
pg_start() {
    local deadline=$((SECONDS + 60))
    running "$STACK/run/postgres.pid" && pg_answers && return 0
    pg_init
    while ((SECONDS < deadline)); do
        if gone "$STACK/run/postgres.pid"; then
            if ((EUID == 0)); then
                spawn "$STACK/run/postgres.pid" "$STACK/log/postgres.log" setpriv --reuid=postgres \
                    --regid="$(id -g postgres)" --clear-groups -- \
                    "$PG_BIN/postgres" -D "$DATA/pg" -k "$RUN/pg"
            else
                spawn "$STACK/run/postgres.pid" "$STACK/log/postgres.log" \
                    "$PG_BIN/postgres" -D "$DATA/pg" -k "$RUN/pg"
            fi
        fi
        wait_until 60 "PostgreSQL" pg_died_or_answers || break
        if pg_answers; then
            pg_make_database
            return
        fi
    done
    tail -n 5 "$STACK/log/postgres.log" >&2
    die "PostgreSQL did not start: see $STACK/log/postgres.log"
}

pg_make_database() {
    [[ $("$PG_BIN/psql" -XAtq "${CAMPUS_PG% dbname=*} dbname=postgres" \
        -c "select 1 from pg_database where datname = 'campus'") == 1 ]] ||
        "$PG_BIN/createdb" -h "$RUN/pg" -p 5432 -U campus campus
}

# sql TEXT: rows without decoration.
sql() {
    "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$CAMPUS_PG" -c "$1"
}

pg_stop() {
    stop_process "$STACK/run/postgres.pid" PostgreSQL INT 60 # INT = fast: rolls back, checkpoints, ends
}

# kill -9 of the server and all its processes at once, as when the machine's memory runs out.
pg_kill9() {
    local pid
    pid=$(pid_of "$STACK/run/postgres.pid") || die "PostgreSQL does not run"
    # shellcheck disable=SC2046
    kill -9 "$pid" $(children_of "$pid") 2>/dev/null
    wait_until 10 "PostgreSQL to be dead" gone "$STACK/run/postgres.pid"
}

# ---- Mosquitto ----

# broker_configure NAME PORT
broker_configure() {
    local user=
    own mosquitto "$DATA/$1"
    ((EUID == 0)) && user='user mosquitto'
    cat >"$STACK/$1.conf" <<END
# written by scripts/stack.sh
listener $2 127.0.0.1
allow_anonymous true
$user
persistence true
persistence_location $DATA/$1/
# what is queued is lost with the broker at most this many seconds back; senders with receipts repeat it
autosave_interval 5
# the default limit of 1,000 drops messages without a word
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 0
# campusd refuses what is beyond its own limit (64 KiB) with a counter; far beyond, the broker hangs up
max_packet_size 262144
set_tcp_nodelay false
log_dest stdout
log_timestamp_format %Y-%m-%dT%H:%M:%S
log_type error
log_type warning
log_type notice
connection_messages false
END
}

# broker_died_or_listens NAME PORT
broker_died_or_listens() {
    listens "$2" || gone "$STACK/run/$1.pid"
}

# broker_new_port NAME: another one for it, remembered.
broker_new_port() {
    if [[ $1 == mosquitto ]]; then
        BROKER_PORT=$(free_port)
    else
        MORE_PORTS[${1#mosquitto-} - 2]=$(free_port)
    fi
    stack_write_env
}

# broker_port NAME
broker_port() {
    if [[ $1 == mosquitto ]]; then
        echo "$BROKER_PORT"
    else
        echo "${MORE_PORTS[${1#mosquitto-} - 2]}"
    fi
}

# broker_start_one NAME: mosquitto, or mosquitto-N.
broker_start_one() {
    local try program
    running "$STACK/run/$1.pid" && return 0
    program=$(command -v mosquitto || command -v /usr/sbin/mosquitto) ||
        die "no mosquitto: run ./campus deps"
    for try in 1 2 3 4 5; do
        # one that is only slow must not get a second beside it, which would take its pid file
        stop_process "$STACK/run/$1.pid" Mosquitto
        if listens "$(broker_port "$1")"; then
            say "port $(broker_port "$1") is taken by somebody else: another one is used from now on"
            broker_new_port "$1"
        fi
        broker_configure "$1" "$(broker_port "$1")"
        spawn "$STACK/run/$1.pid" "$STACK/log/$1.log" $(urgent) "$program" -c "$STACK/$1.conf"
        wait_until 60 "Mosquitto on port $(broker_port "$1")" broker_died_or_listens "$1" "$(broker_port "$1")"
        running "$STACK/run/$1.pid" && listens "$(broker_port "$1")" && return 0
        say "Mosquitto did not start (try $try)"
    done
    tail -n 5 "$STACK/log/$1.log" >&2
    die "Mosquitto did not start: see $STACK/log/$1.log"
}

broker_start() {
    local i
    broker_start_one mosquitto
    for ((i = 0; i < ${#MORE_PORTS[@]}; i++)); do
        broker_start_one "mosquitto-$((i + 2))"
    done
}

broker_stop() {
    local pid_file
    for pid_file in "$STACK"/run/mosquitto*.pid; do
        stop_process "$pid_file" Mosquitto
    done
}

broker_kill9() {
    kill -9 "$(pid_of "$STACK/run/mosquitto.pid")" || die "Mosquitto does not run"
    wait_until 10 "Mosquitto to be dead" gone "$STACK/run/mosquitto.pid"
}

# ---- campusd ----

yaml_text() {
    printf "'%s'" "${1//\'/\'\'}"
}

# CLOCK_SPEED, CLOCK_START and CLOCK_ORIGIN (Unix seconds) give campusd the clock of a benchmark.
clock_settings() {
    [[ -z ${CLOCK_SPEED:-} ]] ||
        printf 'clock:\n  start: %s\n  origin: %s\n  speed: %s\n' "$CLOCK_START" "$CLOCK_ORIGIN" "$CLOCK_SPEED"
}

# yaml_list A,B,...
yaml_list() {
    local item
    while read -rd, item; do
        printf -- '  - %s\n' "$(yaml_text "$item")"
    done <<<"$1,"
}

campusd_configure() {
    cat >"$STACK/campus.yaml.new" <<END
# written by scripts/stack.sh; campusd --print-config tells every setting
log:
  level: info
control:
  socket: $(yaml_text "$CAMPUS_CONTROL")
journal:
  directory: $(yaml_text "${JOURNAL_DIRECTORY:-$STACK/journal}")
${JOURNAL_MORE:-}
snapshot:
  every_s: ${SNAPSHOT_EVERY_S:-300}
archive:
  conninfo: $(yaml_text "$CAMPUS_PG")
registry:
  cache: $(yaml_text "$STACK/registry.cache")
brokers:
$(yaml_list "$CAMPUS_BROKERS")
${ALERTS_AT_FIRST:+alert_brokers:
$(yaml_list "$CAMPUS_BROKER")}
card:
  datum_default: wgs84
$(clock_settings)
END
    mv "$STACK/campus.yaml.new" "$STACK/campus.yaml"
}

campusctl() {
    "$BIN/campusctl" "$@"
}

# status_of KEY: one value of campusctl status.
status_of() {
    campusctl status 2>/dev/null | sed -n "s/^$1=//p" | head -n 1
}

# Ready, and subscribed at every broker: what a broker acknowledges before anybody subscribed is dropped by it.
campusd_died_or_listens() {
    gone "$STACK/run/campusd.pid" && return 0
    campusctl status 2>/dev/null | awk -F= '
        $1 == "state" {ready = $2 == "ready"} $1 == "brokers" {all = $2} $1 == "brokers.up" {up = $2}
        END {exit !(ready && all > 0 && up == all)}'
}

campusd_spawn() {
    running "$STACK/run/campusd.pid" && return 0
    [[ -x $BIN/campusd ]] || die "no $BIN/campusd: run ./campus build"
    campusd_configure
    spawn "$STACK/run/campusd.pid" "$STACK/log/campusd.log" $(urgent) "$BIN/campusd" --config "$STACK/campus.yaml"
}

campusd_start() {
    running "$STACK/run/campusd.pid" && return 0
    campusd_spawn
    wait_until "${CAMPUSD_SECONDS:-60}" "campusd to be ready and subscribed" campusd_died_or_listens
    local listens=$?
    if gone "$STACK/run/campusd.pid"; then
        tail -n 5 "$STACK/log/campusd.log" >&2
        die "campusd ended at once: see $STACK/log/campusd.log"
    fi
    ((listens == 0)) || die "campusd is not ready: see $STACK/log/campusd.log"
}

campusd_stop() {
    stop_process "$STACK/run/campusd.pid" campusd
}

campusd_kill9() {
    kill -9 "$(pid_of "$STACK/run/campusd.pid")" || die "campusd does not run"
    wait_until 10 "campusd to be dead" gone "$STACK/run/campusd.pid"
}

# Stops whatever of the stack runs, consumers of the others first.
stack_stop() {
    local pid_file
    for pid_file in "$STACK"/run/*.pid; do
        case ${pid_file##*/} in
        campusd.pid | mosquitto*.pid | postgres.pid | '*.pid') ;;
        *) stop_process "$pid_file" "$(basename "$pid_file" .pid)" ;;
        esac
    done
    campusd_stop
    broker_stop
    pg_stop
}

# ---- what commands build on ----

# stack_city NAME OPTION...: a stack of its own in a new folder, with an invented city (campus-sim's options) in its registry.
stack_city() {
    local name=$1
    shift
    STACK=$(mktemp -d "${TMPDIR:-/tmp}/campus-$name.XXXXXX")
    chmod 711 "$STACK"
    trap 'exit 130' INT TERM
    stack_open
    pg_start
    broker_start
    {
        "$BIN/campus-sim" city --out "$STACK/city" --seed 1 "$@" || die "campus-sim city failed"
        campusctl import "$STACK/city" || die "campusctl import failed"
        campusctl fences import "$STACK/city/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
    } >"$STACK/log/city.log"
}

stack_remove() {
    rm -rf "$STACK" "$RUN" "$DATA"
}

# journal_fold NAME: what an undisturbed campusd raises over a copy of the segments alone: id, tab, JSON. It leaves $STACK/NAME.
journal_fold() {
    mkdir "$STACK/$1"
    cp "$STACK"/journal/*.seg "$STACK/$1/"
    sed -e "s|$STACK/journal|$STACK/$1|" -e "s|$CAMPUS_CONTROL|$CAMPUS_CONTROL.fold|" "$STACK/campus.yaml" >"$STACK/$1.yaml"
    "$BIN/campusd" --config "$STACK/$1.yaml" --fold 2>"$STACK/log/$1.log"
}
