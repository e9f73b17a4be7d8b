# Configuration (a) of the explorer to its end, with one ABORT and one reboot, and nothing is wrong.
# ctest: plain timeout=600
# ctest: native
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"

"$HF_HANDFAST" explore a >"$work/out" || fail "explore a: status $?: $(tail -n 40 "$work/out")"
tail -n 3 "$work/out"
grep -qx complete "$work/out" || fail 'explore a: not complete'
states=$(sed -n 's/^\([0-9]*\) states, .* 0 violations, .*/\1/p' "$work/out")
[ "${states:-0}" -gt 10000000 ] || fail "explore a: ${states:-no} states"
