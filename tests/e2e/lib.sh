# What every end-to-end run shares: a private stack in a folder of its own, expectations that are counted, and an
# end that stops what was begun here and nothing else. usage of a run: run_x.sh [BIN]
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$ROOT/scripts/lib.sh"
. "$ROOT/scripts/stack.sh"

BIN=${1:-$ROOT/build/release/bin}
DATA_FOLDER=${CAMPUS_DATA:-$ROOT/../shared/data}
SKIPPED=77
passed=0
failed=0
# A sanitizer's report ends campusd with an exit code and words of its own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
unset CAMPUS_PG CAMPUS_BROKER CAMPUS_CONTROL CAMPUS_ENV CAMPUS_BROKER_PORT

need_data() {
    if [[ ! -d $DATA_FOLDER/traces ]]; then
        echo "SKIPPED: no real traces in $DATA_FOLDER (CAMPUS_DATA names another folder)"
        exit "$SKIPPED"
    fi
    DATA_FOLDER=$(cd "$DATA_FOLDER" && pwd -P)
}

need_programs() {
    local program
    for program in "$@"; do
        [[ -x $BIN/$program ]] || die "no $BIN/$program: build it first"
    done
    for program in mosquitto_sub mosquitto_pub; do
        command -v "$program" >/dev/null || die "no $program: run ./campus deps"
    done
}

# ---- expectations ----

ok() {
    passed=$((passed + 1))
    echo "ok: $*"
}

bad() {
    failed=$((failed + 1))
    echo "FAILED: $*"
}

# expect_equal WHAT A B
expect_equal() {
    if [[ $2 == "$3" ]]; then
        ok "$1: $2"
    else
        bad "$1: $2 is not $3"
    fi
}

# expect_same WHAT FILE FILE: sorted lines; shows the first that differ.
expect_same() {
    if cmp -s "$2" "$3"; then
        ok "$1: $(wc -l <"$2") the same"
    else
        bad "$1: $(comm -23 "$2" "$3" | wc -l) only in $(basename "$2"), $(comm -13 "$2" "$3" | wc -l) only in $(basename "$3")"
        comm -3 "$2" "$3" | head -n 6
    fi
}

expect() {
    local what=$1
    shift
    if "$@"; then
        ok "$what"
    else
        bad "$what"
    fi
}

# ---- the stack ----

e2e_open() {
    STACK=$(mktemp -d "${TMPDIR:-/tmp}/campus-e2e.XXXXXX")
    chmod 711 "$STACK"
    trap e2e_close EXIT
    trap 'exit 130' INT TERM
    stack_open
    pg_start
    broker_start
}

# A worker of ours with all that it started.
kill_tree() {
    local child
    for child in $(children_of "$1"); do kill_tree "$child"; done
    kill "$1" 2>/dev/null
}

e2e_close() {
    local status=$?
    trap - EXIT
    [[ -z ${WORKERS:-} ]] || kill_tree "$WORKERS"
    e2e_sanitizer_silent
    stack_stop
    if ((status != 0 || failed > 0)); then
        echo "what was left: logs below $STACK (kept)"
        tail -n 5 "$STACK"/log/*.log
        ((EUID != 0)) || chown -R "$EUID" "$STACK"
        status=$((status == 0 ? 1 : status))
    else
        rm -rf "$STACK"
        [[ $RUN == "$STACK"/* ]] || rm -rf "$RUN"
        [[ $DATA == "$STACK" ]] || rm -rf "$DATA"
    fi
    echo "$(basename "$0"): $passed ok, $failed failed"
    exit "$status"
}

e2e_sanitizer_silent() {
    if grep -lE 'AddressSanitizer|ThreadSanitizer|runtime error:|LeakSanitizer|ASSERT' "$STACK"/log/*.log 2>/dev/null; then
        bad "a sanitizer or an assertion spoke"
        grep -hE -m 3 -A 12 'AddressSanitizer|ThreadSanitizer|runtime error:|LeakSanitizer|ASSERT' "$STACK"/log/*.log | head -n 40
    fi
}

# ---- a small registry ----

# registry_begin, then card ID [OWNTRACKS] for each card, then registry_end: one school s1, one pupil and one guardian a card.
registry_begin() {
    mkdir -p "$STACK/city"
    echo 'id,name,county,lat,lon' >"$STACK/city/schools.csv"
    echo 's1,School 1,140403,36.2,113.1' >>"$STACK/city/schools.csv"
    echo 's2,School 2,140404,36.1,113.0' >>"$STACK/city/schools.csv"
    echo 'id,name,school,class' >"$STACK/city/pupils.csv"
    echo 'id,pupil,owntracks' >"$STACK/city/cards.csv"
    echo 'id,name,pupil' >"$STACK/city/guardians.csv"
    echo 'id,name,school' >"$STACK/city/gates.csv"
    echo 's1-g1,Gate 1,s1' >>"$STACK/city/gates.csv"
}

registry_card() { # ID [OWNTRACKS [SCHOOL]]
    echo "p-$1,Pupil $1,${3:-s1},1-1" >>"$STACK/city/pupils.csv"
    echo "$1,p-$1,${2:-}" >>"$STACK/city/cards.csv"
    echo "g-$1,Guardian $1,p-$1" >>"$STACK/city/guardians.csv"
}

registry_end() {
    campusctl import "$STACK/city" || die "campusctl import failed"
}

# ---- real traces ----

# Lines "card file device": every trace, a card each, a device each where a file has several.
trace_list() {
    local file device number=0
    for file in "$DATA_FOLDER"/traces/*; do
        number=$((number + 1))
        case $file in
        *emission*)
            for device in $(zcat "$file" | awk -F, 'NR > 1 {print $1}' | sort -u); do
                echo "t$number-$device $file $device"
            done
            ;;
        *) echo "t$number $file" ;;
        esac
    done
}

text_of() {
    case $1 in
    *.gz) zcat "$1" ;;
    *) cat "$1" ;;
    esac
}

# trace_points FILE [DEVICE]: lines "lat lon", in the file's order; read by other means than campusctl's.
trace_points() {
    case $1 in
    *.csv | *.csv.gz)
        text_of "$1" | awk -v device="${2:-}" '
            NR == 1 {
                FS = /;/ ? ";" : ","
                $0 = $0
                for (i = 1; i <= NF; i++) {
                    if ($i ~ /^lat/) lat = i
                    if ($i ~ /^lon|^lng/) lon = i
                }
                next
            }
            device == "" || $1 == device {print $lat, $lon}'
        ;;
    *)
        text_of "$1" | awk 'BEGIN {RS = "<"} /^trkpt[ \t\n]/ {
            lat = $0; sub(/.*[ \t\n]lat="/, "", lat); sub(/".*/, "", lat)
            lon = $0; sub(/.*[ \t\n]lon="/, "", lon); sub(/".*/, "", lon)
            print lat, lon
        }'
        ;;
    esac
}

# Real school grounds as lines of numbers: "lon lat lon lat ...", the outer ring of each polygon 60 to 400 m wide.
school_grounds() {
    zcat "$DATA_FOLDER/polygons/osm_schools_brasilia.geojson.gz" | tr -d ' \n' |
        awk 'BEGIN {RS = "\"coordinates\":"} /^\[\[\[/ {
            ring = substr($0, 4)
            sub(/\]\].*/, "", ring)
            gsub(/\],\[/, " ", ring); gsub(/[\[\]]/, "", ring); gsub(/,/, " ", ring)
            n = split(ring, v, " ")
            if (n < 8 || n > 200) next
            x0 = x1 = v[1]; y0 = y1 = v[2]
            for (i = 1; i < n; i += 2) {
                if (v[i] < x0) x0 = v[i]; if (v[i] > x1) x1 = v[i]
                if (v[i + 1] < y0) y0 = v[i + 1]; if (v[i + 1] > y1) y1 = v[i + 1]
            }
            w = (x1 - x0) * 107000; h = (y1 - y0) * 110600
            if (w > 60 && w < 400 && h > 60 && h < 400) print ring
        }' | awk 'NR % 7 == 1'
}

# trace_fences: a GeoJSON file on standard output: on each trace circles of 60 to 150 m at 20, 40, 60 and 80 % of its
# points (one a danger zone) and a real school's ground moved onto its middle.
trace_fences() {
    {
        school_grounds | sed 's/^/G /'
        trace_list | while read -r card file device; do
            trace_points "$file" "$device" | sed "s/^/P $card /"
        done
    } | awk '
        function feature(id, kind, geometry, radius) {
            printf "%s{\"type\":\"Feature\",\"properties\":{\"id\":\"%s\",\"kind\":\"%s\",\"name\":\"%s\",\"datum\":\"wgs84\"%s},\"geometry\":%s}",
                separator, id, kind, id, radius ? ",\"radius_m\":" radius : "", geometry
            separator = ",\n"
        }
        function ground(id, lat, lon, ring,    n, v, i, x, y, scale, text) {
            n = split(ring, v, " ")
            for (i = 1; i < n; i += 2) {x += v[i]; y += v[i + 1]}
            x /= n / 2; y /= n / 2
            scale = cos(y * 0.017453292519943) / cos(lat * 0.017453292519943)
            for (i = 1; i < n; i += 2)
                text = text sprintf("%s[%.7f,%.7f]", i > 1 ? "," : "", lon + (v[i] - x) * scale, lat + v[i + 1] - y)
            feature(id, "place", "{\"type\":\"Polygon\",\"coordinates\":[[" text "]]}", 0)
        }
        function end_of_trace(    i, at, id) {
            if (count < 5) return
            for (i = 1; i <= 4; i++) {
                at = int(count * i / 5) + 1
                id = card "-c" i
                feature(id, i == 3 ? "danger" : "place", sprintf("{\"type\":\"Point\",\"coordinates\":[%s,%s]}", lon[at], lat[at]),
                    60 + (serial++ * 37) % 91)
            }
            at = int(count / 2) + 1
            ground(card "-ground", lat[at], lon[at], rings[traces++ % ring_count])
        }
        $1 == "G" {sub(/^G /, ""); rings[ring_count++] = $0; next}
        $2 != card {end_of_trace(); card = $2; count = 0}
        {count++; lat[count] = $3; lon[count] = $4}
        BEGIN {print "{\"type\":\"FeatureCollection\",\"features\":["}
        END {end_of_trace(); print "]}"}'
}

# Registry and fences of all traces, campusd started, a listener with a session of its own at the guardians topics.
traces_begin() {
    TRACES=$STACK/traces.txt
    trace_list >"$TRACES"
    registry_begin
    while read -r card _; do
        registry_card "$card"
    done <"$TRACES"
    registry_end
    trace_fences >"$STACK/fences.geojson"
    campusctl fences import "$STACK/fences.geojson" --datum wgs84 || die "campusctl fences import failed"
    campusd_start
    collect_begin
}

collect_begin() {
    : >"$STACK/collected"
    spawn "$STACK/run/collector.pid" "$STACK/log/collector.log" sh -c 'exec stdbuf -oL mosquitto_sub -h 127.0.0.1 \
        -p "$1" -q 1 -c -i collector -t "campus/v1/guardian/+/alerts" >>"$2"' sh "$BROKER_PORT" "$STACK/collected"
    wait_until 10 "the listener's subscription" collector_hears || exit 1
}

# A word of ours comes through: it is no alert and is left out of the counts.
collector_hears() {
    mosquitto_pub -h 127.0.0.1 -p "$BROKER_PORT" -q 1 -t campus/v1/guardian/nobody/alerts -m hello
    [[ -s $STACK/collected ]]
}

# trace_publish CARD FILE [DEVICE]: as if its last fix were now; waits for every receipt; its outcome ends its log.
trace_publish() {
    local card=$1 file=$2 device=${3:-} log=$STACK/log/publish-$1.log
    campusctl publish --trace "$file" --card "$card" --school s1 ${device:+--device "$device"} \
        --shift --give-up 120 >"$log" 2>&1
    echo "exit=$?" >>"$log"
}

# publish_all [LIST]: publishes all traces, three at a time; ends when all have all receipts or gave up.
publish_all() {
    local card file device
    while read -r card file device; do
        while (($(jobs -rp | wc -l) >= 3)); do
            wait -n
        done
        trace_publish "$card" "$file" "$device" &
    done <"${1:-$TRACES}"
    wait
}

check_publishers() {
    local logs
    logs=$(grep -L '^exit=0$' "$STACK"/log/publish-*.log)
    expect_equal "publishers that failed" "$(wc -w <<<"$logs")" 0
    [[ -z $logs ]] || tail -n 2 $logs
}

published() {
    sed -n "s/^published=.* fixes=\([0-9]*\) .*/\1/p" "$STACK/log/publish-$1.log" | tail -n 1
}

# Everything that was written to the journal when wait_archived was called lies in PostgreSQL, and every alert went out. Not
# what is durable: the alert of a report that has its receipt may be on its way to the disk.
archived() {
    local position
    position=$(status_of archive.position)
    [[ -n $position ]] && ((position >= TARGET)) && [[ $(status_of alerts.unconfirmed) == 0 && $(status_of alerts.waiting) == 0 ]]
}

wait_archived() {
    TARGET=$(status_of journal.appended)
    wait_until "${1:-60}" "the archive to reach journal position $TARGET" archived || bad "the archive stays behind"
}

collected_ids() {
    sed -n 's/^{"specversion":"1.0","id":"\([^"]*\)".*/\1/p' "$STACK/collected" | sort -u
}

collected_all() {
    sql "select id from campus.alert" | sort -u >"$STACK/alerts.archived"
    collected_ids >"$STACK/alerts.collected"
    cmp -s "$STACK/alerts.archived" "$STACK/alerts.collected"
}

# The fixes as they arrived, for campusctl replay: those of one moment in the order of their numbers.
export_fixes() {
    echo 'card,time,lat,lon,accuracy_m,arrival,source'
    sql "copy (select c.id, extract(epoch from f.\"time\"), f.lat_e7::numeric / 10000000, f.lon_e7::numeric / 10000000,
            f.accuracy_cm::numeric / 100, extract(epoch from f.arrived),
            case f.source when 1 then 'gnss' when 2 then 'wifi' when 3 then 'cell' else '' end
        from campus.fix f join campus.card c on c.no = f.card_no where f.lat_e7 is not null
        order by f.arrived, f.epoch, f.seq, f.idx) to stdout csv"
}

# The three ways to the same alerts: heard by a guardian, kept in the archive, replayed offline from the fixes.
check_alerts() {
    wait_until 60 "the listener to have every archived alert" collected_all
    echo "alerts: $(wc -l <"$STACK/alerts.collected") heard ($(grep -c specversion "$STACK/collected") messages), $(wc -l <"$STACK/alerts.archived") archived"
    expect_same "alert ids heard and archived" "$STACK/alerts.collected" "$STACK/alerts.archived"
    expect_equal "alerts archived twice" "$(sql "select count(*) - count(distinct id) from campus.alert")" 0
    export_fixes >"$STACK/fixes.csv"
    campusctl replay --fences "$STACK/fences.geojson" --fixes "$STACK/fixes.csv" --datum wgs84 >"$STACK/replayed.jsonl" ||
        bad "campusctl replay failed"
    sql "select json->'data'->>'card', json->'data'->>'fence', json->'data'->>'type', json->'data'->>'time_ms' from campus.alert" |
        sort >"$STACK/alerts.archive"
    sed -n 's/.*"card": *"\([^"]*\)".*"fence": *"\([^"]*\)".*"type": *"\([^"]*\)".*"time_ms": *\([-0-9]*\).*/\1|\2|\3|\4/p' \
        "$STACK/replayed.jsonl" | sort >"$STACK/alerts.replay"
    expect_same "alerts archived and replayed, by card, fence, type, time_ms" "$STACK/alerts.archive" "$STACK/alerts.replay"
    expect "there are alerts at all" test -s "$STACK/alerts.archive"
}

# Every fix once: per card what the file holds, what was published, what lies in the archive. A fix that cannot be (one
# trace has a clock at 1970) is a dead letter of its card instead: never nowhere.
check_fixes() {
    local card file device in_file said rows dead lost=0 total=0 letters=0
    while read -r card file device; do
        in_file=$(trace_points "$file" "$device" | wc -l)
        said=$(published "$card")
        rows=$(sql "select count(*) from campus.fix f join campus.card c on c.no = f.card_no where c.id = '$card'")
        dead=$(sql "select count(*) from campus.refused where topic = 'campus/v1/s1/card/$card/up'")
        total=$((total + rows))
        letters=$((letters + dead))
        if [[ $in_file != "${said:-0}" || $((rows + dead)) != "${said:-0}" ]]; then
            echo "  $card $(basename "$file") ${device:-}: $in_file in the file, ${said:-?} published, $rows in campus.fix, $dead dead letters"
            lost=$((lost + 1))
        fi
    done <"$TRACES"
    echo "fixes: $total in campus.fix and $letters in campus.refused, of $(wc -l <"$TRACES") cards"
    expect_equal "cards whose counts differ" "$lost" 0
    expect_equal "fixes twice in the archive" "$(sql "select count(*) from (select 1 from campus.fix
        group by card_no, epoch, seq, idx having count(*) > 1) twice")" 0
}
