"""`handfast bench` measures each contender, and says it as people and as programs read it."""
# ctest: native plain serial

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

HANDFAST = os.environ["HF_HANDFAST"]


def bench(*arguments):
    done = subprocess.run([HANDFAST, "bench", "--rounds", "1", *arguments], capture_output=True,
                          text=True, check=False)
    disturbed = done.returncode == 1 and "disturbed" in done.stdout  # a busy machine: said
    assert done.returncode == 0 or disturbed, done
    return done.stdout


def one_object_for_each_figure():
    figures = [json.loads(line) for line in bench("--json", "open-close", "bulk-64k").splitlines()]
    assert [figure["figure"] for figure in figures] == ["open-close", "bulk-64k"]
    for figure in figures:
        ours, kernel = figure["handfast"], figure["peers"]["kernel-loopback"]
        absent = [one["absent"] for one in (ours, kernel) if "absent" in one]
        if absent:
            assert all("disturbed" in why for why in absent), figure
            continue
        assert 0 < ours["min"] <= ours["median"] <= ours["max"]
        ratio = ours["median"] / kernel["median"]
        assert abs(figure["ratio"]["kernel-loopback"] / ratio - 1) < 0.01
        assert figure["command"] == f"handfast bench {figure['figure']}"
        if figure["figure"] == "open-close" and platform.machine() == "x86_64":
            assert ours["instructions"]["median"] > 7 * 100, figure  # of seven segments
            assert "instructions" not in kernel  # only this process is counted


UNSTEADY = """
#include <unistd.h>
#include <sys/syscall.h>
pid_t getppid(void)
{
    static unsigned calls;
    for (unsigned i = 0; i < (calls / 20000 % 2 ? 8u : 1u); i++)
        syscall(SYS_getppid);
    calls++;
    return 1;
}
"""


def a_machine_that_is_never_steady_has_no_figures_and_no_speed_of_zero():
    if shutil.which("cc") is None:
        print("left out: there is no cc to make the machine unsteady with")
        return
    with tempfile.TemporaryDirectory() as directory:
        library = pathlib.Path(directory) / "unsteady.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=UNSTEADY,
                       text=True, check=True)
        os.environ["LD_PRELOAD"] = str(library)
        try:
            told, [figure] = bench("open-close"), bench("--json", "open-close").splitlines()
        finally:
            del os.environ["LD_PRELOAD"]
    assert "absent: each round was disturbed" in told, told
    assert "0 rounds, 3 discarded\n" in told, told
    assert json.loads(figure)["reference"] is None, figure


def help_names_each_figure():
    told = bench("--help")
    for name in ("open-close", "open-close-1k-idle", "bulk-1500", "bulk-64k", "tun-crr",
                 "devices-up", "devices-down"):
        assert f"  {name} " in told, name


def main():
    for check in (one_object_for_each_figure, help_names_each_figure,
                  a_machine_that_is_never_steady_has_no_figures_and_no_speed_of_zero):
        try:
            check()
        except AssertionError as error:
            print(f"FAILED: {check.__name__}: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
