# Configuration (a) of the explorer to its end, with one ABORT and one reboot, and nothing is wrong.
# It takes a minute: builds other than the one of `make test` see how it begins.
# ctest: plain timeout=600
# ctest: native
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"

whole=1
[ "$(basename "$HF_BUILD_DIR")" = release ] || whole=0
bounds=()
[ "$whole" = 1 ] || bounds=(--states 1000000)
"$HF_HANDFAST" explore "${bounds[@]}" a >"$work/out" ||
    fail "explore a: status $?: $(tail -n 40 "$work/out")"
tail -n 3 "$work/out"
states=$(sed -n 's/^\([0-9]*\) states, .* 0 violations, .*/\1/p' "$work/out")
[ "${states:-0}" -ge 1000000 ] || fail "explore a: ${states:-no} states"
[ "$whole" = 0 ] || grep -qx complete "$work/out" || fail 'explore a: not complete'
[ "$whole" = 0 ] || [ "$states" -gt 10000000 ] || fail "explore a: only $states states"
