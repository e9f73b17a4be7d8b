# ctest: timeout=120
# listen and connect with unmodified programs on the kernel's side: nc, curl, wrk.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program curl nc socat
need_network
cd "$work"
bytes=20000000
[ -z "${HF_SANITIZE:-}" ] || bytes=2000000
head -c "$bytes" /dev/urandom >up
head -c "$bytes" /dev/urandom >down

# Both ways at once, each end closing when its input ends; IPv4 and IPv6, opened by either side.
for version in 4 6; do
    net=10.77.0.
    [ "$version" = 4 ] || net=fd77::
    kernel=${net}1 ours=${net}2 listen_on=${net}1
    [ "$version" = 4 ] || listen_on="[${net}1]"
    "$handfast" listen "-$version" -v 80 --private -- sh -c "nc -N $ours 80 <up >got" \
        <down >received 2>err || fail "listen -$version: $(cat err)"
    cmp up received && cmp down got || fail "listen -$version: other bytes"
    grep -q 'connection from' err || fail "listen -v says nothing of its peer: $(cat err)"
    # A listening nc goes when the other side has closed, whatever it has still to send.
    "$handfast" connect "-$version" -v "$kernel" 80 --private -- \
        socat -t60 "TCP$version-LISTEN:80,bind=$listen_on" 'OPEN:up,rdonly!!CREATE:got' \
        <down >received 2>err || fail "connect -$version: $(cat err)"
    cmp up received && cmp down got || fail "connect -$version: other bytes"
    grep -q "connected to .*$kernel" err || fail "connect -v does not say so: $(cat err)"
done

# A listener of one version refuses the other.
"$handfast" listen -4 80 --private -- sh -c 'nc -z -w 2 fd77::2 80 && exit 9; nc -N 10.77.0.2 80' \
    </dev/null >received 2>err || fail "listen -4: $(cat err)"

# -s and -p are what the peer sees.
"$handfast" connect -s 10.77.0.2 -p 4444 -v 10.77.0.1 80 --private -- nc -v -n -N -l 80 \
    </dev/null >/dev/null 2>err || fail "connect -s -p: $(cat err)"
grep -q '10.77.0.2 4444' err || fail "not from port 4444: $(cat err)"

# --echo and --keep: one after another, all come back; curl finds a server.
"$handfast" listen --keep --echo 80 --private -- sh -c '
    for i in 1 2 3 4 5; do nc -N 10.77.0.2 80 <up | cmp - up || exit 1; done' </dev/null 2>err ||
    fail "listen --keep --echo: $(cat err)"
printf 'HTTP/1.0 200 OK\r\n\r\nserved\n' | "$handfast" listen 80 --private -- \
    curl -sS --noproxy '*' -o page http://10.77.0.2/ >request || fail "curl"
[ "$(cat page)" = served ] || fail "curl got something else: $(cat page)"
grep -q '^GET / HTTP/1.1' request || fail "the request did not arrive: $(cat request)"

# Watching: ladder, SVG, capture; and TIME-WAIT to its end is drawn as CLOSED behind it.
echo hello | "$handfast" connect --judge --ladder --svg a.svg --pcap a.pcapng \
    10.77.0.1 80 --private -- \
    nc -N -l 80 >received 2>ladder || fail "connect --ladder: $(cat ladder)"
grep -q 'SYN-SENT .*<CTL=SYN>' ladder || fail "no SYN in the ladder: $(cat ladder)"
grep -q 'ISS ' ladder || fail "no ISS in the ladder"
grep -q 'judge: [1-9][0-9]* segments, 1 connection, no rule broken' ladder ||
    fail "no judgement: $(cat ladder)"
grep -q '</svg>' a.svg || fail "no SVG"
if command -v tshark >/dev/null; then check_capture a.pcapng; fi

# The command has its moment to end by itself, however many frames come in that time.
"$handfast" listen 80 --private -- python3 -c '
import socket, time
c = socket.create_connection(("10.77.0.2", 80))
c.shutdown(socket.SHUT_WR)
while c.recv(100):
    pass
c.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + 0.8
while time.monotonic() < end:
    try:
        u.sendto(b"nobody wants this", ("10.77.0.2", 9))
    except ConnectionRefusedError:
        pass
    time.sleep(0.0005)
open("done", "w").write("all")
' </dev/null 2>err || fail "a command that goes on: $(cat err)"
[ "$(cat done)" = all ] || fail "a command that goes on was ended too soon: $(cat err)"

# What fails, fails with the right words, soon.
! "$handfast" connect 10.77.0.1 81 --private -- sh -c 'nc -N -l 80 & sleep 30' </dev/null 2>err ||
    fail "connecting to nobody succeeds"
grep -qi 'connection refused' err || fail "not refused: $(cat err)"
! "$handfast" connect -w 0.5 10.77.0.9 81 --private -- sleep 5 </dev/null 2>err ||
    fail "connecting to nowhere succeeds"
grep -qiE 'no answer within 0.5 seconds|unreachable|no route' err || fail "no answer: $(cat err)"
! "$handfast" connect 10.77.0.1 80 --private -- python3 -c '
import socket, struct
s = socket.create_server(("10.77.0.1", 80)).accept()[0]
s.recv(1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
' <up >received 2>err || fail "a reset in the middle is a success"
grep -qi 'reset' err || fail "not reset: $(cat err)"
echo "listen and connect do what they say"
