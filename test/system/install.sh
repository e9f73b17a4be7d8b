#!/bin/bash
# What `make install` leaves is enough: each public header stands alone in C and C++, the shared
# library shows hf_* only, and every example builds against both libraries through pkg-config.
# ctest: timeout=120 plain
set -euo pipefail
shopt -s nullglob
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cmake --install "$HF_BUILD_DIR" --prefix "$root" >"$root/install.log"

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name handfast.pc)")
read -ra cflags < <(pkg-config --cflags handfast)
read -ra shared < <(pkg-config --libs handfast)
read -ra private < <(pkg-config --libs --static handfast | sed 's/-lhandfast//')
library=$(find "$root" -name libhandfast.so)

for header in "$root"/include/handfast/*.h; do
    name=handfast/$(basename "$header")
    echo "#include <$name>" | gcc -std=c17 -Wall -Wextra -pedantic-errors -Werror "${cflags[@]}" \
        -fsyntax-only -x c - || { echo "$name does not stand alone in C"; exit 1; }
    if command -v clang++ >/dev/null; then
        echo "#include <$name>" | clang++ -std=c++17 -Wall -Werror "${cflags[@]}" \
            -fsyntax-only -x c++ - || { echo "$name does not stand alone in C++"; exit 1; }
    fi
done

foreign=$(nm -D --defined-only "$library" | awk '$NF !~ /^(hf_|HANDFAST_)/ { print $NF }')
[ -z "$foreign" ] || { echo "libhandfast.so shows more than hf_*: $foreign"; exit 1; }
readelf -d "$library" | grep -q 'SONAME.*libhandfast\.so\.0' || { echo "soname is not 0"; exit 1; }

for example in "$HF_SOURCE_DIR"/examples/*.c; do
    gcc -std=c17 -D_GNU_SOURCE "${cflags[@]}" "$example" -o "$root/shared" "${shared[@]}" ||
        { echo "$example does not build against libhandfast.so"; exit 1; }
    gcc -std=c17 -D_GNU_SOURCE "${cflags[@]}" "$example" -o "$root/static" \
        "${library%.so}.a" "${private[@]}" ||
        { echo "$example does not build against libhandfast.a"; exit 1; }
done
echo "headers, symbols and examples of the installed library are well"
