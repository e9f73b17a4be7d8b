"""tools/mutants.py finds the mutants of a small function, and none where there can be none."""
# ctest: native

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "tools"))
sys.dont_write_bytecode = True
import mutants  # noqa: E402

TEXT = """/* a.c - if (never) */
enum { FIVE = 5 };

static int f(struct s *s, int n)
{
    /* if (n < 3) */
    HF_ASSERT(n < 3);
    if (n <= 7 && s->len) {
        s->len += 2;
        log(s,
            n);
        return -1;
    }
    say("if (n < 3)");
    return n + 1;
}
"""
WANTED = {
    ("compare", "if (n < 7 && s->len) {"), ("both", "if (n <= 7 || s->len) {"),
    ("one", "if (n <= 8 && s->len) {"), ("negate", "if (!(n <= 7 && s->len)) {"),
    ("one", "s->len -= 2;"), ("drop", ";"), ("one", "return -2;"),
    ("one", "return n - 1;"), ("one", "return n + 2;"),
}


def main():
    found = list(mutants.of_file("src/a.c", TEXT))
    got = {(mutant.operator, mutant.after.strip()) for mutant in found}
    if got != WANTED:
        print("missing:", WANTED - got, "\ntoo many:", got - WANTED)
        return 1
    dropped = [mutant.before.strip() for mutant in found if mutant.operator == "drop"]
    assert sorted(dropped) == ['s->len += 2;', 'say("if (n < 3)");'], dropped
    assert all(mutant.function == "f" and mutant.path == "src/a.c" for mutant in found)
    first = mutants.drawn(found, 1)
    assert first == mutants.drawn(list(reversed(found)), 1) and first != mutants.drawn(found, 2)
    operators = [mutant.operator for mutant in first[:5]]
    assert sorted(operators) == ["both", "compare", "drop", "negate", "one"], operators
    changed = mutants.applied(TEXT, next(m for m in found if m.operator == "both"))
    assert changed == TEXT.replace("&&", "||"), changed
    return 0


sys.exit(main())
