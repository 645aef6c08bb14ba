#!/bin/bash
# down: stops what `up` started, and only that; the data stays in var/.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/stack.sh"

STACK=${CAMPUS_VAR:-$ROOT/var}
(($# == 0)) || die "down takes no argument"
if [[ ! -e $STACK/campus.env ]]; then
    say "nothing was started below $STACK"
    exit 0
fi
exec 9>"$STACK/lock"
flock -w 60 9 || die "another ./campus up or down is at work on $STACK"
BIN=$ROOT/build/release/bin
stack_open
stack_stop
say "stopped; the data stays in $STACK$([[ $DATA != "$STACK" ]] && echo " and $DATA")"
