# ctest: timeout=120
# Standard input and output that are closed, full, or cannot be read: no success, and no hanging.
set -euo pipefail
# shellcheck source=test/system/lib.sh
. "$HF_SOURCE_DIR/test/system/lib.sh"
cd "$work"

# status of a command whose standard error goes to err
status_of() {
    status=0
    timeout 30 "$@" 2>err || status=$?
}

# Output to a full disk is no success, whichever line was the last; and the reason is said, once.
# A capture of no packet: the section, and one interface.
printf '\12\15\15\12\34\0\0\0\115\74\53\32\1\0\0\0\377\377\377\377\377\377\377\377\34\0\0\0' >none
printf '\1\0\0\0\24\0\0\0\1\0\0\0\0\0\0\0\24\0\0\0' >>none
for command in version --version --help "version --help" conformance "judge --rules" "judge none" \
    "connect --set help" "sim --seeds 2" "explore --states 10" "why --help"; do
    # shellcheck disable=SC2086
    status_of "$handfast" $command >/dev/full
    [ "$status" = 1 ] || fail "$command to a full disk: status $status: $(cat err)"
    [ "$(grep -c 'standard output could not be written: No space left on device' err)" = 1 ] ||
        fail "$command to a full disk says: $(cat err)"
done
echo "what cannot be read or written is told"
