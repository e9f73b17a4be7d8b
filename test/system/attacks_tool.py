"""tools/attacks joins rows, comments and results, and refuses what does not fit together."""
# ctest: native

import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "tools/attacks"
# No id of this file must look like one to the tool itself.
FLOOD, BLIND, TIMER = (family + "-01" for family in ("FL", "BL", "TM"))
ROWS = f"""id,category,name,priority,done,must,known_as
{FLOOD},flood,SYN flood,P0,SYNs,survive,CVE-1999-0116
{BLIND},blind,Forged reset,P0,RST,"lives, on",
{TIMER},timer,All at once,P1,timers,served,
"""
TEST = f"""/* test_a.c - tests */

/* {BLIND}: a helper, which is no test */
static void helps(int n)
{{
}}

/* {FLOOD}: a flood */
TEST(it_survives)
{{
    holds("{TIMER}");
}}

/* {BLIND} and more */
TEST(it_lives)
{{
}}
"""
CTEST = """add_test(release/attack.test_a "/bin/sh" "-c" "{}")\n"""
RESULTS = "echo ok 1 - it_survives; echo {} 2 - it_lives, IPv6; exit {}"
faults = []


def run(rows, test, results, *options):
    with tempfile.TemporaryDirectory() as tree:
        root = pathlib.Path(tree)
        for name, text in (("doc/attacks.csv", rows), ("test/attack/test_a.c", test),
                           ("build/release/CTestTestfile.cmake", CTEST.format(results))):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, TOOL, "--root", root, *options],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def expect(what, says, status, got):
    if got[0] != status or says not in got[1] or "Traceback" in got[1]:
        faults.append(what)
        print(f"FAILED: {what}: {got}")


good, bad, died = RESULTS.format("ok", 0), RESULTS.format("not ok", 1), "kill -9 $$"
expect("all pass", "2 of 3 rows have tests that pass", 0, run(ROWS, TEST, good))
expect("a row without a test", f"{TIMER}  P1  All at once: missing", 0, run(ROWS, TEST, good))
expect("a test fails", f"{BLIND}  P0  Forged reset: attack.test_a: it_lives: FAIL", 1,
       run(ROWS, TEST, bad))
expect("a program dies", f"{FLOOD}  P0  SYN flood: attack.test_a: it_survives: FAIL", 1,
       run(ROWS, TEST, died))
expect("strict", "P0: 2 rows, 1 pass, 0 fail, 1 have no test", 1,
       run(ROWS, TEST.replace(BLIND, "RFC 1"), good, "--strict"))
expect("an id without a row", "test_a.c:15: " + BLIND.replace("1", "9"), 1,
       run(ROWS, TEST.replace(BLIND + " and", BLIND.replace("1", "9") + " and"), good, "--check"))
expect("a row twice", "there twice", 1, run(ROWS.replace(BLIND, FLOOD), TEST, good, "--check"))
expect("an empty field", "a field is empty", 1, run(ROWS.replace("survive,", ","), TEST, good))
objects = [json.loads(line) for line in run(ROWS, TEST, bad, "--json")[1].splitlines()]
expect("json", "", 0, (0 if objects == [
    {"id": FLOOD, "priority": "P0", "test": "attack.test_a: it_survives", "passed": True},
    {"id": BLIND, "priority": "P0", "test": "attack.test_a: it_lives", "passed": False},
    {"id": TIMER, "priority": "P1", "test": None, "passed": False}] else 1, str(objects)))
sys.exit(1 if faults else 0)
