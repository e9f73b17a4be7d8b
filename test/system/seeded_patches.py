"""Each bug of test/seeded/ still applies to the library as it is, under a whole header."""
# ctest: plain native

import csv
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "tools"))
sys.dont_write_bytecode = True
import seeded_patch  # noqa: E402


def attack_rows():
    with open(seeded_patch.ROOT / "doc/attacks.csv", encoding="utf-8", newline="") as file:
        return {row["id"] for row in csv.DictReader(file)}


def faults(path, attacks):
    try:
        patch = seeded_patch.read(path)
    except seeded_patch.BadPatch as why:
        yield str(why)
        return
    refused = seeded_patch.apply(patch, seeded_patch.ROOT, "--dry-run")
    if refused:
        yield f"{path.name} does not apply, bring it up to date (git diff -U1):\n{refused}"
    for test in patch.tests:
        folder, _, name = test.partition(".")
        if not (seeded_patch.ROOT / "test" / folder / (name + ".c")).exists():
            yield f"{path.name}: Caught-by: there is no test {test}"
    for row in patch.rows:
        if row not in attacks:
            yield f"{path.name}: Rows: doc/attacks.csv has no {row}"


def main():
    patches = sorted(seeded_patch.FOLDER.glob("*.patch"))
    attacks = attack_rows()
    found = [fault for path in patches for fault in faults(path, attacks)]
    print("\n".join(found))
    print(f"{len(patches)} patches, {len(found)} faults")
    return 1 if found or not patches else 0


sys.exit(main())
