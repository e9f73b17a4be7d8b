"""test/seeded/*.patch: a bug as a diff of the library, under a header that says what is wrong.

    Bug: a reset inside the window is believed whatever its number
    Rows: BL-01, CVE-2004-0230
    Caught-by: attack.test_blind

    --- a/src/tcp/acceptable.c
    ...

Rows: attack rows of doc/attacks.csv, and CVEs or commits ("smoltcp 9d532a7b") that had this defect;
it may be empty.  Caught-by: the tests of `make test` that were seen to fail with it."""

import pathlib
import re
import subprocess
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "test/seeded"
HEADER = ["Bug", "Rows", "Caught-by"]
ATTACK_ROW = r"[A-Z0-9]{2}-\d+"


class BadPatch(Exception):
    pass


@dataclass
class Patch:
    path: pathlib.Path
    bug: str
    rows: list  # attack rows
    historic: list  # CVEs and commits of other stacks
    tests: list  # CTest names
    files: list  # what it changes
    text: str

    @property
    def name(self):
        return self.path.stem


def words_of(value):
    return [word.strip() for word in value.split(",") if word.strip()]


def read(path):
    text = path.read_text(encoding="utf-8")
    head, _, diff = text.partition("\n\n")
    fields = {}
    for line in head.splitlines():
        key, colon, value = line.partition(":")
        if key in fields or key not in HEADER or not colon:
            raise BadPatch(f"{path.name}: '{line}' is no line of a header ({', '.join(HEADER)})")
        fields[key] = value.strip()
    for key in HEADER:
        if key not in fields or (not fields[key] and key != "Rows"):
            raise BadPatch(f"{path.name}: its header has no '{key}: ...'")
    files = re.findall(r"^\+\+\+ b/(\S+)", diff, re.M)
    if not files or any(not re.match(r"(src|include)/", file) for file in files):
        raise BadPatch(f"{path.name}: it must change files of src/ or include/ (+++ b/src/...)")
    rows = words_of(fields["Rows"])
    return Patch(path, fields["Bug"], [row for row in rows if re.fullmatch(ATTACK_ROW, row)],
                 [row for row in rows if not re.fullmatch(ATTACK_ROW, row)],
                 words_of(fields["Caught-by"]), files, diff)


def read_all(names=()):
    """All patches, or those named; a name that is none is said with its way out."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.patch"))}
    for name in names:
        if name.removesuffix(".patch") not in found:
            raise BadPatch(f"there is no test/seeded/{name.removesuffix('.patch')}.patch; "
                           "tools/seeded --list tells all")
    wanted = [name.removesuffix(".patch") for name in names] or list(found)
    return [read(found[name]) for name in wanted]


def apply(patch, tree, *options):
    """What patch(1) has against it, "" when it applies as it stands."""
    done = subprocess.run(["patch", "-p1", "--batch", "--forward", "--fuzz=0", "--reject-file=-",
                           "--no-backup-if-mismatch", *options], cwd=tree, input=patch.text,
                          text=True, capture_output=True, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""
