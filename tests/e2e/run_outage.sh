#!/bin/bash
# PostgreSQL away for twenty seconds under load: nothing lost, every SOS alerted, the archive catches up. No word of speed.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
CAMPUS_DEPS_DONE=1 CAMPUS_BIN=${1:-$ROOT/build/release/bin} exec "$ROOT/scripts/outage.sh" --seconds 20 --before 5 --rate 500 \
    --cards 1300
