# ctest: timeout=240 plain
# The demo as somebody without any privileges: with /dev/net/tun readable, and with it closed.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program curl setpriv unshare mknod
need_network
[ "$(id -u)" = 0 ] || skip "only root can become nobody, and open or close /dev/net/tun for it"

cp "$handfast" "$work/handfast"
chmod 755 "$work/handfast"
mkdir -m 777 "$work/open" "$work/closed"
mknod "$work/open.tun" c 10 200 || skip "no device node can be made here"
mknod "$work/closed.tun" c 10 200
chmod 666 "$work/open.tun"
chmod 600 "$work/closed.tun"

# as_nobody open|closed: in a mount namespace of its own, with that /dev/net/tun.
as_nobody() {
    unshare -m sh -c 'mount --bind "$1/$2.tun" /dev/net/tun && cd "$1/$2" &&
        exec setpriv --reuid=65534 --regid=65534 --clear-groups ../handfast demo' \
        sh "$work" "$1" >"$work/$1.out"
}

for tun in open closed; do
    if [ "$tun" = open ] && { [ ! -e /dev/net/tun ] || ! : 2>/dev/null <>"$work/open.tun"; }; then
        echo "this kernel has no TUN: only the closed variant is tried"
        continue
    fi
    as_nobody "$tun" || { cat "$work/$tun.out"; fail "with /dev/net/tun $tun: status $?"; }
    check_demo "$work/$tun.out" "$work/$tun"
done
grep -q 'device .*TUN' "$work/open.out" || fail "with /dev/net/tun open it was not used"
grep -q 'device .*veth' "$work/closed.out" || fail "with /dev/net/tun closed there is no veth"
echo "the demo needs no privileges"
