#!/bin/bash
# The number that hf_attach knows a build by: the same for the same headers, wherever they lie,
# another one where any of them has changed, be it in what a field means.
# ctest: plain
. "$HF_SOURCE_DIR/test/system/lib.sh"

mkdir -p "$work/tree/include"
cp -r "$HF_SOURCE_DIR/include/handfast" "$work/tree/include"
cp -r "$HF_SOURCE_DIR/src" "$work/tree"
cat >"$work/hash.cmake" <<END
include($HF_SOURCE_DIR/cmake/block_hash.cmake)
hf_block_hash(\${ROOT} hash)
message(\${hash})
END
hash_of() {
    cmake -DROOT="$1" -P "$work/hash.cmake" 2>&1 || true
}
own=$(hash_of "$HF_SOURCE_DIR")
[[ $own =~ ^0x[0-9a-f]{8}u$ ]] || fail "no hash: $own"
[ "$(hash_of "$work/tree")" = "$own" ] || fail "a copy of the tree has another hash"
grep -qs "DEFINES.*HF_BLOCK_HASH=$own" \
    "$HF_BUILD_DIR"/{build.ninja,CMakeFiles/core.dir/flags.make} ||
    fail "this build was not told $own"
for header in src/base/wheel.h src/wire/wire.h src/tcp/tcb.h src/stack/stack.h \
    include/handfast/policy.h; do
    echo "/* what was padding means something now */" >>"$work/tree/$header"
    [ "$(hash_of "$work/tree")" != "$own" ] || fail "$header has changed, and the hash has not"
    cp "$HF_SOURCE_DIR/$header" "$work/tree/$header"
done
