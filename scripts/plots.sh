#!/bin/bash
# plots [--frontier FIGURES.json]: draws docs/plots with gnuplot (./campus deps docs). Three real cases out of the folder of real
# inputs ($CAMPUS_DATA), each through `campusctl replay`: relative metres and minutes, nothing that tells where. And the frontier,
# from the figures that `./campus bench presence --frontier --json FIGURES.json` wrote; without them it is left as it is.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BIN=${CAMPUS_BIN:-$ROOT/build/release/bin}
DATA=${CAMPUS_DATA:-}
OUT=$ROOT/docs/plots
WIDTH=900

# circle KIND RADIUS LAT LON
circle() {
    printf '{"type":"Feature","properties":{"id":"circle","kind":"%s","radius_m":%s},' "$1" "$2"
    printf '"geometry":{"type":"Point","coordinates":[%s,%s]}}\n' "$4" "$3"
}

# A field log tells distances and clocks only: fixes on a line to the north, after a morning at the desk.
flaps_fixes() {
    echo card,time,lat,lon,accuracy_m
    grep -o '{"t":"[^}]*}' "$DATA/fence/field_flap_cases.json" | awk -v noon=43200 '
        function metres(name) { return match($0, "\"" name "\":[0-9.]*") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : "" }
        function row(t, d, accuracy) { printf "phone,%d,%.7f,10,%s\n", 946684800 + t, d / 111195, accuracy }
        {
            split(substr($0, 7, 8), clock, ":")
            t = clock[1] * 3600 + clock[2] * 60 + clock[3]
            if (NR == 1) for (i = 12; i > 0; i--) row(t - i * 60, 5, 20)
            row(t, metres("dist_m"), metres("reported_accuracy_m"))
            last = t
        }
        END { for (i = 1; i <= 12; i++) row(last + i * 60, 5, 20) }'
}

# trace_rows DEVICE FROM TO: its rows from minute to minute of its trace, "time arrival lat lon accuracy".
trace_rows() {
    zcat "$DATA/traces/emission_daytrips_fixes.csv.gz" | awk -F, -v device="$1" -v from="$2" -v to="$3" '
        $1 == device { n++; for (i = 4; i <= 8; i++) at[n, i] = $i; if (start == "" || $4 < start) start = $4 }
        END {
            for (k = 1; k <= n; k++)
                if (at[k, 4] >= start + from * 60 && at[k, 4] <= start + to * 60)
                    print at[k, 4], at[k, 5], at[k, 6], at[k, 7], at[k, 8]
        }'
}

# The median of the usable fixes in that time: "lat lon".
middle() { # DEVICE FROM TO
    trace_rows "$@" | awk '$5 <= 100' >"$SCRATCH/stay"
    local count field
    count=$(wc -l <"$SCRATCH/stay")
    for field in 3 4; do
        awk -v field=$field '{print $field}' "$SCRATCH/stay" | sort -g | sed -n "$(((count + 1) / 2))p"
    done | paste -sd' '
}

# trace_case DEVICE FROM TO STAY_FROM STAY_TO KIND
trace_case() {
    local lat lon
    read -r lat lon < <(middle "$1" "$4" "$5")
    circle "$6" 100 "$lat" "$lon" >"$SCRATCH/fence.geojson"
    {
        echo card,time,lat,lon,accuracy_m,arrival
        trace_rows "$1" "$2" "$3" | awk '{printf "phone,%s,%s,%s,%s,%s\n", $1, $3, $4, $5, $2}'
    } >"$SCRATCH/fixes.csv"
}

# replay_case: fixes.dat (minute, signed distance), steps.dat (minute, sum, its need, streak, its need), alerts.dat.
replay_case() {
    local start lat lon radius
    "$BIN/campusctl" replay --fences "$SCRATCH/fence.geojson" --fixes "$SCRATCH/fixes.csv" --datum wgs84 --explain \
        --steps "$SCRATCH/steps.csv" >"$SCRATCH/alerts.jsonl" 2>/dev/null || die "campusctl replay failed"
    read -r radius lon lat < <(sed 's/.*"radius_m":\([0-9]*\).*\[\([-0-9.]*\),\([-0-9.]*\)\].*/\1 \2 \3/' "$SCRATCH/fence.geojson")
    start=$(awk -F, 'NR > 1 && (least == "" || $2 < least) {least = $2} END {printf "%.0f", least}' "$SCRATCH/fixes.csv")
    awk -F, -v lat="$lat" -v lon="$lon" -v radius="$radius" -v start="$start" 'NR > 1 {
        north = ($3 - lat) * 111195
        east = ($4 - lon) * 111195 * cos(lat * 3.14159265 / 180)
        printf "%.2f %.0f\n", ($2 - start) / 60, sqrt(north * north + east * east) - radius
    }' "$SCRATCH/fixes.csv" | sort -g >"$SCRATCH/fixes.dat"
    awk -F, -v start="$start" '
        function size(x) { return x < 0 ? -x : x }
        NR > 1 {printf "%.2f %.3f %.3f %.3f %.3f\n", ($3 / 1000 - start) / 60, size($9), size($10), $12, $13}' \
        "$SCRATCH/steps.csv" >"$SCRATCH/steps.dat"
    sed -n 's/.*"type":"\([a-z]*\)","time_ms":\([0-9]*\),"raised_ms":\([0-9]*\),.*"sure":\([0-9.]*\).*/\1 \2 \3 \4/p' \
        "$SCRATCH/alerts.jsonl" | awk -v start="$start" '{
            printf "%s %.2f %.2f %s\n", $1, ($2 / 1000 - start) / 60, ($3 / 1000 - start) / 60, $4}' >"$SCRATCH/alerts.dat"
}

# Crossings that a rule raises which takes each fix at its word.
naive() {
    awk '{inside = $2 <= 0; flips += NR > 1 && inside != before; before = inside} END {print flips + 0}' "$SCRATCH/fixes.dat"
}

# Lines through all panels of an alert: dark when it happened, light when it was known.
alert_lines() {
    awk '{
        printf "set arrow from %s, graph 0 to %s, graph 1 nohead lc rgb \"#2a7f3f\" lw 1.5\n", $2, $2
        printf "set arrow from %s, graph 0 to %s, graph 1 nohead lc rgb \"#8cc79b\" lw 1.5\n", $3, $3
    }' "$SCRATCH/alerts.dat"
}

alert_labels() {
    local last
    last=$(tail -n 1 "$SCRATCH/fixes.dat")
    awk -v last="${last%% *}" '{
        printf "set label \"%s, known %.0f min later, sure %.4f\" at %s, graph %s %s tc rgb \"#2a7f3f\"\n", $1, $3 - $2, $4, $3,
            0.92 - 0.14 * (NR - 1), ($3 > last / 2 ? "right offset -0.5,0" : "left offset 0.5,0")}' "$SCRATCH/alerts.dat"
}

# slim FILE: without the groups of gnuplot that hold nothing.
slim() {
    awk '/^<g .*>$/ {held = held $0 "\n"; next}
        held != "" && /^<\/g>$/ {sub(/[^\n]*\n$/, "", held); next}
        {printf "%s%s\n", held, $0; held = ""}' "$1" >"$SCRATCH/slim.svg" && mv "$SCRATCH/slim.svg" "$1"
}

# draw NAME TITLE DISTANCE_MAX TIC: fixes farther off stand at the edge.
draw() {
    local words=told
    [[ -s $SCRATCH/alerts.dat ]] || words="nothing told"
    gnuplot <<END || die "gnuplot failed on $1"
set terminal svg size $WIDTH,620 font "sans,12" background "white"
set output "$OUT/$1.svg"
set multiplot layout 3,1 title "$2: $words, every fix at its word: $(naive) crossings" font ",14"
set lmargin 9
set rmargin 3
set grid lc rgb "#dddddd"
set key outside right top horizontal samplen 2
stats "$SCRATCH/fixes.dat" using 1 nooutput
set xtics 5
set xrange [STATS_min:STATS_max]
$(alert_lines)
$(alert_labels)
set ylabel "metres"
set yrange [-150:$3]
set ytics $4
set arrow from graph 0, first 0 to graph 1, first 0 nohead lc rgb "black"
plot "$SCRATCH/fixes.dat" using 1:(\$2 > $3 ? $3 : \$2) with points pt 7 ps 0.35 lc rgb "#1f4e9e" title "distance to the boundary, negative inside"
unset arrow
unset label
$(alert_lines)
set ylabel "nats"
set yrange [0:*]
set ytics 4
plot "$SCRATCH/steps.dat" using 1:2 with steps lw 1.5 lc rgb "#1f4e9e" title "sum against the state", \
    "" using 1:3 with steps lc rgb "#c0392b" dt 3 title "needed"
set xlabel "minutes"
set ytics 2
plot "$SCRATCH/steps.dat" using 1:4 with steps lw 1.5 lc rgb "#1f4e9e" title "streak", \
    "" using 1:5 with steps lc rgb "#c0392b" dt 3 title "needed"
unset multiplot
END
    slim "$OUT/$1.svg"
}

# frontier_rows SUFFIX KEY...: "false delay found" of each key, by the figures.
frontier_rows() {
    local suffix=$1 key
    shift
    for key in "$@"; do
        awk -v key="$key" -v gates="${suffix%%/*}" -v interval="${suffix##*/}" '
            { gsub(/[",]/, "") }
            $1 == "presence.frontier_false" gates "_" key interval ":" { wrong = $2 }
            $1 == "presence.frontier_delay_median_s" gates "_" key interval ":" { delay = $2 }
            $1 == "presence.frontier_found_pct" gates "_" key interval ":" { found = $2 }
            END { if (wrong == "") exit 1; print wrong < 0.1 ? 0.1 : wrong, delay < 1 ? 1 : delay, found }' \
            <(tr ',{' '\n\n' <"$FIGURES" | sed 's/^ *//') || die "$FIGURES lacks the frontier of $key"
    done
}

draw_frontier() {
    local policies=(left_100000 left_20000 left_6000 left_2000 left_600 left_200 left_60 left_20 left_10)
    local rules=(every_fix accuracy_50m three_in_a_row two_in_a_row) run
    for run in /:gates_60 /_300s:gates_300 _no_gates/:alone_60 _no_gates/_300s:alone_300; do
        frontier_rows "${run%%:*}" "${policies[@]}" >"$SCRATCH/${run##*:}" || return 1
        frontier_rows "${run%%:*}" left_200 >"$SCRATCH/${run##*:}_default" || return 1
        frontier_rows "${run%%:*}" "${rules[@]}" >"$SCRATCH/${run##*:}_rules" || return 1
    done
    gnuplot <<END || die "gnuplot failed on the frontier"
set terminal svg size $WIDTH,520 font "sans,12" background "white"
set output "$OUT/frontier.svg"
set title "False alerts against delay: wanted rates of false departures from 10 % to 0.001 %"
set xlabel "median delay, seconds"
set ylabel "false alerts in 10,000 pupil-days (none: 0.1)"
set logscale y
set format y "%g"
set yrange [0.08:1e6]
set xrange [0:1800]
set grid lc rgb "#dddddd"
set key outside right top
plot "$SCRATCH/gates_60" using 2:1 with linespoints pt 7 ps 0.5 lc rgb "#2a7f3f" title "with gates, 60 s", \
    "$SCRATCH/gates_300" using 2:1 with linespoints pt 5 ps 0.5 lc rgb "#7fb98b" title "with gates, 300 s", \
    "$SCRATCH/alone_60" using 2:1 with linespoints pt 7 ps 0.5 lc rgb "#1f4e9e" title "without, 60 s", \
    "$SCRATCH/alone_300" using 2:1 with linespoints pt 5 ps 0.5 lc rgb "#8fa9d6" title "without, 300 s", \
    "< cat $SCRATCH/*_default" using 2:1 with points pt 6 ps 1.6 lw 2 lc rgb "black" title "the default", \
    "$SCRATCH/gates_60_rules" using 2:1 with points pt 9 ps 1 lc rgb "#c0392b" title "rules of peers, 60 s", \
    "$SCRATCH/gates_300_rules" using 2:1 with points pt 8 ps 1 lc rgb "#c0392b" title "the same, 300 s"
END
}

FIGURES=
if [[ ${1:-} == --frontier ]]; then
    FIGURES=${2:-}
    [[ -r $FIGURES ]] || die "plots: --frontier needs a file of figures"
elif (($# > 0)); then
    die "plots takes --frontier FIGURES.json and nothing else"
fi
command -v gnuplot >/dev/null || die "gnuplot is not installed (./campus deps docs)"
[[ -x $BIN/campusctl ]] || die "no $BIN/campusctl (./campus build)"
[[ -r $DATA/fence/field_flap_cases.json && -r $DATA/traces/emission_daytrips_fixes.csv.gz ]] ||
    die "no real inputs in $DATA (set CAMPUS_DATA)"
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/campus-plots.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT
mkdir -p "$OUT"

circle place 50 0 10 >"$SCRATCH/fence.geojson"
flaps_fixes >"$SCRATCH/fixes.csv"
replay_case
draw flaps "A phone on the desk" 200 50

trace_case e04 210 255 226 242 place
replay_case
draw visit "A visit of a quarter of an hour" 600 200

trace_case e02 20 60 35 45 place
replay_case
draw walls "A receiver between two places" 600 200

[[ -z $FIGURES ]] || draw_frontier
say "drawn: $(cd "$OUT" && ls | paste -sd' ')"
