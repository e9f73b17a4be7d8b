"""Tags in comments (MUST-10, BL-01), and whose function or test they belong to."""

import collections
import io
import re
import tokenize

SUFFIXES = {".c", ".h", ".py", ".sh"}

Place = collections.namedtuple("Place", "path line name")

def c_comments(text):
    """(first line, text) of each comment; strings are stepped over."""
    for match in re.finditer(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
                             text, re.S):
        if match.group().startswith("/"):
            yield text.count("\n", 0, match.start()) + 1, match.group()


def py_comments(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def sh_comments(text):
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            yield number, line


def c_items(lines):
    """(first line, last line, name) of what stands at the left margin: functions, structs, tables.
    TEST(name) has the name of the test."""
    items, start = [], None
    for number, line in enumerate(lines, 1):
        if start is None and (line == "{" or (line.endswith("{") and line[0] not in " \t}#/*")):
            first = number
            while first > 1 and lines[first - 2] and lines[first - 2][-1] not in ";}/{":
                first -= 1
            head = " ".join(lines[first - 1:number])
            name = re.search(r"\bTEST\((\w+)", head) or re.search(r"(\w+)\s*\(", head)
            name = name or re.search(r"(?:struct|enum|union) (\w+)", head)
            name = name or re.search(r"(\w+)(?:\[\w*\])* = ", head)
            start = (first, name.group(1) if name else "")
        elif start is not None and line.startswith("}"):
            items.append((start[0], number, start[1]))
            start = None
    return items


def py_items(lines):
    items = []
    for number, line in enumerate(lines, 1):
        match = re.match(r"def (\w+)", line)
        if match:
            end = number
            while end < len(lines) and (not lines[end] or lines[end][0] in " \t)"):
                end += 1
            items.append((number, end, match.group(1)))
    return items


def owner(items, lines, line, end):
    """Whose the comment in these lines is: what is around it, or directly below it."""
    for first, last, name in items:
        if first <= line <= last:
            return first, name
        if line < first:
            between = "\n".join(lines[end:first - 1])
            if not re.sub(r"/\*.*?\*/|//[^\n]*|^#[^\n]*", "", between, flags=re.S | re.M).strip():
                return first, name
            break
    return None, ""


def tags_of(tag, path, shown):
    text = path.read_text(encoding="utf-8")
    if not tag.search(text):
        return
    lines = text.splitlines()
    kind = path.suffix
    comments = {".py": py_comments, ".sh": sh_comments}.get(kind, c_comments)(text)
    items = {".py": py_items, ".sh": lambda lines: []}.get(kind, c_items)(lines)
    for first, comment in comments:
        for match in tag.finditer(comment):
            line = first + comment.count("\n", 0, match.start())
            start, name = owner(items, lines, line, first + comment.count("\n"))
            yield match.group(1), Place(shown, line, name), start or line


def collect(tag, root, folders, of_tests):
    """{tag: places}, of the comments of these folders' files; tag: a pattern with one group.
    of_tests: a place's line is that of the function it belongs to."""
    found = collections.defaultdict(list)
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                for found_tag, place, start in tags_of(tag, path, str(path.relative_to(root))):
                    if of_tests:
                        place = place._replace(line=start)
                    if place not in found[found_tag]:
                        found[found_tag].append(place)
    return found
