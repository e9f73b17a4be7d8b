# ctest: timeout=120
# listen --xdp and connect --xdp on one end of a veth pair, with the kernel's nc at the other: what
# crosses, what is said where it cannot, and that the kernel has its interface back afterwards.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program ethtool ip nc unshare
if [ -z "${in_namespace:-}" ]; then
    unshare -n true 2>/dev/null || skip "no network namespace without root"
    rm -rf "$work" # the next shell makes its own
    in_namespace=1 exec unshare -n bash "$0"
fi
cd "$work"
ip link add ours type veth peer name peer 2>err || skip "no veth: $(cat err)"
ip address add 10.9.0.1/24 dev peer
ip link set peer up
ip link set ours up
ours=(--xdp ours --address 10.9.0.2/24)
"$handfast" listen -w 0.1 9 "${ours[@]}" </dev/null 2>err || true
if grep -qE 'no AF_XDP|no XDP: |cannot be locked' err; then skip "$(cat err)"; fi
head -c 400000 /dev/urandom >up
head -c 400000 /dev/urandom >down

# Starts listen with these arguments and waits until its program is at the interface.
start_listen() {
    local tries=0
    "$handfast" listen "$@" 80 "${ours[@]}" <down >received 2>err &
    listener=$!
    until ip link show ours | grep -q ' xdp'; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || fail "no program at the interface: $(cat err)"
        sleep 0.05
    done
}

# What the kernel leaves to a network card that is none: dropped, and the reason is near.
ethtool -K peer tx on >/dev/null
start_listen
! nc -w 3 10.9.0.2 80 </dev/null >/dev/null || fail "an unfinished checksum is taken"
kill -INT "$listener"
wait "$listener" || true
grep -q 'segments had a wrong checksum.*ethtool -K PEER tx off' err ||
    fail "no hint at checksums: $(cat err)"
ethtool -K peer tx off >/dev/null

start_listen --judge
nc -N 10.9.0.2 80 <up >got || fail "nc: $(cat err)"
wait "$listener" || fail "listen --xdp: $(cat err)"
cmp up received && cmp down got || fail "listen --xdp: other bytes"
grep -q 'no rule broken' err || fail "listen --xdp: not judged well: $(cat err)"

# nc -l ends when its peer's direction does, whatever it has still to send: that one waits for all.
give_down() {
    local tries=0
    cat down
    until [ "$(stat -c %s received)" -ge 400000 ] || [ "$tries" -ge 400 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
}
nc -N -l 10.9.0.1 81 <up >got &
until ss -ltn | grep -q ':81 '; do sleep 0.05; done
: >received
give_down | "$handfast" connect -w 5 10.9.0.1 81 "${ours[@]}" >received 2>err ||
    fail "connect --xdp: $(cat err)"
wait "$!" || true
cmp up received && cmp down got || fail "connect --xdp: other bytes"
! ip link show ours | grep -q ' xdp' || fail "a program was left at the interface"
ip link del ours

ip link add ours numrxqueues 2 numtxqueues 2 type veth peer name peer numrxqueues 2 numtxqueues 2
ip link set ours up
! "$handfast" listen 80 "${ours[@]}" </dev/null 2>err || fail "one queue of two is taken"
grep -q '2 queues.*ethtool -L' err || fail "not told of the queues: $(cat err)"
echo "listen and connect do what they say over AF_XDP"
