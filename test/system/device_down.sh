# ctest: timeout=60
# A device that is down is named, with the way out, instead of a peer that does not answer.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program ip nc unshare
if [ -z "${in_namespace:-}" ]; then
    unshare -n true 2>/dev/null || skip "no network namespace without root"
    rm -rf "$work" # the next shell makes its own
    in_namespace=1 exec unshare -n bash "$0"
fi
cd "$work"
ip link add ours type veth peer name peer 2>err || skip "no veth: $(cat err)"
ip address add 10.9.0.1/24 dev peer
ip link set peer up

# Waits until $1 stands in err.
await() {
    for _ in $(seq 200); do
        grep -q "$1" err && return
        sleep 0.05
    done
    fail "not said: $1: $(cat err)"
}

# An interface that is there and down: connect fails at once, listen says so and waits.
! "$handfast" connect -w 20 --interface ours --address 10.9.0.2/24 10.9.0.1 80 --ladder \
    </dev/null 2>err || fail "a connection over an interface that is down"
grep -q 'ours is down: .ip link set ours up.' err || fail "connect --interface: $(cat err)"
! grep -q SYN err || fail "a SYN is drawn that cannot have left: $(cat err)"
echo hello | "$handfast" listen --interface ours --address 10.9.0.2/24 80 >received 2>err &
listener=$!
await 'ours is down, and nothing can arrive until it is up: .ip link set ours up.'
ip link set ours up
printf 'to ours' | nc -N -w 10 10.9.0.2 80 >got || fail "nc: $(cat err)"
wait "$listener" || fail "listen does not go on when its device comes up: $(cat err)"
[ "$(cat received)$(cat got)" = "to ourshello" ] || fail "other octets: $(cat received got)"

# What a running connect could not foresee is told in the end.
"$handfast" connect -w 2 --interface ours --address 10.9.0.2/24 10.9.0.9 80 </dev/null 2>err &
connect=$!
sleep 0.3
ip link set ours down
! wait "$connect" || fail "a connection to nobody"
grep -q 'ours is down' err || fail "gone down meanwhile: $(cat err)"

# An interface whose MTU is no IP network's is named once, also where it was to be captured.
ip link add small type veth peer name other
ip link set dev small mtu 500 up
! "$handfast" connect -w 2 --interface small --address 10.7.0.2/24 --pcap small.pcapng 10.7.0.1 80 \
    </dev/null 2>err || fail "a connection over an interface with an MTU of 500"
[ "$(cat err)" = "handfast connect: small: cannot be an interface: its MTU is 500, and has to be \
576 to 65535" ] || fail "an MTU of 500: $(cat err)"

# AF_XDP, where this system has it.
"$handfast" listen -w 0.1 9 --xdp ours --address 10.9.0.2/24 </dev/null 2>err || true
if ! grep -qE 'no AF_XDP|no XDP|cannot be locked' err; then
    ! "$handfast" connect -w 20 --xdp ours --address 10.9.0.2/24 10.9.0.1 80 </dev/null 2>err ||
        fail "a connection over AF_XDP that is down"
    grep -q 'ours is down: .ip link set ours up.' err || fail "connect --xdp: $(cat err)"
fi

# A TUN device that was just made is down: it has the time of -w to come up.
[ -w /dev/net/tun ] || {
    echo "a device that is down is named; without /dev/net/tun TUN was not tried"
    exit 0
}
! "$handfast" connect -w 0.3 --tun hfd0 --address 10.8.0.2/24 10.8.0.1 80 --ladder \
    </dev/null 2>err || fail "a connection over a TUN device that is down"
grep -q 'hfd0 was made just now and is down.*ip link set hfd0 up' err ||
    fail "connect --tun: $(cat err)"
grep -q 'hfd0 is still down' err || fail "connect --tun at its end: $(cat err)"
! grep -q SYN err || fail "a SYN is drawn that cannot have left: $(cat err)"
: >err # else what is awaited may be found in it before the next one opens it
"$handfast" connect -v -w 20 --tun hfd0 --address 10.8.0.2/24 10.8.0.1 80 </dev/null 2>err &
connect=$!
await 'hfd0 was made just now and is down'
ip address add 10.8.0.1/24 dev hfd0
nc -N -l 10.8.0.1 80 </dev/null >got &
for _ in $(seq 200); do
    ! grep -q ':0050 .* 0A ' /proc/net/tcp || break # port 80, LISTEN
    sleep 0.05
done
ip link set hfd0 up
wait "$connect" || fail "connect does not go on when its device comes up: $(cat err)"
grep -q 'connected to 10.8.0.1:80' err || fail "connect after up: $(cat err)"
echo "a device that is down is named"
