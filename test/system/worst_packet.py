"""No packet is dear: what one touches grows as a logarithm of what is there, and each record that
it touches takes few instructions (`handfast bench worst-packet`)."""
# ctest: native plain serial timeout=300

import json
import math
import os
import subprocess
import sys

HANDFAST = os.environ["HF_HANDFAST"]
EACH = 2000  # instructions for a record, at most
C = 24  # a packet touches at most C * log2(n) records, beside those that it frees


def exponent(points):
    """e of c * n^e, fitted: 0 is constant, 1 is proportional to n; log n comes out as 0.2."""
    x = [math.log10(n) for n, _ in points]
    y = [math.log10(max(cost, 1)) for _, cost in points]
    n, sx, sy = len(points), sum(x), sum(y)
    return ((n * sum(a * b for a, b in zip(x, y)) - sx * sy) /
            (n * sum(a * a for a in x) - sx * sx))


def main():
    done = subprocess.run([HANDFAST, "bench", "--json", "worst-packet"], capture_output=True,
                          text=True, check=False)
    figure = json.loads(done.stdout)
    ours = figure["handfast"]
    if "absent" in ours:
        print(f"skipped: {ours['absent']}")
        return 77 if "assertions" in ours["absent"] else 1
    failed = 0
    for name, points in sorted(ours["series"].items()):
        case, _, what = name.partition(": ")
        if what == "records":
            bad = [f"{cost:.0f} beside {n:.0f}" for n, cost in points if cost > C * math.log2(n)]
            if exponent(points) > 0.3:
                bad.append(f"grows as n^{exponent(points):.2f}")
        else:
            bad = [f"{cost:.0f} beside {n:.0f}" for n, cost in points if cost > EACH]
        print(f"{case}, {what}: " + ", ".join(f"{cost:.0f}" for _, cost in points))
        for one in bad:
            failed += 1
            print(f"FAILED: {case}, {what}: {one}")
    wanted = {"lookup", "timers", "SACK", "reassembly", "freeing sent", "freeing held"}
    missing = wanted - {name.partition(": ")[0] for name in ours["series"]}
    if missing:
        print(f"FAILED: nothing measured of {', '.join(sorted(missing))}")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
