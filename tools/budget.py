#!/usr/bin/env python3
"""Time used per CTest label against its budget, from CTest's JUnit file.

The budgets are processor seconds for all builds of one `make test`; ten minutes on two cores are
1200 of them, of which building takes its share. Going over is printed, not failed: a busy machine
is no bug."""

import sys
import xml.etree.ElementTree as ElementTree

BUDGET = {
    "unit": 30,
    "tcp": 60,
    "grid": 120,
    "trace": 30,
    "attack": 240,
    "device": 60,
    "host": 60,
    "fuzz": 60,
    "interop": 240,
    "system": 480,
}


def main():
    used, runs, not_run = {}, {}, {}
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        label = case.get("name").split("/")[-1].split(".")[0]
        used[label] = used.get(label, 0.0) + float(case.get("time") or 0)
        runs[label] = runs.get(label, 0) + 1
        if case.get("status") != "run" and case.get("status") != "fail":
            not_run.setdefault(label, []).append(case.get("name"))
    print("\nlabel         tests   seconds   budget")
    for label in sorted(used):
        budget = BUDGET.get(label)
        over = "  over budget" if budget and used[label] > budget else ""
        print(f"{label:12} {runs[label]:6} {used[label]:9.1f} {budget or '-':>8}{over}")
    for label, names in sorted(not_run.items()):
        print(f"{label}: not run: {' '.join(names)}")
    print(flush=True)


main()
