# Configuration (a) of the explorer to its end, with one ABORT and one reboot, and nothing is wrong.
# It takes a minute or more on two busy cores: builds other than the one of `make test` see how it
# begins.
# ctest: plain timeout=600
# ctest: native
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"

bounds=() least=10000001 says=complete
if [ "$(basename "$HF_BUILD_DIR")" != release ]; then
    bounds=(--states 1000000) least=1000000
    says='not complete: the number of states that was allowed'
fi
"$HF_HANDFAST" explore --json --states 100 a | grep -q '"cut": "the number of states that was' ||
    fail "explore --json: it does not say what cut it"
"$HF_HANDFAST" explore "${bounds[@]}" a >"$work/out" ||
    fail "explore a: status $?: $(tail -n 40 "$work/out")"
tail -n 3 "$work/out"
grep -qx "$says" "$work/out" || fail "explore a: it does not say '$says'"
states=$(sed -n 's/^\([0-9]*\) states, .* 0 violations, .*/\1/p' "$work/out")
[ "${states:-0}" -ge "$least" ] || fail "explore a: ${states:-no} states, at least $least"
