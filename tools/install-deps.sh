#!/bin/bash
# Installs the Debian packages a front-door command needs, only those that are missing, and says
# which. `tools/install-deps.sh GROUP...` with the groups below; a second run installs nothing.
set -euo pipefail

group_build="gcc libc6-dev make cmake ninja-build pkg-config libcmocka-dev libmnl-dev"
group_build="$group_build libbpf-dev libjansson-dev libxdp-dev python3"
group_clang="clang libclang-rt-14-dev llvm"
group_test="curl ethtool gnuplot-nox iproute2 netcat-openbsd openssl patch procps python3"
group_test="$group_test socat tshark util-linux wrk"
group_demo="curl ethtool iproute2 python3 util-linux"
group_check="binutils clang-format clang-tidy git python3 universal-ctags"
group_cross="gcc-i686-linux-gnu gcc-s390x-linux-gnu libc6-dev-i386-cross libc6-dev-s390x-cross"
group_cross="$group_cross qemu-user"
group_fuzz="liblwip-dev"
group_bench="gnuplot-nox passt slirp4netns"
group_package="dpkg-dev file"

missing=()
for group in "$@"; do
    list="group_$group"
    if [ -z "${!list:-}" ]; then
        echo "install-deps: no group '$group'" \
            "(build clang test demo check cross fuzz bench package)" >&2
        exit 2
    fi
    for package in ${!list}; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        case "$state ${missing[*]-}" in
        installed* | *" $package"*) ;; # here already, or named by an earlier group
        *) missing+=("$package") ;;
        esac
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install-deps: this is not Debian; please install what matches: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install-deps: missing ${missing[*]}" >&2
        echo "install-deps: run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "install-deps: installing ${missing[*]}"
apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
        -o Acquire::Retries=5 -o DPkg::Lock::Timeout=600 "$@" </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for try in 1 2 3; do
    # One index of several may fail (a mirror in the middle of its sync); the installation decides.
    apt_get update >"$log" 2>&1 || true
    apt_get install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 && exit 0
    if [ "$try" != 3 ]; then
        echo "install-deps: apt-get failed; again in 20 s" >&2
        sleep 20
    fi
done
tail -n 30 "$log" >&2
echo "install-deps: apt-get failed (above); the network or the package sources are at fault" >&2
exit 1
