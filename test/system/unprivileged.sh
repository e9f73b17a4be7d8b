# ctest: timeout=60
# Whoever may not have a device is told what is missing, and what this command offers instead.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
# The library knows nothing of the program's options.
! grep -rnE -- '[^[(]--(private|tun|tap|veth|interface|xdp|address|set)\b' "$HF_SOURCE_DIR/src" ||
    fail "src names an option of the program"

need_program setpriv unshare mknod
[ "$(id -u)" = 0 ] || skip "only root can become nobody"
cp "$handfast" "$work/handfast"
chmod 755 "$work/handfast"
mknod "$work/closed.tun" c 10 200 || skip "no device node can be made here"
chmod 600 "$work/closed.tun"
if [ ! -e /dev/net/tun ]; then skip "there is no /dev/net/tun"; fi

# In a mount namespace of its own, with a /dev/net/tun that is closed to it; fails.
as_nobody() {
    ! unshare -m sh -c 'mount --bind "$1/closed.tun" /dev/net/tun && cd "$1" && shift &&
        exec setpriv --reuid=65534 --regid=65534 --clear-groups ./handfast "$@"' \
        sh "$work" "$@" </dev/null >"$work/out" 2>"$work/err" || fail "$* is allowed"
}
says() {
    grep -qE -- "$1" "$work/err" || fail "not told '$1': $(cat "$work/err")"
}

# ThreadSanitizer has a thread of its own, and a process with two gets no user namespace (EINVAL).
if [ "$HF_SANITIZE" != thread ]; then
    as_nobody demo --tun
    says '/dev/net/tun: Permission denied: it takes root, .*; without --tun veth would do$'
    ! grep -q -- '--private' "$work/err" || fail "demo has no --private: $(cat "$work/err")"
fi
for kind in tun tap; do
    as_nobody listen "--$kind" hfu0 --address 10.8.0.2/24 80
    says '/dev/net/tun: Permission denied: it takes root, .*; --private -- COMMAND needs no'
done
as_nobody connect --interface lo --address 10.8.0.2/24 10.8.0.1 80
says 'lo: no packet socket: .*: it takes root or CAP_NET_RAW; --private -- COMMAND needs no'
echo "who lacks privileges is told what to do"
