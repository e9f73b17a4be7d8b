"""Mutants of C source for tools/mutate: one small change each, inside a function's body.

  negate      if (c)         -> if (!(c))           both      &&  <->  ||
  compare     < <= > >=      shifted by one, == turned, also seq_lt <-> seq_leq, seq_gt <-> seq_geq
  drop        a statement on a line of its own goes
  one         a number that counts is one more, + becomes -, ++ becomes --
"""

import collections
import hashlib
import itertools
import re

# file, function, the line as it is and as it becomes; nth: which of equal ones in the function.
Mutant = collections.namedtuple("Mutant", "path function operator before after nth line")

COMPARE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
           "seq_lt": "seq_leq", "seq_leq": "seq_lt", "seq_gt": "seq_geq", "seq_geq": "seq_gt"}
BOTH = {"&&": "||", "||": "&&"}
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|/\*.*?(?:\*/|$)|//.*|\w+'
                   r"|->|\+\+|--|<<=?|>>=?|[<>=!+\-]=|&&|\|\||.")
DROPPED = re.compile(r"\s+[a-z_][\w>.\[\]*()-]*(?: [-+|&^]?= .*|\(.*\)|\+\+|--);$")
DECLARED = re.compile(r"\s+(?:const |struct |enum |static |unsigned |bool |u?int\w* |seq_t |size_t "
                      r"|return\b|goto |case |default|break|continue|HF_ASSERT|_Static)")
OPERAND, KEYWORD = re.compile(r"[\w)\]]$"), re.compile(r"\b(?:return|case)$")
COUNTING = r"\b(?:seq_add|seq_sub|min_u32|max_u32|min_u64|max_u64|ms_after)"
ASSERTED = re.compile(r"\s*(?:HF_ASSERT|_Static_assert)\b")


def functions(lines):
    """(name, number of the first line of the body, of the last)."""
    start = name = None
    for number, line in enumerate(lines):
        if line == "{":
            head, first = [], number
            while first > 0 and lines[first - 1] and lines[first - 1][-1] not in ";}/{":
                first -= 1
                head.insert(0, lines[first])
            match = re.search(r"(\w+)\(", " ".join(head))
            start, name = number + 1, match.group(1) if match else ""
        elif line == "}" and start is not None:
            yield name, start, number
            start = None


def closing(text, at):
    """Where the bracket that opens at `at` closes, or -1."""
    depth = 0
    for place in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return -1


def counts(line, start, end):
    """Is the number in an expression that counts: beside an operator, or handed to such a one?"""
    if re.search(r"(?:[-+*/%<>]|[<>]=) ?$", line[:start]) or re.match(r" ?[-+*/%<>]", line[end:]):
        return True
    return re.search(COUNTING + r"\((?:[^()]|\([^()]*\))*$", line[:start]) is not None


def token_changes(line):
    """(operator, column, old, new) for each token that has another form."""
    tokens = list(TOKEN.finditer(line))
    for i, match in enumerate(tokens):
        token, at = match.group(), match.start()
        before = line[:at].rstrip()
        if token in COMPARE:
            yield "compare", at, token, COMPARE[token]
        elif token in BOTH:
            yield "both", at, token, BOTH[token]
        elif token in ("++", "--"):
            yield "one", at, token, "--" if token == "++" else "++"
        elif token in ("+", "-") and OPERAND.search(before) and not KEYWORD.search(before):
            yield "one", at, token, "-" if token == "+" else "+"
        elif token in ("+=", "-="):
            yield "one", at, token, "-=" if token == "+=" else "+="
        elif re.fullmatch(r"\d+u?", token) and counts(line, at, match.end()):
            number = int(token.rstrip("u"))
            yield "one", at, token, str(number + 1) + ("u" if token.endswith("u") else "")


def changes(line, following):
    """(operator, line as it becomes) for all mutants of a line; following: the rest of it, when it
    goes on below."""
    for operator, at, old, new in token_changes(line):
        yield operator, line[:at] + new + line[at + len(old):]
    match = re.match(r"(\s*(?:\} else )?if )\(", line)
    if match:
        end = closing(line, match.end() - 1)
        if end > 0:
            inner = line[match.end():end]
            yield "negate", f"{match.group(1)}(!({inner})){line[end + 1:]}"
    if DROPPED.match(line) and not DECLARED.match(line) and not following:
        yield "drop", re.match(r"\s*", line).group() + ";"


def of_file(path, text):
    """Mutants of a file in the order of its lines."""
    lines = text.splitlines()
    seen = collections.Counter()
    for name, first, last in functions(lines):
        comment = False
        for number in range(first, last):
            line = lines[number]
            stripped = line.strip()
            was_comment, comment = comment, (comment or "/*" in line) and "*/" not in line
            if was_comment or stripped.startswith(("/*", "//", "#")) or ASSERTED.match(line):
                continue
            above = lines[number - 1].strip()
            goes_on = number > first and not re.search(r"[;{}:]$|\*/$|^$", above)
            if re.match(r"\s*(?:static )?const \w.*\{$", line):
                continue
            for operator, after in changes(line, goes_on):
                key = (path, name, operator, line, after)
                yield Mutant(path, name, operator, line, after, seen[key], number)
                seen[key] += 1


def key_of(mutant):
    return "|".join((mutant.path, mutant.function, mutant.operator, mutant.before.strip(),
                     mutant.after.strip(), str(mutant.nth)))


def drawn(mutants, seed):
    """All of them, in an order that the seed gives and that an edit elsewhere does not change: the
    operators in turn, so that those with many places do not crowd the others out."""
    by_operator = collections.defaultdict(list)
    for mutant in mutants:
        by_operator[mutant.operator].append(mutant)
    for places in by_operator.values():
        places.sort(key=lambda m: hashlib.sha256(f"{seed}:{key_of(m)}".encode()).digest())
    rounds = itertools.zip_longest(*(by_operator[name] for name in sorted(by_operator)))
    return [mutant for one_each in rounds for mutant in one_each if mutant]


def applied(text, mutant):
    lines = text.split("\n")
    lines[mutant.line] = mutant.after
    return "\n".join(lines)
