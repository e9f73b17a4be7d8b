#!/bin/bash
# `handfast conformance`: a row with its code and test, the JSON of all rows; an unknown row is
# refused.
source "$(dirname "$0")/lib.sh"

"$handfast" conformance MUST-66 >"$work/row"
grep -q '^MUST-66  MUST  RFC 9293, 3.4  met$' "$work/row" || fail "MUST-66: $(cat "$work/row")"
grep -qE '^    code  src/tcp/[a-z_]+\.c:[0-9]+$' "$work/row" || fail "no code: $(cat "$work/row")"
grep -qE '^    test  test/tcp/test_[a-z_]+\.c:[0-9]+ [a-z_]+$' "$work/row" ||
    fail "no test: $(cat "$work/row")"
where=$(sed -n 's/^    code  \(.*\):.*/\1/p' "$work/row" | head -1)
line=$(sed -n 's/^    code  .*:\([0-9]*\)$/\1/p' "$work/row" | head -1)
sed -n "${line}p" "$HF_SOURCE_DIR/$where" | grep -q MUST-66 || fail "$where:$line has no MUST-66"

rows=$(($(cat "$HF_SOURCE_DIR"/doc/requirements/*.csv | wc -l) - 3))
"$handfast" conformance >"$work/all"
[ "$(grep -cE '^(MUST|SHLD|MAY|REC|X|RFC)[0-9/]*-[0-9]+  ' "$work/all")" = "$rows" ] ||
    fail "not $rows rows"
[ "$("$handfast" conformance RFC6191 | grep -c '^RFC6191-')" = 8 ] || fail "RFC 6191: not 8 rows"

if "$handfast" conformance MUST-70 >"$work/out" 2>"$work/error"; then
    fail "MUST-70 does not exist"
fi
grep -q "there is no requirement 'MUST-70'" "$work/error" || fail "$(cat "$work/error")"
"$handfast" conformance --help | grep -q '^usage: handfast conformance' || fail "no --help"

if ! "$handfast" conformance --json MUST-66 >"$work/json" 2>"$work/error"; then
    grep -q libjansson "$work/error" || fail "--json: $(cat "$work/error")"
    echo "no --json: $(cat "$work/error")"
    exit 0
fi
"$handfast" conformance --json >"$work/json"
python3 - "$work/json" "$rows" <<'END' || fail "the JSON is not as it should be"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert len(rows) == int(sys.argv[2]), len(rows)
for row in rows:
    assert {"id", "level", "rfc", "status", "code", "tests", "reason"} <= set(row), row
    assert all(":" in place for place in row["code"] + row["tests"]), row
    assert row["status"] != "met" or row["code"] and row["tests"], row
END
