# ctest: timeout=120
# However a connection ends, its last line says why: a signal, the time of -w, a refusal; and what
# --svg cannot draw is told.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program nc python3
need_network
cd "$work"

# status of the program, its standard error in err
status_of() {
    status=0
    "$handfast" "$@" </dev/null >received 2>err || status=$?
}

# The last line of each ladder there, and of the picture.
ends_with() {
    grep -E '^ *[0-9.]+ {10}' err | tail -n 1 | grep -qE "$1" ||
        fail "the ladder does not end with '$1': $(cat err)"
    grep 'class="state">[a-z]' a.svg | tail -n 1 | grep -qE "$1" ||
        fail "the picture does not end with '$1': $(cat a.svg)"
}

await() {
    for _ in $(seq 200); do
        grep -q "$1" err && return
        sleep 0.05
    done
    fail "no '$1': $(cat err)"
}

# Until the process catches SIGINT, which a script's jobs in the background ignore before.
await_catching() {
    for _ in $(seq 500); do
        local caught
        caught=$(awk '/^SigCgt/ { print $2 }' "/proc/$1/status")
        (((0x$caught & 2) == 0)) || return 0
        sleep 0.02
    done
    fail "SIGINT is not caught"
}

# SIGINT, SIGTERM and SIGHUP reset what is open, and say so.
mkfifo hold
exec 9<>hold
for signal in INT TERM HUP; do
    rm -f a.svg err # or else what the one before has said is taken for it
    "$handfast" listen -v --ladder --svg a.svg 80 --private -- python3 -c '
import socket
s = socket.create_connection(("10.77.0.2", 80))
s.recv(1)
' <hold >/dev/null 2>err &
    pid=$!
    await 'connection from'
    kill "-$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    [ "$status" = 130 ] || fail "after SIG$signal: status $status: $(cat err)"
    grep -q 'the open connection was reset' err || fail "SIG$signal is not mentioned: $(cat err)"
    ends_with 'aborted by this side with a reset in ESTABLISHED'
done

# nohup: who ignores SIGHUP goes on.
rm err
(
    trap '' HUP
    exec "$handfast" connect -v 10.77.0.1 80 --private -- nc -l 80 <hold >/dev/null 2>err
) &
pid=$!
await 'connected to'
kill -HUP "$pid"
sleep 0.5
kill -0 "$pid" || fail "SIGHUP ended what ignores it: $(cat err)"
kill -INT "$pid"
! wait "$pid" || fail "SIGINT after nohup: success"

# Not open yet: interrupted, given up, refused.
"$handfast" connect --ladder --svg a.svg 10.77.0.9 81 --private -- sleep 9 \
    </dev/null >/dev/null 2>err &
pid=$!
await 'CTL=SYN>'
kill -INT "$pid"
! wait "$pid" || fail "SIGINT in SYN-SENT: success"
ends_with 'given up: interrupted'
status_of connect -w 0.5 --ladder --svg a.svg 10.77.0.9 81 --private -- sleep 9
ends_with 'given up: no answer within 0.5 seconds'
status_of connect --ladder --svg a.svg 10.77.0.1 81 --private -- sh -c 'nc -N -l 80 & sleep 30'
ends_with 'connection refused'
status_of connect --ladder --svg a.svg 10.77.0.1 81 --private -- sleep 30
ends_with 'connection refused'

# A signal that comes before there is anything to wait for is heard, too.
cat >early.py <<'END'
import signal, subprocess, sys
for _ in range(5):
    command = [sys.argv[1], "connect", "10.77.0.9", "81", "--private", "--", "sleep", "60"]
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    caught = 0
    while not caught & 2:  # SIGINT
        with open(f"/proc/{run.pid}/status") as status:
            caught = int(next(l for l in status if l.startswith("SigCgt")).split()[1], 16)
    run.send_signal(signal.SIGINT)
    try:
        status = run.wait(20)
    except subprocess.TimeoutExpired:
        run.terminate()
        sys.exit("it is lost")
    if status != 130:
        sys.exit(f"status {status}")
END
python3 early.py "$handfast" 2>err || fail "SIGINT while the network is made: $(cat err)"

# Who gives up before the time of -w is over does not say that it is.
status_of connect -w 60 --set syn_retries_option=1 10.77.0.9 81 --private -- sleep 9
[ "$status" = 1 ] && grep -q '10.77.0.9 port 81: Connection timed out' err ||
    fail "after one retransmission: status $status: $(cat err)"

# The demo hears a signal while it makes what it sends, and blames nobody.
"$handfast" demo </dev/null >/dev/null 2>err &
pid=$!
await_catching "$pid"
kill -INT "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 130 ] || fail "SIGINT ends the demo with status $status: $(cat err)"
! grep -qE 'sha256sum|curl' err || fail "the demo blames others for SIGINT: $(cat err)"

# Nobody has to read from a FIFO before a signal is heard.
mkfifo nobody
"$handfast" listen --pcap nobody 80 --private -- sleep 60 </dev/null >/dev/null 2>err &
pid=$!
await_catching "$pid"
for _ in 1 2; do # the first may come before it waits
    sleep 0.5
    kill -INT "$pid" 2>/dev/null || true
done
status=0
wait "$pid" || status=$?
[ "$status" = 130 ] || fail "SIGINT while a FIFO has no reader: status $status: $(cat err)"

# What -w is over for is told without -v, too: here it is the window of a peer that never reads.
status=0
head -c 3000000 /dev/zero | "$handfast" listen -w 3 80 --private -- python3 -c '
import socket, time
s = socket.create_connection(("10.77.0.2", 80))
time.sleep(30)
' 2>err >received || status=$?
[ "$status" = 1 ] && grep -q 'window stayed closed' err ||
    fail "a window that stays closed: status $status: $(cat err)"

# A name for the picture that cannot be written is found out before there is a connection.
echo old >old
status_of connect -v --svg directory/a.svg 10.77.0.1 80 --private -- nc -N -l 80
[ "$status" = 1 ] || fail "--svg without its directory: status $status"
! grep -q 'connected to' err || fail "--svg without its directory is noticed late: $(cat err)"
grep -q -- '--svg directory/a.svg: No such file or directory' err || fail "--svg: $(cat err)"
status_of connect --svg old no.such.name 80 --private -- true
[ "$(cat old)" = old ] || fail "an older picture is lost where there is no connection"
status_of connect --svg /dev/full 10.77.0.1 80 --private -- nc -N -l 80
[ "$status" = 1 ] && grep -q 'could not be written: No space left' err ||
    fail "--svg /dev/full: status $status: $(cat err)"
for pair in "a.svg ./a.svg" "old $work/old" "new ./new"; do
    # shellcheck disable=SC2086
    set -- $pair
    status_of connect --svg "$1" --pcap "$2" 10.77.0.1 80 --private -- nc -N -l 80
    [ "$status" = 2 ] || fail "--svg $1 --pcap $2: status $status: $(cat err)"
done

# How many ports of the kernel's have their SYN there: a busy machine may repeat one.
drawn() {
    awk 'match($0, /10\.77\.0\.1:[0-9]+/) { port = substr($0, RSTART, RLENGTH) }
        /CTL=SYN(>|&gt;)/ && !drawn[port]++ { n++ } END { print n + 0 }' "$1"
}

# More connections than a picture holds: it says so, and each is drawn on standard error.
status_of listen --keep --echo --ladder --svg a.svg 80 --private -- sh -c '
    i=0; while [ $i -lt 70 ]; do echo $i | nc -N 10.77.0.2 80 >/dev/null; i=$((i + 1)); done'
[ "$status" = 0 ] || fail "70 connections: status $status: $(tail err)"
[ "$(drawn err)" = 70 ] || fail "$(drawn err) of 70 are drawn"
[ "$(grep -cE '^ *[0-9.]+ {10,}the peer closed first' err)" = 70 ] ||
    fail "not 70 last lines: $(tail err)"
[ "$(drawn a.svg)" = 64 ] || fail "$(drawn a.svg) in the picture"
grep -q 'the first 64 connections are in it; there were 6 more' err || fail "not told: $(tail err)"
echo "each connection says why it ended"
