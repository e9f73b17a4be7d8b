"""No function of the core calls itself, also not by way of others, and no packet, timer or call of
a running stack takes more than 4 KiB of the C stack.  From gcc's call graphs: congestion control,
which is called through a table, and the caller's trace function are leaves of it."""
# ctest: timeout=600 native plain

import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

SOURCE = pathlib.Path(os.environ["HF_SOURCE_DIR"])
CORE = ["base", "wire", "tcp", "stack"]
FLAGS = ["-std=c17", "-O2", "-w", "-D_GNU_SOURCE", "-DHF_BLOCK_HASH=0", "-Iinclude", "-Isrc",
         "-fno-optimize-sibling-calls", "-fcallgraph-info=su"]
STACK_MOST = 4096
# What compares or lays out whole blocks: no packet leads there.
ONCE = {"hf_check", "hf_restore", "hf_attach", "hf_snapshot", "hf_init", "hf_size", "hf_canonical"}
NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?(?:(\d+) bytes \((\w+)[^"]*)?" ')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


def graph_of(source, folder):
    target = pathlib.Path(folder) / (source.parent.name + "_" + source.stem + ".o")
    # A cache of objects brings no graphs back.
    subprocess.run(["gcc", *FLAGS, "-c", str(source.relative_to(SOURCE)), "-o", str(target)],
                   cwd=SOURCE, check=True, env={**os.environ, "CCACHE_DISABLE": "1"})
    return target.with_suffix(".ci").read_text(encoding="utf-8")


def read_all():
    """{function: octets of its frame}, {function: those it calls}"""
    sources = [path for room in CORE for path in sorted((SOURCE / "src" / room).glob("*.c"))]
    frames, calls = {}, {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        for text in pool.map(lambda path: graph_of(path, folder), sources):
            for name, octets, _ in NODE.findall(text):
                frames[name] = max(frames.get(name, 0), int(octets or 0))
            for caller, callee in EDGE.findall(text):
                calls.setdefault(caller, set()).add(callee)
    return frames, calls


def deepest(frames, calls):
    """(octets, path) of each function; a cycle is an error."""
    done, under_way = {}, []

    def visit(name):
        if name in under_way:
            raise RecursionError(" -> ".join(under_way[under_way.index(name):] + [name]))
        if name not in done:
            under_way.append(name)
            below = max((visit(callee) for callee in calls.get(name, ())), default=(0, []))
            under_way.pop()
            done[name] = (below[0] + frames.get(name, 0), [name] + below[1])
        return done[name]

    for name in frames:
        visit(name)
    return done


def main():
    frames, calls = read_all()
    if len(frames) < 500:
        print(f"only {len(frames)} functions were found: has gcc's format changed?")
        return 1
    try:
        done = deepest(frames, calls)
    except RecursionError as cycle:
        print(f"a function calls itself: {cycle}")
        return 1
    octets, path = max(found for name, found in done.items()
                       if name.startswith("hf_") and name not in ONCE)
    print(f"{len(frames)} functions; the deepest call takes {octets} octets of stack:")
    print("  " + " -> ".join(f"{name.split(':')[-1]} {frames.get(name, 0)}" for name in path))
    return 1 if octets > STACK_MOST else 0


sys.exit(main())
