# ctest: plain timeout=120
# Who is killed leaves nothing that goes on computing; and a file that has become as long as it may
# be is an error that is told, not the end.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program nc python3
cd "$work"

children_of() {
    cat "/proc/$1/task/$1/children" 2>/dev/null || true
}

# Any of these processes; one that only nobody has waited for yet does not count.
run() {
    local pid
    for pid in "$@"; do
        ! grep -qsE '^State:\s[^ZX]' "/proc/$pid/status" || return 0
    done
    return 1
}

# kill_and_look COMMAND...: its children are gone within seconds.
kill_and_look() {
    "$handfast" "$@" >/dev/null 2>err &
    local pid=$! children=
    for _ in $(seq 200); do
        children=$(children_of "$pid")
        [ -z "$children" ] || break
        sleep 0.05
    done
    [ -n "$children" ] || fail "$*: no child: $(cat err)"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        # shellcheck disable=SC2086
        run $children || return 0
        sleep 0.05
    done
    # shellcheck disable=SC2086
    kill -KILL $children || true
    fail "$*: its children go on without it"
}

kill_and_look sim --seeds 10000000
kill_and_look why 2msl

need_network
status=0
(
    ulimit -f 1
    exec "$handfast" listen --pcap long.pcapng --echo 80 --private -- sh -c \
        'head -c 200000 /dev/zero | nc -N 10.77.0.2 80 >/dev/null' </dev/null 2>err
) || status=$?
[ "$status" = 1 ] || fail "a file as long as it may be: status $status: $(cat err)"
grep -q -- '--pcap long.pcapng: File too large' err || fail "that file: $(cat err)"
# Whoever became `handfast` (exec) may have children: they are none of the private network's.
(
    sleep 300 &
    echo $! >bystander
    exec "$handfast" listen --echo 80 --private -- sh -c \
        '(trap "" TERM; sleep 300) & echo $! >orphan; echo x | nc -N 10.77.0.2 80' </dev/null 2>err
) || fail "beside a child of another: status $?: $(cat err)"
run "$(cat bystander)" || fail "a child that handfast had not started was ended"
kill -KILL "$(cat bystander)"
! run "$(cat orphan)" || fail "what the command left in the private network goes on"

# Who calls us may ignore the end of its children: ours are waited for all the same.
status=0
python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' \
    "$handfast" listen -w 60 80 --private -- false 2>err || status=$?
[ "$status" = 1 ] && grep -q "'false' ended with status 1" err ||
    fail "with SIGCHLD ignored: status $status: $(cat err)"

echo "nothing is left behind"
