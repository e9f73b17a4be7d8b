"""The library as a shared object under the test programs, so that a changed one costs few
compilations: what tools/mutate, tools/seeded and tools/coverage share.  Everything is built when
asked for."""

import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARY = ["src/base", "src/wire", "src/tcp", "src/stack", "src/trace", "src/device", "src/host"]
SETTINGS = ROOT / "build/settings_data.c"  # made from the public header, part of the library
CLIENTS = ["sim", "explore"]  # rooms of their own, part of the tests of the same name
CC = "gcc"
FLAGS = ["-std=c17", "-O1", "-w", "-fPIC", "-D_GNU_SOURCE", "-DHF_WITH_LIBMNL",
         "-DHF_VERSION=\"m\"", "-DHF_BLOCK_HASH=0"]
# What tools/coverage has others for, at compiling and at linking.  Beyond an array: a trap, as the
# sanitizer build of `make test` would tell.
CHECKED = ["-DHF_ASSERTIONS", "-fsanitize=bounds", "-fsanitize-undefined-trap-on-error"]


def run(*command, **more):
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, **more)


def compiler():
    return ["ccache", CC] if shutil.which("ccache") else [CC]


def libraries():
    """Of the files that include an optional one; what is missing leaves its files out."""
    flags = run("pkg-config", "--cflags", "--libs", "cmocka", "libmnl").stdout.split()
    return flags + ["-pthread", "-lm"]


def room_of(source):
    """The flags for a file of a client's room, or of its tests."""
    parts = pathlib.Path(os.path.relpath(ROOT / source, ROOT)).parts
    room = parts[1] if parts[0] == "test" else parts[0]
    return [f"-I{room}"] if room in CLIENTS else []


def compile_one(source, target, tree="."):
    """What the compiler has against it; src and include are taken from the tree."""
    target.parent.mkdir(parents=True, exist_ok=True)
    done = run(*compiler(), *FLAGS, *CHECKED, f"-I{tree}/include", f"-I{tree}/src", "-Itest",
               *room_of(source), "-MMD", "-c", str(source), "-o", str(target))
    return done.stderr if done.returncode else ""


def needed_files(target):
    """What an object was made from, relative to the tree."""
    words = target.with_suffix(".d").read_text(encoding="utf-8").replace("\\\n", " ").split()[1:]
    return [os.path.relpath(ROOT / word, ROOT) for word in words]


def fresh(source, target):
    """Is the object newer than all it was made from?"""
    if not target.exists() or not target.with_suffix(".d").exists():
        return False
    made = target.stat().st_mtime
    return all((ROOT / path).exists() and (ROOT / path).stat().st_mtime < made
               for path in [source] + needed_files(target))


def name_of(path):
    return str(path.relative_to(ROOT))


class DoesNotBuild(Exception):
    pass


class Tree:
    """The good library and the test programs, each made the first time it is wanted."""

    def __init__(self, work, jobs, folders):
        self.good, self.jobs = work / "good", jobs
        self.lock = threading.RLock()
        SETTINGS.parent.mkdir(exist_ok=True)
        headers = [ROOT / "include/handfast" / name for name in ("policy.h", "handfast.h")]
        newest = max(header.stat().st_mtime for header in headers)
        if not SETTINGS.exists() or SETTINGS.stat().st_mtime < newest:
            run("tools/settings", str(SETTINGS))
        sources = [path for folder in LIBRARY for path in sorted((ROOT / folder).glob("*.c"))
                   if "#include <xdp/" not in path.read_text()]  # xdp_absent.c stands in
        self.objects = {name_of(path): self.object_of(path) for path in sources + [SETTINGS]}
        self.programs = {}
        common = sorted((ROOT / "test/common").glob("*.c"))
        for folder in folders:
            files = sorted((ROOT / "test" / folder).glob("*.c"))
            helpers = [path for path in files if not path.name.startswith("test_")] + common
            if folder in CLIENTS:
                helpers += sorted((ROOT / folder).glob("*.c"))
            for path in files:
                asked = " ".join(re.findall(r"ctest: (.*)", path.read_text()[:600])).split()
                if path.name.startswith("test_") and not {"long", "own"} & set(asked):
                    self.programs[f"{folder}/{path.stem}"] = [path] + helpers
        self.tests, self.seconds = {}, {}

    def object_of(self, path):
        return self.good / (name_of(path) + ".o")

    def compile_all(self, sources):
        stale = [path for path in sources if not fresh(path, self.object_of(path))]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            errors = pool.map(lambda path: compile_one(path, self.object_of(path)), stale)
            for source, error in zip(stale, errors):
                if error:
                    raise DoesNotBuild(f"{source} does not compile:\n{error}")

    def build_library(self):
        self.compile_all([ROOT / name for name in self.objects])
        target = self.good / "libhf.so"
        if not target.exists() or any(path.stat().st_mtime > target.stat().st_mtime
                                      for path in self.objects.values()):
            error = self.link(target, {})
            if error:
                raise DoesNotBuild(error)

    def link(self, target, instead):
        objects = [str(instead.get(name, path)) for name, path in self.objects.items()]
        done = run(CC, *CHECKED, "-shared", "-Wl,-Bsymbolic", *objects, "-o", str(target),
                   *libraries())
        return done.stderr if done.returncode else ""

    def link_program(self, target, objects, folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        done = run(CC, *CHECKED, *map(str, objects), "-o", str(target), f"-L{folder}", "-lhf",
                   *libraries())
        if done.returncode:
            raise DoesNotBuild(done.stderr.strip()[:600])

    def build_program(self, name):
        """The test program on the good library."""
        with self.lock:
            if name not in self.tests:
                files = self.programs[name]
                self.compile_all(files)
                objects = [self.object_of(path) for path in files]
                target = self.good / name
                newest = max(path.stat().st_mtime for path in objects)
                if not target.exists() or target.stat().st_mtime < newest:
                    self.link_program(target, objects, self.good)
                self.tests[name] = target
        return self.tests[name]

    def measure(self, name):
        """Processor seconds of the test on the good library, where it must pass."""
        program = self.build_program(name)
        with self.lock:
            if name not in self.seconds:
                kept = program.with_suffix(".seconds")
                newest = max(program.stat().st_mtime, (self.good / "libhf.so").stat().st_mtime)
                if not kept.exists() or kept.stat().st_mtime < newest:
                    before = resource.getrusage(resource.RUSAGE_CHILDREN)
                    outcome, shown = run_test(program, self.good, 300)
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    if outcome:
                        raise DoesNotBuild(f"{name} fails on the good library:\n{shown[-2000:]}")
                    kept.write_text(str(after.ru_utime + after.ru_stime - before.ru_utime -
                                        before.ru_stime), encoding="utf-8")
                self.seconds[name] = float(kept.read_text(encoding="utf-8"))
        return self.seconds[name]


def run_test(program, folder, timeout):
    """("", output) when it passes on the library in the folder, else which test failed first."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(folder), "HF_SOURCE_DIR": str(ROOT),
           "HF_BUILD_DIR": str(folder), "HF_SANITIZE": "strided"}
    env.pop("HF_LONG", None)
    with subprocess.Popen([str(program)], cwd=folder, stdin=subprocess.DEVNULL, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", start_new_session=True) as process:
        try:
            shown = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "timeout", process.communicate()[0]
    if process.returncode in (0, 77):
        return "", shown
    failed = re.findall(r"\[  FAILED  \] (?:\w+: )?(.+)", shown)
    failed = [f for f in failed if not re.match(r"\d+ test", f)]
    if process.returncode < 0:
        last = re.findall(r"\[ RUN      \] (.+)", shown)
        return (last[-1] if last else "") + f" (signal {-process.returncode})", shown
    return failed[0] if failed else "failed", shown
