# ctest: timeout=120
# Every example, run: hello, bare, shards, and httpd under curl and wrk.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
need_program curl wrk
need_network

lines=$(wc -l <"$HF_SOURCE_DIR/examples/hello.c")
[ "$lines" -lt 40 ] || fail "hello.c has $lines lines; it is to stay under 40"

[ "$("$HF_EXAMPLES/hello")" = "hello, kernel" ] || fail "hello"

"$HF_EXAMPLES/bare" >"$work/bare" || fail "bare: status $?"
grep -q 'FROM THE FIRST SYN TO THE END OF TIME-WAIT' "$work/bare" || fail "bare: no answer"
grep -q '^ *60000\.[0-9]* ms  closed: ' "$work/bare" || fail "bare: TIME-WAIT did not last 2MSL"

"$HF_EXAMPLES/shards" >"$work/shards" || fail "shards: status $?"
grep -q '^[1-9][0-9]* connections to one shard, [1-9][0-9]* to the other$' "$work/shards" ||
    fail "shards: one stack has had all connections: $(cat "$work/shards")"

head -c 300000 /dev/urandom >"$work/file"
cat >"$work/visit" <<'VISIT'
set -e
cd "$1"
curl -sS --noproxy '*' -o one http://10.77.0.2:8080/ -o two http://10.77.0.2:8080/ \
    -w '%{num_connects}\n' >connects
cmp one file
cmp two file
[ "$(tail -n 1 connects)" = 0 ] # the second request went over the first one's connection
[ "$(curl -sS --noproxy '*' -g "http://[fd77::2]:8080/bytes/1000000" | wc -c)" = 1000000 ]
[ "$(curl -sS --noproxy '*' -o none -w '%{http_code}' http://10.77.0.2:8080/none)" = 404 ]
[ "$(curl -sS --noproxy '*' -I -o head -w '%{http_code}' http://10.77.0.2:8080/)" = 200 ]
[ "$(curl -sS --noproxy '*' -T file -o put -w '%{http_code}' http://10.77.0.2:8080/bytes/1)" = 200 ]
wrk -t 1 -c 20 -d 2s --timeout 30s http://10.77.0.2:8080/bytes/100 >wrk.out
grep -q 'Requests/sec' wrk.out
! grep -qE 'Socket errors|Non-2xx' wrk.out
VISIT
"$HF_EXAMPLES/httpd" -f "$work/file" 8080 -- bash -x "$work/visit" "$work" 2>"$work/log" ||
    { tail -n 20 "$work/log"; cat "$work/wrk.out" 2>/dev/null || true; fail "httpd: status $?"; }
echo "the examples run"
