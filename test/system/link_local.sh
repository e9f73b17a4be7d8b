# ctest: timeout=60
# Between link-local addresses over an interface whose MAC is the kernel's, too.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program ip nc ss unshare
if [ -z "${in_namespace:-}" ]; then
    unshare -n true 2>/dev/null || skip "no network namespace without root"
    rm -rf "$work" # the next shell makes its own
    in_namespace=1 exec unshare -n bash "$0"
fi
cd "$work"
[ -e /proc/sys/net/ipv6 ] || skip "the kernel has no IPv6"
ip link add ours type veth peer name peer 2>err || skip "no veth: $(cat err)"
ip link set peer up
ip link set ours up
for _ in $(seq 100); do
    [ "$(ip -6 address show scope link -tentative | grep -c fe80)" = 2 ] && break
    sleep 0.1
done
address_of() {
    ip -6 -o address show dev "$1" scope link | sed 's,.*inet6 \([^/]*\)/.*,\1,'
}
kernel=$(address_of peer) shared=$(address_of ours)
[ -n "$kernel" ] && [ -n "$shared" ] || skip "the kernel has no link-local addresses here"

# The address that the kernel has on our interface is not ours, also behind a capture.
for pcap in "" "--pcap a.pcapng"; do
    nc -6 -N -l "$kernel%peer" 80 </dev/null >got &
    server=$!
    until ss -ltn | grep -q ':80 '; do sleep 0.05; done
    # shellcheck disable=SC2086
    { echo "to the kernel"; sleep 1; } | "$handfast" connect -v -w 10 --interface ours $pcap \
        --address 10.9.0.2/24 "$kernel%ours" 80 >received 2>err || fail "connect: $(cat err)"
    wait "$server" || true
    [ "$(cat got)" = "to the kernel" ] || fail "$pcap: other octets: $(cat got err)"
done
! "$handfast" listen --interface ours --address "$shared/64" 80 </dev/null 2>err ||
    fail "the kernel's address is taken"
grep -q "the kernel has this address of ours" err || fail "not told why: $(cat err)"
[ "$(grep -o "$shared" err | wc -l)" = 1 ] || fail "told twice: $(cat err)"

# One that was chosen.
"$handfast" listen -v -w 10 --interface ours --address fe80::5/64 80 </dev/null >received 2>err &
listener=$!
for _ in $(seq 100); do
    grep -q listening err && break
    sleep 0.05
done
{ echo "to Handfast"; sleep 1; } | nc -6 -N fe80::5%peer 80 || fail "nc: $(cat err)"
wait "$listener" || fail "listen: $(cat err)"
[ "$(cat received)" = "to Handfast" ] || fail "other octets: $(cat received err)"
echo "link-local addresses are used beside the kernel's"
