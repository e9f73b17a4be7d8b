"""The scripts of the peer end the same wherever its numbers and the clock begin: around 2^32 and
2^31 (RFC 9293 3.4), and long after any counter of milliseconds has come round."""
# ctest: plain native timeout=1800

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

BUILD = pathlib.Path(os.environ["HF_BUILD_DIR"])
LONG = "HF_LONG" in os.environ
FOLDERS = ("tcp",)
# Not of the peer's scripts, or too slow to be run again and again.
PROGRAMS_LEFT_OUT = {"test_recovery_paths", "test_transfer", "test_resume", "test_review_lives",
                     "test_must_sending", "test_scripts", "test_cubic"}

NUMBERS = ["0xffffffff", "0xfffffffe", "0x7fffffff", "0x80000000", "0"]
# Milliseconds and seconds in 32 bits and in 31 pass their end five seconds on; the last clock ends
# 400 days later.
CLOCKS = [(2**32 - 5000) * 10**6, (2**31 - 5000) * 10**6, (2**32 - 5) * 10**9, (2**31 - 5) * 10**9,
          2**63 - 400 * 24 * 3600 * 10**9]

# Scripts that name a number, or the place in a slot of the clock, for what they are: no others.
NAMES_NUMBERS = {
    "after_timestamps_a_syn_without_them_ends_it_by_its_number",
    "an_equal_timestamp_ends_it_with_a_number_above_the_fins",
    "an_older_timestamp_does_not_end_it_whatever_the_number",
    "without_timestamps_a_number_not_above_the_fins_does_not_end_it",
    "a_syn_with_a_newer_timestamp_ends_time_wait_whatever_its_number",
    "a_cookie_is_good_in_its_slot_and_in_the_next_one",
    "a_reused_time_wait_comes_back_when_the_new_connection_is_reset",
    "a_syn_above_the_old_numbers_ends_time_wait_early",
    "a_syn_above_the_old_numbers_ends_time_wait_of_a_kept_handle_early",
    "figure_8_a_syn_ack_for_an_old_duplicate_is_reset_and_the_open_goes_on",
    "a_held_syn_that_replaces_a_time_wait_gets_a_higher_iss_and_ends_it",
    "without_timestamps_a_number_above_the_fins_ends_it",
    "the_status_tells_numbers_windows_and_counts",
    "a peer that echoes timestamps that were never sent",
}


def failures(program, change):
    run = subprocess.run([program], env=os.environ | change | {"CMOCKA_MESSAGE_OUTPUT": "tap"},
                         capture_output=True, text=True, errors="replace", check=False)
    failed = set(re.findall(r"^not ok \d+ - (.*?)(?:, IPv6)?$", run.stdout, re.M))
    if run.returncode < 0:
        failed.add(f"it died of signal {-run.returncode}")
    return failed - NAMES_NUMBERS


# WR-01, WR-06
def main():
    pairs = [(NUMBERS[0], NUMBERS[0]), (NUMBERS[2], NUMBERS[3])]  # around 2^32, around 2^31
    clocks = CLOCKS[:1]
    if LONG:
        pairs = [(iss, irs) for iss in NUMBERS for irs in NUMBERS]
        clocks = CLOCKS
    changes = [{"HF_TEST_ISS": iss, "HF_TEST_IRS": irs} for iss, irs in pairs]
    changes += [{"HF_TEST_CLOCK_NS": str(ns)} for ns in clocks]
    programs = [program for folder in FOLDERS
                for program in sorted((BUILD / "test" / folder).glob("test_*"))
                if program.name not in PROGRAMS_LEFT_OUT]
    if not programs:
        sys.exit("no test programs are here")
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [(p, c, pool.submit(failures, p, c)) for c in changes for p in programs]
        for program, change, job in jobs:
            for name in sorted(job.result()):
                print(f"{change} {program.name}: {name}")
                wrong += 1
    print(f"{len(programs)} programs, {len(changes)} beginnings, {wrong} failures")
    sys.exit(1 if wrong else 0)


main()
