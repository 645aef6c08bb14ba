#!/bin/bash
# build.sh [PRESET [TARGET...]]: configures when needed, builds with a progress line.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset=${1:-release}
shift || true
[[ ${CAMPUS_DEPS_DONE:-} ]] || "$ROOT/scripts/deps.sh" run || exit 1
cd "$ROOT" || exit 1
log=$ROOT/build/$preset.configure.log
mkdir -p build
say "building $preset in build/$preset"
if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log" >&2
    die "cmake --preset $preset failed"
fi
exec cmake --build --preset "$preset" -- -j "${CAMPUS_JOBS:-$(nproc)}" "$@"
