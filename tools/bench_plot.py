"""The plots of doc/performance.md: what a figure measured against size, drawn by gnuplot as SVG."""

import math
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Figure, file under doc/, title, ordinate, lines: whose series, which, name.
PLOTS = [
    ("ten-million", "performance-segment.svg", "Cost of a segment beside n connections",
     "ns of the processor a segment, both ends",
     [("handfast", "open-segment-ns", "opening"),
      ("handfast", "echo-segment-ns", "echo on a random one"),
      ("handfast", "close-segment-ns", "closing")]),
    ("ten-million", "performance-echo.svg", "One octet there and back beside n connections",
     "microseconds, median",
     [("handfast", "echo-p50-us", "Handfast"), ("lwip", "echo-p50-us", "lwIP"),
      ("kernel-loopback", "echo-p50-us", "kernel, loopback")]),
]
SVG = "svg size 720,400 background rgb 'white' font 'sans,12'"
COLOURS = ["#0072b2", "#d55e00", "#009e73"]


def points(figure, who, name):
    result = figure["handfast"] if who == "handfast" else figure["peers"].get(who, {})
    return sorted(result.get("series", {}).get(name, []))


def decade(value):
    """The power of ten at or below it."""
    return 10 ** math.floor(math.log10(value))


def draw(figure, plot, terminal=SVG):
    """The plot as gnuplot writes it; None: nothing of it was measured."""
    _, _, title, ordinate, wanted = plot
    lines = [(points(figure, who, name), label) for who, name, label in wanted]
    lines = [(found, label) for found, label in lines if found]
    if not lines:
        return None
    values = [y for found, _ in lines for _, y in found]
    script = [f"set terminal {terminal}", f"set title \"{title}\"", "set logscale xy",
              "set xlabel 'connections'", f"set ylabel '{ordinate}'",
              "set key left top Left reverse", "set format x '10^{%L}'",
              "set grid xtics ytics lc rgb '#dddddd'",
              f"set yrange [{decade(min(values))}:{decade(max(values) * 20)}]"]
    for i, (found, _) in enumerate(lines):
        script += [f"$line{i} << end", *(f"{x} {y}" for x, y in found), "end"]
    script.append("plot " + ", ".join(
        f"$line{i} with linespoints lw 2 pt 7 ps 0.6 lc rgb '{COLOURS[i]}' title '{label}'"
        for i, (_, label) in enumerate(lines)))
    done = subprocess.run(["gnuplot"], input="\n".join(script).encode(), capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: gnuplot: {done.stderr.decode()}")
    return done.stdout


def links(figure):
    """What the table of a figure shows beside its numbers: its plots, drawn anew."""
    shown = []
    for plot in PLOTS:
        name, file, title = plot[:3]
        if name != figure["figure"]:
            continue
        path = ROOT / "doc" / file
        picture = draw(figure, plot) if shutil.which("gnuplot") else None
        if picture:
            path.write_bytes(picture)
        if path.exists():
            shown.append(f"![{title}]({file})")
    return shown
