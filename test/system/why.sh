# `handfast why`: for each rule a schedule that goes wrong without it, and what it comes to with it.
# ctest: plain
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"

# rule, what goes wrong without it, what the schedule shows with it, how it ends then
check() {
    local shown
    shown=$(timeout 60 "$HF_HANDFAST" why "$1") || fail "why $1: status $?"
    grep -q "^violation: $2" <<<"${shown%%WITH THE RULE*}" || fail "why $1: no '$2'"
    grep -q "$3" <<<"${shown##*WITH THE RULE}" || fail "why $1: with the rule no '$3'"
    grep -q "$4" <<<"${shown##*WITH THE RULE}" || fail "why $1: does not end with '$4'"
    grep -q 'violation' <<<"${shown##*WITH THE RULE}" && fail "why $1: wrong with the rule, too"
    return 0
}

check three-way-handshake 'a connection that the other side never opened' 'B: SYN-RECEIVED' \
    'back in LISTEN'
check four-way-close 'the connection has ended in order, but not every octet' 'B: CLOSE-WAIT' \
    'closed in order: this side closed first'
check 2msl 'delivered octets are not those that were sent' \
    'A OPEN is refused: connection already exists' \
    'closed in order: this side closed first, and 2MSL are over'
grep -q 'A, connected with B1, reads as octet 0 what is octet 1 of B0' \
    <<<"$("$HF_HANDFAST" why 2msl)" || fail 'why 2msl: no old octet in the new connection'
check random-isn 'a connection that the other side never opened' 'does not acknowledge our SYN' \
    'back in LISTEN'
check challenge-ack 'a connection was reset, and neither end' 'earns a challenge ACK' \
    'closed in order'
check sequence-check 'delivered octets are not those that were sent' 'wholly received before' \
    'closed in order'

"$HF_HANDFAST" why --help | grep -q 'three-way-handshake' || fail "why --help names no rule"
status=0
"$HF_HANDFAST" why nonsense 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "a rule that is none: status $status"

# A search whose output cannot be written has not found nothing; and a reader may have had enough.
status=0
"$HF_HANDFAST" why 2msl 2>"$work/err" | head -n 5 >/dev/null || status=$?
[ "$status" = 0 ] || fail "why to head: status $status: $(cat "$work/err")"
[ ! -s "$work/err" ] || fail "why to head: $(cat "$work/err")"
"$HF_HANDFAST" why 2msl 2>"$work/err" >/dev/full || status=$?
[ "$status" = 1 ] || fail "why to a full disk: status $status"
grep -q 'standard output could not be written: No space left on device' "$work/err" ||
    fail "why to a full disk: $(cat "$work/err")"
! grep -q 'has not found' "$work/err" || fail "why to a full disk: $(cat "$work/err")"
