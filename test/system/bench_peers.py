"""`handfast bench` beside peers that are programs of their own, or the kernel through a device:
each is measured or says what it lacks, and none is left running."""
# ctest: native plain serial timeout=180

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HANDFAST = os.environ["HF_HANDFAST"]
DISTURBED = "disturbed"  # a busy machine: said


def bench(figure):
    done = subprocess.run([HANDFAST, "bench", "--rounds", "1", "--json", figure],
                          capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done
    return json.loads(done.stdout)


def running(names):
    """Processes of these names, and since when."""
    found = set()
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        if any(name.startswith(wanted) for wanted in names) and fields[0] != "Z":
            found.add((name, stat.parent.name, fields[19]))
    return found


def measured(result, program=None):
    """Whether it was; where it was not, the reason has to be one."""
    if "absent" not in result:
        assert 0 < result["min"] <= result["median"] <= result["max"], result
        return True
    why = result["absent"]
    excused = any(word in why for word in (DISTURBED, "namespace", "core", "libxdp"))
    excused |= os.geteuid() != 0 or not os.access("/dev/net/tun", os.W_OK)
    if program and not shutil.which(program):
        excused |= "apt install" in why
    assert excused, result
    return False


def kernel_answers_a_flood_with_cookies():
    figure = bench("syn-flood")
    kernel = figure["peers"]["kernel-tun"]
    if measured(kernel):
        device = kernel["ns of it in the device"]["median"]
        assert 0 < device < kernel["median"] / 2, kernel
        assert "device" in kernel["with"], kernel


def honest_clients_beside_a_flood():
    figure = bench("syn-flood-honest")
    kernel, alone = figure["peers"]["kernel-tun"], figure["peers"]["kernel-alone"]
    if measured(kernel) and measured(alone):
        assert kernel["median"] < alone["median"], figure
        assert alone["% of SYNs lost"]["median"] == 0, alone


def whoever_serves_a_namespace():
    if not os.environ.get("HF_LONG"):
        return  # half a minute beside other work
    before = running(("pasta", "passt", "slirp4netns"))
    figure = bench("tun-rr")
    for name in ("pasta", "slirp4netns"):
        if measured(figure["peers"][name], name):
            assert name in figure["ratio"] and "kernel's server" in figure["peers"][name]["with"]
    for _ in range(50):  # they end after the program, within moments
        left = running(("pasta", "passt", "slirp4netns")) - before
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"still running: {left}")


def devices_beside_what_they_give_alone():
    if not os.environ.get("HF_LONG"):
        return  # the same
    figure = bench("devices-down")
    ours = {"tun": figure["handfast"]}
    ours |= {name.removeprefix("handfast-"): result for name, result in figure["peers"].items()
             if name.startswith("handfast-")}
    assert {"tun", "tun-1500", "packet", "xdp-native", "xdp-generic", "pair"} == set(ours)
    for name, result in ours.items():
        raw = figure["peers"][f"raw-{name}"]
        if not measured(result) or not measured(raw):
            continue
        whole = name in ("tun", "packet", "pair")  # super-segments cross whole
        for one in (result, raw):
            octets, frames = one["octets a frame"]["median"], one["frames/s"]["median"]
            assert (octets > 10000) == whole and (whole or octets <= 1448), (name, one)
            assert abs(octets * frames / one["median"] / 1e9 - 1) < 0.01, (name, one)
        assert raw["median"] > result["median"], (name, result, raw)
        ratio = result["median"] / raw["median"]
        assert abs(figure["ratio"][f"raw-{name}"] / ratio - 1) < 0.01, figure["ratio"]
        assert f"handfast-{name}" not in figure["ratio"]


def main():
    for check in (kernel_answers_a_flood_with_cookies, honest_clients_beside_a_flood,
                  whoever_serves_a_namespace, devices_beside_what_they_give_alone):
        try:
            check()
        except AssertionError as error:
            print(f"FAILED: {check.__name__}: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
