# ctest: timeout=180
# The demo: five connections with the kernel, drawn; its capture satisfies Wireshark.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program curl setpriv setsid tshark unshare
need_network

"$handfast" demo --megabytes "$(megabytes)" -o "$work" >"$work/out" ||
    { cat "$work/out"; fail "the demo ended with status $?"; }
check_demo "$work/out" "$work"
check_capture "$work/demo.pcapng"
# Of the transfers it has 64 KiB of each end, each way, and the rest was counted.
text=$(tshark -r "$work/demo.pcapng" -Y 'tcp.len > 0' 2>"$work/tshark" | wc -l)
[ "$text" -gt 500 ] || fail "only $text packets with text are in the capture"
grep -q 'transfer ([1-9][0-9]* packets) is left out' "$work/out" || fail "nothing was left out"

# Ctrl-C in the middle: no process of it is left, hence no namespace and no device, and no files.
mkdir "$work/interrupted"
cd "$work/interrupted"
: >"$work/out" # what the whole demo said there must not be taken for this one's
setsid "$handfast" demo --megabytes "$(megabytes)" >"$work/out" 2>"$work/err" &
pid=$!
for _ in $(seq 200); do
    grep -q '^5 of 5\|^3 of 5' "$work/out" && break
    sleep 0.05
done
kill -INT "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 130 ] || fail "interrupted, it ended with status $status: $(cat "$work/err")"
grep -q interrupted "$work/err" || fail "it does not say that it was interrupted"
for _ in $(seq 100); do
    left=$(ps -e -o pid=,sid=,args= | awk -v sid="$pid" '$2 == sid')
    [ -z "$left" ] && break
    sleep 0.05
done
[ -z "$left" ] || fail "left behind: $left"
[ -z "$(ls -A "$work/interrupted")" ] || fail "files left behind: $(ls -A "$work/interrupted")"

# Where no namespace can be made it says what is missing: one line, and the way out. (Not so under
# ThreadSanitizer: it has a thread of its own, which is reason enough for the kernel to refuse.)
case "${HF_SANITIZE:-}" in *thread*) echo "the demo is well"; exit 0 ;; esac
status=0
unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
    exec setpriv --bounding-set=-all --inh-caps=-all "$1" demo -o "$2"' sh "$handfast" "$work" \
    >"$work/out" 2>"$work/err" || status=$?
[ "$status" = 1 ] || fail "without any device it ended with status $status"
[ "$(wc -l <"$work/err")" = 1 ] || fail "not one clear line: $(cat "$work/err")"
grep -q 'max_user_namespaces' "$work/err" || fail "no way out: $(cat "$work/err")"
echo "the demo is well"
