"""tools/conformance finds each kind of fault in a small tree, and nothing in a tree without one."""
# ctest: native

import os
import pathlib
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "tools/conformance"
HEAD = "id,level,rfc,section,requirement,status,reason\n"
CODE = """/* a.c - RFC 1 */

/* MUST-1: here. */
static int meets(void)
{
    return 1; /* RFC12-3, too */
}
"""
TEST = """/* test_a.c - tests */

/* MUST-1, RFC12-3 */
TEST(it_is_met)
{
    holds("MUST-9");
}
"""
GOOD = {
    "src/a.c": CODE,
    "test/tcp/test_a.c": TEST,
    "doc/requirements/rfc9293.csv": HEAD + "MUST-1,MUST,9293,3.1,Do it.,met,\n"
                                           "MAY-1,MAY,9293,3.2,Could do it.,declined,no use\n",
    "doc/requirements/rfc9293-unlabelled.csv": HEAD
    + "X-1,ALGO,9293,3.3,Old,superseded,by MUST-1\n",
    "doc/requirements/companions.csv": HEAD + 'RFC12-3,SHOULD,12,1,"One, two",unanswered,\n',
}
faults = []


def run(files, *options):
    """The status, what was printed, and the tree's CONFORMANCE.md and companions.csv."""
    with tempfile.TemporaryDirectory() as tree:
        for name, text in files.items():
            path = pathlib.Path(tree) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, TOOL, "--root", tree, *options],
                              capture_output=True, text=True, check=False)
        table = pathlib.Path(tree) / "CONFORMANCE.md"
        rows = pathlib.Path(tree) / "doc/requirements/companions.csv"
        return (done.returncode, done.stdout + done.stderr,
                table.read_text(encoding="utf-8") if table.exists() else "",
                rows.read_text(encoding="utf-8"))


def expect(what, condition, output):
    if not condition:
        faults.append(what)
        print(f"FAILED: {what}\n{output}")


def fault(what, says, changes, *options):
    """A tree with these changes is refused, with these words."""
    files = dict(GOOD)
    for name, (old, new) in changes.items():
        if old not in files[name]:
            faults.append(what)
        files[name] = files[name].replace(old, new)
    status, output, _, _ = run(files, *options)
    expect(what, status != 0 and says in output and "Traceback" not in output, output)


def main():
    status, output, table, rows = run(GOOD)
    expect("a good tree passes", status == 0, output)
    expect("a row with both tags becomes met", 'One, two",met,' in rows, rows)
    expect("the table names file, function and test",
           "| MUST-1 | MUST | met | a.c: meets | tcp/a: it_is_met |" in table, table)
    expect("a tag in a string is none", "MUST-9" not in output, output)
    status, output, _, _ = run({**GOOD, "CONFORMANCE.md": table}, "--check")
    expect("--check sees that a row could be met", status != 0, output)

    csv = "doc/requirements/rfc9293.csv"
    fault("a tag without a row", "src/a.c:3: code tag MUST-2 has no row",
          {"src/a.c": ("MUST-1", "MUST-1, MUST-2")})
    fault("a test's tag without a row", "test tag X-7 has no row",
          {"test/tcp/test_a.c": ("MUST-1", "MUST-1, X-7")})
    fault("a met row without code", "MUST-1 is met, but no comment", {"src/a.c": ("MUST-1", "")})
    fault("a met row without a test", "MUST-1 is met, but no test",
          {"test/tcp/test_a.c": ("MUST-1", "")})
    fault("an option without a test", "MUST-1 is met-by-option, but no test",
          {csv: (",met,", ",met-by-option,off"), "test/tcp/test_a.c": ("MUST-1", "")})
    fault("no reason for an option", "MUST-1 is met-by-option without",
          {csv: ("met,", "met-by-option,")})
    fault("no reason to decline", "MAY-1 is declined without a reason", {csv: ("no use", "")})
    fault("superseded by nothing", "X-1 is superseded, but",
          {"doc/requirements/rfc9293-unlabelled.csv": ("by MUST-1", "by age")})
    fault("an unknown status", "status 'done' is none of", {csv: ("met,", "done,")})
    fault("a row that is there twice", "MUST-1 is there twice", {csv: ("MAY-1", "MUST-1")})
    fault("other columns", "the columns are not", {csv: ("level", "grade")})
    fault("a row that nobody answered", "RFC12-3 is unanswered",
          {"test/tcp/test_a.c": (", RFC12-3", "")})
    fault("no table", "CONFORMANCE.md is not what the tags say", {}, "--check")
    return 1 if faults else 0


sys.exit(main())
