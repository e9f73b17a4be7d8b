# lib.sh - what the system tests share. Sourced; gives $work, cleaned up at the end.
set -euo pipefail
handfast=$HF_HANDFAST
work=$(mktemp -d)
chmod 777 "$work"
trap 'rm -rf "$work"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

need_program() {
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# A namespace can be made, by whatever means handfast has.
need_network() {
    "$handfast" listen -w 5 9 --private -- true >"$work/network" 2>&1 || true
    grep -q "ended with status 0 before it connected" "$work/network" ||
        skip "no private network here: $(cat "$work/network")"
}

# Megabytes each way of a demo: the whole of it, but a little where sanitizers slow it down.
megabytes() {
    [ -z "${HF_SANITIZE:-}" ] && echo 100 || echo 2
}

# Wireshark's own opinion of a capture: nothing malformed, every checksum right, comments there.
# Text is text, whatever protocol has the port that was drawn by lot.
check_capture() {
    local pcap=$1 verdicts="$work/verdicts"
    tshark -r "$pcap" -d tcp.port==1-65535,data \
        -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields \
        -E occurrence=a -e frame.number -e _ws.malformed -e tcp.checksum.status \
        -e ip.checksum.status -e frame.comment >"$verdicts" 2>"$work/tshark" ||
        fail "tshark cannot read $pcap: $(cat "$work/tshark")"
    [ -s "$verdicts" ] || fail "$pcap is empty"
    awk -F'\t' '$2 != "" || $3 ~ /[^1,]/ || $4 ~ /[^1,]/ { print "packet " $1 ": " $0; bad = 1 }
        END { exit bad }' "$verdicts" || fail "$pcap: malformed, or a bad checksum"
    awk -F'\t' '$3 ~ /1/ { n++ } END { exit n == 0 }' "$verdicts" ||
        fail "$pcap: no TCP checksum was looked at"
    grep -q 'handfast: ' "$verdicts" || fail "$pcap: no comments"
    # A busy machine is late, which is no fault; and Linux does take windows back.
    if "$handfast" judge "$pcap" | grep '^packet ' |
        grep -vE ': (ack-time|back-off|window-shrinks): ' >"$work/judged"; then
        fail "$pcap: $(cat "$work/judged")"
    fi
    grep -q 'handfast: .*ESTABLISHED -> ' "$verdicts" || fail "$pcap: no transition in a comment"
}

# The five ladders of a demo, and both files.
check_demo() {
    local out=$1 directory=$2 state
    for state in SYN-SENT SYN-RECEIVED ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT LAST-ACK \
        TIME-WAIT CLOSED; do
        grep -qE "^ *[0-9.]+ $state " "$out" || fail "Handfast was never drawn in $state"
        grep -qE "\($state\??\)$" "$out" || fail "the kernel was never drawn in $state"
    done
    [ "$(grep -c 'SHA-256.*equal$' "$out")" = 8 ] || fail "not eight equal sums"
    [ "$(grep -c 'at rest: .*inet_diag says' "$out")" = 13 ] || fail "not thirteen rest points"
    [ "$(grep -cE '^ *[0-9.]+ .*lost on its way|^ *[0-9.]+ +X <' "$out")" = 7 ] ||
        fail "not seven losses"
    grep -q '2MSL' "$out" || fail "the shortened 2MSL is not mentioned"
    grep -q '</svg>' "$directory/demo.svg" || fail "demo.svg is not whole"
    [ -s "$directory/demo.pcapng" ] || fail "there is no demo.pcapng"
}
