#!/bin/bash
# Each bug of test/seeded/ is found by a test that its patch names.
# ctest: timeout=1500 plain long
exec "$HF_SOURCE_DIR/tools/seeded" --work "$HF_BUILD_DIR/seeded"
