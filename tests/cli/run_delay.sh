#!/bin/bash
# campusctl delay: the default as docs/presence.md has it, the surer the later, wrong rates named. Usage: run_delay.sh CAMPUSCTL
set -u
CTL=$(realpath "$1")
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# fixes OUTPUT CROSSING
fixes() {
    sed -n "s/^$2  *\([0-9-]*\)  *[0-9-]*$/\1/p" <<<"$1"
}

default=$("$CTL" delay) || fail "the default"
[[ $(head -n 1 <<<"$default") == "needed nats: left 8.507, entered 6.205, danger 4.595; a lie that lasts: out 7.409, in 4.700" ]] ||
    fail "what is needed: $default"
[[ $(fixes "$default" "left, by a gate pass") == 1 && $(fixes "$default" "left, 350 m away") == 3 ]] || fail "$default"
[[ $(fixes "$default" "entered a place") == 2 && $(fixes "$default" "danger zone") == 2 ]] || fail "$default"
near=$(fixes "$default" "left, 100 m away")
((near >= 10 && near <= 14)) || fail "near the fence: $default"

sure=$("$CTL" delay --false-left 0.00001 --false-danger 0.0001) || fail "surer"
(($(fixes "$sure" "left, 100 m away") > near && $(fixes "$sure" "danger zone") > 2)) || fail "surer is no later: $sure"
[[ $(fixes "$sure" "entered a ground") == "$(fixes "$default" "entered a ground")" ]] || fail "arrivals were not asked for: $sure"
loose=$("$CTL" delay --false-left 0.1) || fail "looser"
[[ $(fixes "$loose" "left, by a gate pass") == 0 ]] || fail "one pass is enough: $loose"
(($(fixes "$loose" "left, 100 m away") < near)) || fail "looser is no sooner: $loose"

"$CTL" delay --false-left 0.9 2>&1 | grep -q -- "--false-left: 0.9 is no share from 0.000001 to 0.5" || fail "a rate too high"
"$CTL" delay --interval 0 >/dev/null 2>&1 && fail "an interval of 0"

((failed == 0)) && echo "delay: all as expected"
exit "$failed"
