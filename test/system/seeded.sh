#!/bin/bash
# Of every tenth bug of test/seeded/ a test that its patch names finds it; all of them: make seeded.
# ctest: timeout=1500 plain long
cd "$HF_SOURCE_DIR" || exit 1
mapfile -t names < <(find test/seeded -name '*.patch' -printf '%f\n' | sort |
    sed -n '1~10s/\.patch$//p')
exec tools/seeded --work "$HF_BUILD_DIR/seeded" "${names[@]}"
