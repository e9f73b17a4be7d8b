#!/bin/bash
# The embedding example in README.md compiles as it is printed: each ```c block that has a main().
# ctest: plain
set -euo pipefail
[ -e "$HF_SOURCE_DIR/README.md" ] || { echo "skipped: there is no README.md"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v work="$work" '/^```c$/ { n++; out = work "/" n ".c"; next } /^```/ { out = "" }
    out { print > out }' "$HF_SOURCE_DIR/README.md"
libraries=$(sed -n 's/^Libs.private: //p' "$HF_BUILD_DIR/handfast.pc")
found=
for source in "$work"/*.c; do
    grep -qs 'main(' "$source" || continue
    found=yes
    # shellcheck disable=SC2086
    gcc -std=c17 -Wall -Wextra -Werror -I"$HF_SOURCE_DIR/include" "$source" -o "$work/example" \
        "$HF_BUILD_DIR/libhandfast.a" $libraries || { cat -n "$source"; exit 1; }
done
[ -n "$found" ] || { echo "README.md has no \`\`\`c block with a main()"; exit 1; }
echo "the README's example compiles"
