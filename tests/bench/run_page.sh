#!/bin/bash
# The page of a run, drawn by a headless Chromium: every plot is there, no script failed, and nothing is drawn or claimed that
# the run does not tell. synthetic_run.json holds made-up numbers. Usage: run_page.sh SOURCE_DIR BIN_DIR
set -u
SOURCE=$1
BIN=$2
DIR=$(mktemp -d)
trap 'rm -rf "$DIR"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

browser=$(command -v chromium) || {
    echo "skipped: no chromium is installed"
    exit 77
}

# dom NAME: $DIR/NAME.json as a page, as the browser sees it when its scripts have run: $DIR/NAME.dom
dom() {
    "$BIN/campus-load" page "$DIR/$1.json" --out "$DIR/$1.html" || fail "$1: no page"
    timeout -k 5 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$DIR/profile" \
        --enable-logging=stderr --window-size=1200,900 --dump-dom "file://$DIR/$1.html" >"$DIR/$1.dom" 2>"$DIR/$1.log" ||
        fail "$1: Chromium failed: $(tail -n 3 "$DIR/$1.log")"
    grep -q '<html[^>]* data-drawn=' "$DIR/$1.dom" || fail "$1: the script did not come to its end"
    ! grep -q '<html[^>]* data-error=' "$DIR/$1.dom" || fail "$1: $(grep -o 'data-error="[^"]*"' "$DIR/$1.dom")"
    ! grep -q 'CONSOLE.*Uncaught' "$DIR/$1.log" || fail "$1: $(grep CONSOLE "$DIR/$1.log")"
}

# expect_count NAME WHAT COUNT PATTERN
expect_count() {
    local count
    count=$(grep -o -- "$4" "$DIR/$1.dom" | wc -l)
    ((count == $3)) || fail "$1: $count $2, not $3"
}

# body of the page without its scripts and the JSON
expect_words() {
    sed '/<script/,$d' "$DIR/$1.dom" | grep -qF -- "$2" || fail "$1: does not say: $2"
}

expect_no_words() {
    ! sed '/<script/,$d' "$DIR/$1.dom" | grep -qF -- "$2" || fail "$1: says: $2"
}

cp "$SOURCE/tests/bench/synthetic_run.json" "$DIR/all.json"
dom all
expect_count all plots 7 '<canvas'
for part in latency percentiles steps throughput cpu truth scale figures; do
    expect_count all "sections $part" 1 "<section id=\"$part\""
done
expect_count all verdicts 1 'data-verdict="good"'
expect_words all 'Nothing lost, nothing doubled'
expect_words all '--made-up &lt;/script&gt;&lt;!--'
expect_words all 'gave way: broker'
expect_words all '41,000 reports a second held, 50,000 did not: alert p99 1312 ms &gt; 250 ms.'

echo '{"figures": {"load.sent_per_s": 2000, "load.alert_p99_ms": 12.5}}' >"$DIR/figures.json"
dom figures
expect_count figures plots 0 '<canvas'
expect_count figures sections 1 '<section'
expect_count figures verdicts 1 'data-verdict="mid"'
expect_words figures 'does not tell whether something was lost'
for words in 'Nothing lost' 'Machine' 'knee' 'Commit' 'undefined' 'NaN'; do
    expect_no_words figures "$words"
done

echo '{"figures": {"load.lost": 3, "load.doubled": 1, "load.sos_silent": 2}}' >"$DIR/lost.json"
dom lost
expect_count lost verdicts 1 'data-verdict="bad"'
expect_words lost '3 events lost, 1 doubled, 2 SOS without an alert'

# nothing is as expected: what cannot be drawn is left out, the rest stands
echo '{"figures": {}, "machine": 7, "steps": "x", "seconds": {"t": [1, null], "sent": 5}, "latency": {"alert": [1, [2]]},
    "truth": [3, {"what": {"a": 1}}], "scale": [{}], "knee": [], "options": [1], "versions": null}' >"$DIR/odd.json"
dom odd
expect_count odd plots 0 '<canvas'
echo '{"figures": {"load.lost": 0}, "seconds": {"t": [2, 2], "sent": [1, 2], "cpu": {"broker": [1, 1]}},
    "steps": [{"rate": 5, "alert_p99_ms": 1}, {"rate": 5, "alert_p99_ms": 0, "broke": "x"}],
    "latency": {"alert": [[0, 0], [100, 1]]}, "scale": [{"cards": 0, "ns": 1}, {"cards": 2, "ns": 0}]}' >"$DIR/flat.json"
dom flat
expect_count flat verdicts 1 'data-verdict="mid"'

printf '{"figures": {"a": 1},\n "steps": [1,]}' >"$DIR/bad.json"
if "$BIN/campus-load" page "$DIR/bad.json" --out "$DIR/bad.html" 2>"$DIR/words" || [[ -e $DIR/bad.html ]] ||
    ! grep -q 'bad.json: line 2' "$DIR/words"; then
    fail "bad JSON: $(cat "$DIR/words")"
fi
((failed == 0)) && echo 'passed'
exit "$failed"
