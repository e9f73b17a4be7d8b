# `handfast why`: for each rule a schedule that goes wrong without it, and what it comes to with it.
# ctest: plain
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"

# rule, what goes wrong without it, what the schedule shows with it
check() {
    local shown
    shown=$("$HF_HANDFAST" why "$1")
    grep -q "^violation: $2" <<<"${shown%%The same schedule*}" || fail "why $1: no '$2'"
    grep -q "$3" <<<"${shown##*The same schedule}" || fail "why $1: with the rule no '$3'"
    grep -q 'violation' <<<"${shown##*The same schedule}" && fail "why $1: wrong with the rule, too"
    return 0
}

check three-way-handshake 'a connection that the other side never opened' 'B: SYN-RECEIVED'
check four-way-close 'the connection has ended in order, but not every octet' 'B: CLOSE-WAIT'
check random-isn 'a connection that the other side never opened' 'does not acknowledge our SYN'
check challenge-ack 'a connection was reset, and neither end' 'earns a challenge ACK'
check sequence-check 'delivered octets are not those that were sent' 'wholly received before'
check 2msl 'delivered octets are not those that were sent' 'A OPEN cannot be'

"$HF_HANDFAST" why --help | grep -q 'three-way-handshake' || fail "why --help names no rule"
status=0
"$HF_HANDFAST" why nonsense 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "a rule that is none: status $status"
