#!/bin/bash
# Who may include whom holds: the script of `make check`, which says what is wrong and the way out.
# ctest: plain
cd "$HF_SOURCE_DIR" || exit 1
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$PWD
git rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: not a git checkout"; exit 77; }
exec tools/check-includes
