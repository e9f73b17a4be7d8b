# ctest: plain timeout=120
# Standard input and output that are closed, full, or cannot be read: no success, and no hanging.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
cd "$work"

# status of a command whose standard error goes to err
status_of() {
    status=0
    timeout 30 "$@" 2>err || status=$?
}

# Output to a full disk is no success, whichever line was the last; and the reason is said, once.
# A capture of one SYN: the section, an interface of raw IP, the packet.
printf '\12\15\15\12\34\0\0\0\115\74\53\32\1\0\0\0\377\377\377\377\377\377\377\377\34\0\0\0' >one
printf '\1\0\0\0\24\0\0\0\145\0\0\0\0\0\0\0\24\0\0\0' >>one
printf '\6\0\0\0\110\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\50\0\0\0\50\0\0\0' >>one
printf '\105\0\0\50\0\1\100\0\100\6\0\0\12\0\0\1\12\0\0\2\17\240\0\120\0\0\0\1' >>one
printf '\0\0\0\0\120\2\3\350\0\0\0\0\110\0\0\0' >>one
for command in version --version --help "version --help" conformance "judge --rules" "judge one" \
    "connect --set help" "sim --seeds 2" "explore --states 10" "why --help"; do
    # shellcheck disable=SC2086
    status_of "$handfast" $command >/dev/full
    [ "$status" = 1 ] || fail "$command to a full disk: status $status: $(cat err)"
    [ "$(grep -c 'standard output could not be written: No space left on device' err)" = 1 ] ||
        fail "$command to a full disk says: $(cat err)"
done
# But a reader may have had enough.
for command in conformance "judge --rules" --help; do
    # shellcheck disable=SC2086
    "$handfast" $command 2>err | head -n 1 >/dev/null || fail "$command to head: $(cat err)"
    [ ! -s err ] || fail "$command to head says: $(cat err)"
done
# Nor is output that is closed a success; and input that is closed is no reason to fail.
status_of "$handfast" version <&- >&-
[ "$status" = 1 ] || fail "version to a closed output: status $status"
grep -q 'standard output could not be written: it is closed' err || fail "closed: $(cat err)"
status_of "$handfast" version <&- >said
[ "$status$(cat said)" = "0$("$handfast" version)" ] || fail "version without an input: $(cat err)"

need_program nc python3
need_network

# A server of the kernel's that tells how the connection ended.
cat >server.py <<'END'
import signal, socket
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which comes with the reset
s = socket.create_server(("10.77.0.1", 80)).accept()[0]
try:
    n = len(s.recv(100))
    end = "an end" if n == 0 else "text"
except ConnectionResetError:
    end = "a reset"
open("end", "w").write(end)
END

# Input that cannot be read is not the end of the input: the peer gets a reset, not a FIN.
mkdir directory
for input in /proc/self/mem directory; do
    rm -f end
    status_of "$handfast" connect 10.77.0.1 80 --private -- python3 server.py <"$input"
    [ "$status" = 1 ] || fail "<$input: status $status: $(cat err)"
    grep -qE 'standard input: (Input/output error|Is a directory); the connection was reset' err ||
        fail "<$input: $(cat err)"
    [ "$(cat end)" = "a reset" ] || fail "<$input: the peer saw $(cat end)"
done

# Input that is closed is empty.
status_of "$handfast" connect -v 10.77.0.1 80 --private -- python3 server.py <&- >said
[ "$status" = 0 ] || fail "a closed input: status $status: $(cat err)"
[ "$(cat end)" = "an end" ] || fail "a closed input: the peer saw $(cat end)"

# A SYN that waits for text to go with it (Fast Open) does not wait for an input that has none.
rm -f end
status_of "$handfast" connect -v -w 10 --set fast_open=client+client_no_cookie \
    --set fast_open_option=defer 10.77.0.1 80 --private -- python3 server.py </dev/null >said
[ "$status" = 0 ] || fail "an empty input and defer: status $status: $(cat err)"
[ "$(cat end)" = "an end" ] || fail "an empty input and defer: the peer saw $(cat end)"
printf 'first words' | timeout 60 "$handfast" connect -w 10 \
    --set fast_open=client+client_no_cookie --set fast_open_option=defer 10.77.0.1 80 \
    --private -- sh -c 'nc -N -l 80 >got' 2>err || fail "an input and defer: $(cat err)"
[ "$(cat got)" = "first words" ] || fail "an input and defer: arrived '$(cat got)'"

# No more is read for a SYN than the send buffer holds.
head -c 1400 /dev/urandom >words
timeout 60 "$handfast" connect -w 10 --set send_buffer=512,fast_open_option=on \
    --set fast_open=client+client_no_cookie 10.77.0.1 80 --private -- sh -c 'nc -N -l 80 >got' \
    <words 2>err || fail "a send buffer smaller than the SYN: $(cat err)"
cmp words got || fail "a send buffer smaller than the SYN: other bytes"

# What was read for a SYN (Fast Open) goes to the next address where the first one refuses.  The
# server listens on one of both; the option's name is as good with dashes.
if unshare -m true 2>err; then
    printf '10.77.0.1 two.test\nfd77::1 two.test\n' >hosts
    printf 'first words' >words
    for server in "-4 -l 10.77.0.1" "-6 -l fd77::1"; do
        for option in fast_open_option fast-open-option; do
            status=0
            timeout 30 unshare -m sh -c "mount --bind hosts /etc/hosts && exec '$handfast' connect \
                --set fast_open=client+client_no_cookie --set $option=on --ladder two.test 80 \
                --private -- sh -c 'nc -N $server 80 >got'" <words 2>err || status=$?
            [ "$status" = 0 ] || fail "$option, nc $server: status $status: $(cat err)"
            [ "$(cat got)" = "first words" ] || fail "$option, nc $server: arrived '$(cat got)'"
            grep -q '<CTL=SYN><DATA=11>' err || fail "$option: no text on the SYN: $(cat err)"
        done
    done
else
    echo "no mount namespace here, a name of two addresses was not tried: $(cat err)"
fi

# Output that is closed takes nothing, not the eight octets of an event's number either.
for text in 1234567 123456789; do
    status_of "$handfast" listen 80 --private -- sh -c "echo $text | nc -N 10.77.0.2 80" \
        </dev/null >&-
    [ "$status" = 1 ] || fail "$text to a closed output: status $status: $(cat err)"
    grep -q 'standard output: it is closed' err || fail "$text to a closed output: $(cat err)"
done

# With --keep, too, that is the end: no further connection would fare better.
status_of "$handfast" listen --keep 80 --private -- sh -c \
    'for i in 1 2 3; do echo $i | nc -N 10.77.0.2 80; done; sleep 60' </dev/null >/dev/full
[ "$status" = 1 ] || fail "--keep to a full disk: status $status: $(cat err)"
[ "$(grep -c 'standard output: No space left on device; the connection was reset' err)" = 1 ] ||
    fail "--keep to a full disk: $(cat err)"

# A terminal that is non-blocking is waited for.
cat >slowly.py <<'END'
import os, subprocess, sys, time, tty
taken, given = os.openpty()
tty.setraw(given)
os.set_blocking(given, False)
feed = "head -c 1000000 /dev/zero | nc -N 10.77.0.2 80"
run = subprocess.Popen([sys.argv[1], "listen", "80", "--private", "--", "sh", "-c", feed],
                       stdin=subprocess.DEVNULL, stdout=given)
os.close(given)
octets = 0
try:
    while got := os.read(taken, 50000):
        octets += len(got)
        time.sleep(0.001)
except OSError:  # EIO: nobody has the other end any more
    pass
sys.exit(f"{octets} octets, status {run.returncode}" if run.wait() or octets != 1000000 else 0)
END
timeout 30 python3 slowly.py "$handfast" 2>err || fail "a non-blocking terminal: $(cat err)"

# A signal ends the wait for a terminal that was stopped.
cat >stopped.py <<'END'
import os, signal, subprocess, sys, termios, time, tty
taken, given = os.openpty()
tty.setraw(given)
termios.tcflow(given, termios.TCOOFF)
feed = "head -c 1000000 /dev/zero | nc -N 10.77.0.2 80"
with open("err", "wb") as err:
    run = subprocess.Popen([sys.argv[1], "listen", "80", "--private", "--", "sh", "-c", feed],
                           stdin=subprocess.DEVNULL, stdout=given, stderr=err)
time.sleep(3)  # it has something to write by then, and has to wait
run.send_signal(signal.SIGINT)
try:
    status = run.wait(10)
except subprocess.TimeoutExpired:
    run.kill()
    sys.exit("it goes on")
sys.exit(0 if status == 130 else f"status {status}")
END
timeout 30 python3 stopped.py "$handfast" 2>said ||
    fail "SIGINT at a stopped terminal: $(cat said err)"
echo "what cannot be read or written is told"
