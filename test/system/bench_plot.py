"""The plots of doc/performance.md: a line for each series that was measured, and none without."""
# ctest: native plain

import importlib.util
import os
import pathlib
import shutil
import sys

SOURCE = pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "tools/bench_plot.py"
SKIPPED = 77
GROWS = [[100, 0.5], [1000, 4], [10000, 150]]
FLAT = [[100, 2], [1000, 2.1], [10000000, 3]]


def load():
    spec = importlib.util.spec_from_file_location("bench_plot", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    if not shutil.which("gnuplot"):
        print("skipped: gnuplot is not here (apt install gnuplot-nox)")
        return SKIPPED
    plot = load()
    figure = {"handfast": {"series": {"echo-p50-us": FLAT}},
              "peers": {"lwip": {"series": {"echo-p50-us": GROWS}},
                        "kernel-loopback": {"absent": "not here"}}}
    wanted = [one for one in plot.PLOTS if one[1] == "performance-echo.svg"][0]
    drawn = plot.draw(figure, wanted).decode()
    for text in ("<svg", wanted[2], ">Handfast<", ">lwIP<"):
        assert text in drawn, text
    assert "kernel, loopback" not in drawn
    assert plot.draw({"handfast": {"absent": "not here"}, "peers": {}}, wanted) is None
    return 0


if __name__ == "__main__":
    sys.exit(main())
