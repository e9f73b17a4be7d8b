"""Each bug of test/seeded/ still applies to the library as it is, under a whole header."""
# ctest: plain native

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "tools"))
sys.dont_write_bytecode = True
import seeded_patch  # noqa: E402


def faults(path):
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


def main():
    patches = sorted(seeded_patch.FOLDER.glob("*.patch"))
    found = [fault for path in patches for fault in faults(path)]
    print("\n".join(found))
    print(f"{len(patches)} patches, {len(found)} faults")
    return 1 if found or not patches else 0


sys.exit(main())
