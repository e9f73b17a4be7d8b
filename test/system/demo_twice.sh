# ctest: timeout=180 plain
# Two demos at once, in one directory.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program curl tshark
need_network

cd "$work"
"$handfast" demo --megabytes 20 >"$work/one" &
one=$!
"$handfast" demo --megabytes 20 >"$work/two" &
two=$!
wait "$one" || { cat "$work/one"; fail "the first of two demos"; }
wait "$two" || { cat "$work/two"; fail "the second of two demos"; }
check_demo "$work/one" "$work"
check_demo "$work/two" "$work"
check_capture "$work/demo.pcapng"
[ -z "$(ls -d "$work"/.demo-* 2>/dev/null)" ] || fail "unfinished files are left"
echo "two demos do not disturb each other"
