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
# Not in $work: /tmp may be mounted nodev, where even root cannot open them.
nodes=$(mktemp -d "$HF_BUILD_DIR/nodes.XXXXXX")
trap 'rm -rf "$work" "$nodes"' EXIT
mknod "$nodes/open" c 10 200 || skip "no device node can be made here"
mknod "$nodes/closed" c 10 200
chmod 666 "$nodes/open"
chmod 600 "$nodes/closed"

# as_nobody open|closed: in a mount namespace of its own, with that /dev/net/tun, or with none where
# there is none.
as_nobody() {
    unshare -m sh -c '{ [ ! -e /dev/net/tun ] || mount --bind "$1" /dev/net/tun; } &&
        cd "$2" && exec setpriv --reuid=65534 --regid=65534 --clear-groups ../handfast demo' \
        sh "$nodes/$1" "$work/$1" >"$work/$1.out"
}

opened=no
for tun in open closed; do
    if [ "$tun" = open ] && { [ ! -e /dev/net/tun ] || ! : 2>/dev/null <>"$nodes/open"; }; then
        echo "this kernel has no TUN: only the closed variant is tried"
        continue
    fi
    as_nobody "$tun" || { cat "$work/$tun.out"; fail "with /dev/net/tun $tun: status $?"; }
    check_demo "$work/$tun.out" "$work/$tun"
    [ "$tun" = closed ] || opened=yes
done
[ "$opened" = no ] || grep -q 'device .*TUN' "$work/open.out" ||
    fail "with /dev/net/tun open it was not used"
grep -q 'device .*veth' "$work/closed.out" || fail "with /dev/net/tun closed there is no veth"
echo "the demo needs no privileges"
