#!/bin/bash
# Twenty kills drawn from a seed (SEED= takes one), then everything is counted: see scripts/kills.sh.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
CAMPUS_DEPS_DONE=1 CAMPUS_BIN=${1:-$ROOT/build/release/bin} exec "$ROOT/scripts/kills.sh" --kills 20 --rate 500 --cards 1300 \
    --pause-ms 1000 ${SEED:+--seed "$SEED"}
