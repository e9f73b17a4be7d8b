"""Plants each bug of test/seeded-bugs.txt in a copy of the tree; a test must find it."""
# ctest: timeout=1500 plain long

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["HF_SOURCE_DIR"])
NEEDED = "CMakeLists.txt bench cmake doc include packetdrill src test tools".split()
LABELS = "^(unit|tcp|grid|stack)$"


def seeded_bugs():
    path = old = None
    for line in (SOURCE / "test/seeded-bugs.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("- "):
            old = line[2:]
        elif line.startswith("+ "):
            yield path, old, line[2:]
        elif line and not line.startswith("#"):
            path = line


def run(build, *command):
    return subprocess.run(command, cwd=build, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def tests_pass(build):
    """None when it does not even compile."""
    if run(build, "ninja").returncode != 0:
        return None
    tests = run(build, "ctest", "-L", LABELS, "--stop-on-failure", "--no-tests=error")
    return tests.returncode == 0


def main():
    tree = pathlib.Path(tempfile.mkdtemp(prefix="handfast-seeded-"))
    build = tree / "build"
    build.mkdir()
    try:
        for name in NEEDED:
            copy = shutil.copytree if (SOURCE / name).is_dir() else shutil.copy
            copy(SOURCE / name, tree / name)
        made = run(build, "cmake", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DHF_WERROR=OFF",
                   "-DHF_SYSTEM_TESTS=OFF", "..")
        if made.returncode != 0 or not tests_pass(build):
            print(made.stdout, "the tree without a bug does not build or pass")
            return 1
        return plant_all(tree, build)
    finally:
        shutil.rmtree(tree)


def plant_all(tree, build):
    missed = count = 0
    for path, old, new in seeded_bugs():
        count += 1
        file = tree / path
        good = file.read_text(encoding="utf-8")
        if good.count(old) != 1:
            print(f"{path}: '{old}' is not there once: bring test/seeded-bugs.txt up to date")
            missed += 1
            continue
        file.write_text(good.replace(old, new), encoding="utf-8")
        passed = tests_pass(build)
        if passed is not False:
            print(f"{path}: '{new}'", "was found by no test" if passed else "does not compile")
            missed += 1
        file.write_text(good, encoding="utf-8")
    print(f"{count} seeded bugs, {count - missed} found")
    return 1 if missed else 0


sys.exit(main())
