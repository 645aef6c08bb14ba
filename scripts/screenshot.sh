#!/bin/bash
# screenshot PAGE.html FILE.png [WIDTH [dark|light]]: the whole page as a picture, by a headless Chromium without a network.
# WIDTH is 1200 CSS pixels where none is given.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

(($# >= 2 && $# <= 4)) || die "usage: scripts/screenshot.sh PAGE.html FILE.png [WIDTH [dark|light]]"
page=$(realpath -e -- "$1") || die "no page $1"
png=$2
width=${3:-1200}
[[ $width =~ ^[0-9]+$ ]] || die "WIDTH is a number of pixels, not $width"
case ${4:-light} in
light) scheme=1 ;;
dark) scheme=0 ;;
*) die "dark or light, not $4" ;;
esac
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || die "no Chromium: apt-get install chromium"

SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/campus-screenshot.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT

# shot HEIGHT ARGUMENT...
shot() {
    local height=$1
    shift
    timeout -k 5 60 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$SCRATCH/profile" \
        --blink-settings="preferredColorScheme=$scheme" --window-size="$width,$height" "$@" "file://$page" 2>"$SCRATCH/words"
}

shot 900 --dump-dom >"$SCRATCH/dom" || {
    cat "$SCRATCH/words" >&2
    die "Chromium failed"
}
# the page's script tells its height when all is drawn
height=$(sed -n 's/.*<html[^>]* data-height="\([0-9]*\)".*/\1/p' "$SCRATCH/dom" | head -n 1)
[[ -n $height ]] || die "$1 did not draw itself to its end"
shot "$height" --screenshot="$(realpath -m -- "$png")" >/dev/null || {
    cat "$SCRATCH/words" >&2
    die "Chromium failed"
}
[[ -s $png ]] || die "Chromium made no picture"
say "$png: $width x $height"
