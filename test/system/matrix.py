#!/usr/bin/env python3
"""handfast connect, listen and the examples with the kernel's TCP, each option on and off on either
side.

A row is one connection: who opens, IPv4 or IPv6, the MTU, Handfast's settings, the kernel's.  The
octets of both directions are compared; what was agreed upon must be what both sides could do, and
is read off the wire (Handfast's capture), from the SYNs and all segments behind them, and from the
kernel (tcp_info).

Every pair of values of any two factors occurs in some row; HF_LONG=1: every row of Handfast's side.

ctest: timeout=1800 plain
"""

import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import helper_capture as wire  # noqa: E402

HANDFAST = os.environ["HF_HANDFAST"]
EXAMPLES = os.environ["HF_EXAMPLES"]
HERE = os.path.dirname(os.path.abspath(__file__))
LONG = bool(os.environ.get("HF_LONG"))
PORT = 80
UP, DOWN = 150_000, 120_000  # beyond a window without scaling
TCPI_TIMESTAMPS, TCPI_SACK, TCPI_WSCALE, TCPI_ECN = 1, 2, 4, 8

# Handfast's factors are those settings that this build has.
OURS = {"timestamps": ("on", "off"), "sack": ("on", "off"), "window_scale": ("on", "off"),
        "ecn": ("accept", "ask", "off"), "accecn": ("off", "on")}
KERNEL = {"tcp_timestamps": (1, 0), "tcp_sack": (1, 0), "tcp_window_scaling": (1, 0),
          "tcp_ecn": (2, 1, 0)}
PATH = {"opens": ("handfast", "kernel"),
        "path": ((4, 1500), (6, 1500), (4, 576), (4, 1280), (6, 1280), (4, 9000), (6, 9000))}


def settings_here():
    listed = subprocess.run([HANDFAST, "connect", "--set", "help"], capture_output=True, text=True,
                            check=True).stdout
    return {line.split("=")[0] for line in listed.splitlines()
            if re.match(r"\w+=", line) and "HF_ERR_UNSUPPORTED" not in line}


def pairwise(factors, rng):
    """Rows in which every pair of values of two factors occurs (a greedy covering array)."""
    names = list(factors)
    left = {(a, x, b, y) for a, b in itertools.combinations(names, 2)
            for x in factors[a] for y in factors[b]}

    def covered(row):
        return {(a, row[a], b, row[b]) for a, b in itertools.combinations(names, 2)}

    rows = []
    while left:
        tries = ({n: rng.choice(factors[n]) for n in names} for _ in range(60))
        best = max(tries, key=lambda row: len(covered(row) & left))
        a, x, b, y = min(left, key=repr)
        best |= {a: x, b: y}
        left -= covered(best)
        rows.append(best)
    return rows


def all_rows(ours):
    rng = random.Random(9293)
    factors = ours | KERNEL | PATH
    rows = pairwise(factors, rng)
    if LONG:
        kernel = pairwise(KERNEL, rng)
        product = itertools.product(*(ours | PATH).values())
        rows += [dict(zip(ours | PATH, values)) | kernel[i % len(kernel)]
                 for i, values in enumerate(product)]
    return rows


def run(row, ours, directory):
    """Handfast's capture and the kernel's findings."""
    family, mtu = row["path"]
    files = {name: os.path.join(directory, name)
             for name in ("up", "down", "received", "spec", "result", "pcap")}
    for stale in ("result", "pcap", "received"):
        if os.path.exists(files[stale]):
            os.remove(files[stale])
    spec = {"role": "listen" if row["opens"] == "handfast" else "connect", "family": family,
            "port": PORT, "sysctl": {n: row[n] for n in KERNEL}, "fast_open": False,
            "send": files["down"], "receive": files["up"], "result": files["result"],
            "connections": 1}
    with open(files["spec"], "w", encoding="utf-8") as file:
        json.dump(spec, file)
    command = [HANDFAST, "connect" if row["opens"] == "handfast" else "listen", f"-{family}",
               "--mtu", str(mtu), "--pcap", files["pcap"], "-w", "20"]
    for name in ours:
        command += ["--set", f"{name}={row[name]}"]
    if row["opens"] == "handfast":
        command.append("10.77.0.1" if family == 4 else "fd77::1")
    command += [str(PORT), "--private", "--", sys.executable, "-S", "-E",
                os.path.join(HERE, "helper_kernel.py"), files["spec"]]
    with open(files["up"], "rb") as up, open(files["received"], "wb") as received:
        done = subprocess.run(command, stdin=up, stdout=received, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"status {done.returncode}: {done.stderr.strip()}")
    with open(files["received"], "rb") as got, open(files["down"], "rb") as want:
        if got.read() != want.read():
            raise AssertionError("other octets arrived at Handfast than the kernel sent")
    with open(files["result"], encoding="utf-8") as file:
        (found,) = json.load(file)
    if not found["equal"]:
        raise AssertionError("other octets arrived at the kernel than Handfast sent")
    (segments,) = wire.connections(files["pcap"])
    return segments, found


def must(condition, what):
    if not condition:
        raise AssertionError(what)


def check_syn(syn, row, ours):
    """One side's SYN or SYN,ACK offers what that side may, and no more."""
    side = "Handfast" if ours else "the kernel"
    for name, option in (("timestamps", wire.TIMESTAMPS), ("sack", wire.SACK_OK),
                         ("window_scale", wire.WSCALE)):
        kernel_name = "tcp_window_scaling" if name == "window_scale" else f"tcp_{name}"
        may = row[name] == "on" if ours else row[kernel_name] != 0
        first = not syn["flags"] & wire.ACK
        both = row[name] == "on" and row[kernel_name] != 0
        must((option in syn["options"]) == (may if first else both),
             f"{side}'s SYN: {name} {'is not' if may else 'is'} there")
    family, mtu = row["path"]
    mss = int.from_bytes(syn["options"][wire.MSS], "big")
    must(mss == mtu - (40 if family == 4 else 60), f"{side} announces an MSS of {mss}")


def check_wire(segments, row):
    """What every segment after the handshake shows."""
    stamped = row["timestamps"] == "on" and row["tcp_timestamps"] != 0
    sack = row["sack"] == "on" and row["tcp_sack"] != 0
    largest = {True: 0, False: 0}
    for segment in segments:
        must(segment["total"] <= row["path"][1], f"a packet of {segment['total']} octets")
        largest[segment["ours"]] = max(largest[segment["ours"]], segment["text"])
        if segment["flags"] & (wire.SYN | wire.RST):
            continue
        must((wire.TIMESTAMPS in segment["options"]) == stamped, "timestamps come and go")
        must(sack or wire.SACK not in segment["options"], "SACK blocks that nobody agreed upon")
    family, mtu = row["path"]
    full = mtu - (40 if family == 4 else 60) - (12 if stamped else 0)
    for ours, text in largest.items():
        must(text == full, f"{'Handfast' if ours else 'the kernel'} sends {text} octets at most, "
                           f"not {full}")


def ecn_agreed(row):
    if row.get("ecn", "off") == "off" or row["tcp_ecn"] == 0:
        return False
    return row["ecn"] == "ask" if row["opens"] == "handfast" else row["tcp_ecn"] == 1


def new_text(segments, ours):
    """Segments with text that is sent for the first time: what goes again is not ECT (RFC 3168
    6.1.5), and a busy machine lets something go again."""
    end = None
    for segment in segments:
        if segment["ours"] != ours or segment["text"] == 0:
            continue
        if end is None or (segment["seq"] - end) % 2**32 < 2**31:
            end = segment["seq"] + segment["text"]
            yield segment


def check_ecn(segments, row):
    syn, answer = segments[0], segments[1]
    both = wire.ECE | wire.CWR
    asks = row.get("ecn") == "ask" if row["opens"] == "handfast" else row["tcp_ecn"] == 1
    must(syn["flags"] & both == (both if asks else 0), "the SYN's ECN bits")
    must(answer["flags"] & both == (wire.ECE if ecn_agreed(row) else 0), "the SYN,ACK's ECN bits")
    for ours in (True, False):
        marked = [s["ecn"] == 2 for s in new_text(segments, ours)]
        must(all(marked) if ecn_agreed(row) else not any(marked), "text is ECT(0) when agreed")


def check_kernel(found, row):
    agreed = {TCPI_TIMESTAMPS: row["timestamps"] == "on" and row["tcp_timestamps"] != 0,
              TCPI_SACK: row["sack"] == "on" and row["tcp_sack"] != 0,
              TCPI_WSCALE: row["window_scale"] == "on" and row["tcp_window_scaling"] != 0,
              TCPI_ECN: ecn_agreed(row)}
    want = sum(bit for bit, is_agreed in agreed.items() if is_agreed)
    mask = sum(agreed)
    must(found["options"] & mask == want, f"tcp_info: options {found['options']}, not {want}")


def check(row, ours, directory):
    segments, found = run(row, ours, directory)
    for syn in [s for s in segments if s["flags"] & wire.SYN]:
        check_syn(syn, row, syn["ours"])
    must(segments[0]["ours"] == (row["opens"] == "handfast"), "the wrong side opened")
    check_wire(segments, row)
    check_kernel(found, row)
    if "ecn" in ours:
        check_ecn(segments, row)


def check_hello(row, ours):
    environment = os.environ | {"HANDFAST_SET": " ".join(f"{n}={row[n]}" for n in ours)}
    done = subprocess.run([os.path.join(EXAMPLES, "hello")], env=environment, capture_output=True,
                          text=True, timeout=30, check=False)
    must(done.stdout == "hello, kernel\n" and done.returncode == 0, f"hello: {done}")


def check_httpd(row, ours, directory):
    """The kernel asks examples/httpd for a page."""
    result = os.path.join(directory, "result")
    spec = {"role": "get", "family": row["path"][0], "port": PORT, "octets": DOWN,
            "sysctl": {n: row[n] for n in KERNEL}, "fast_open": False, "result": result}
    with open(os.path.join(directory, "spec"), "w", encoding="utf-8") as file:
        json.dump(spec, file)
    environment = os.environ | {"HANDFAST_SET": " ".join(f"{n}={row[n]}" for n in ours)}
    done = subprocess.run([os.path.join(EXAMPLES, "httpd"), str(PORT), "--", sys.executable, "-S",
                           "-E", os.path.join(HERE, "helper_kernel.py"), file.name],
                          env=environment, capture_output=True, text=True, timeout=60, check=False)
    must(done.returncode == 0, f"httpd: {done}")
    with open(result, encoding="utf-8") as file:
        (found,) = json.load(file)
    must(found["equal"], "httpd: not what was asked for")
    check_kernel(found, row | {"opens": "kernel"})


def check_fast_open(on, path, stamped, directory):
    """RFC 7413: the kernel opens twice to Handfast's echo; with its first cookie the second SYN
    carries text, which is answered for in the SYN,ACK."""
    files = {name: os.path.join(directory, name) for name in ("spec", "result", "pcap", "up")}
    spec = {"role": "connect", "family": path[0], "port": PORT, "fast_open": True,
            "sysctl": {"tcp_fastopen": 3}, "send": files["up"], "receive": files["up"],
            "result": files["result"], "connections": 2}
    with open(files["spec"], "w", encoding="utf-8") as file:
        json.dump(spec, file)
    command = [HANDFAST, "listen", f"-{path[0]}", "--mtu", str(path[1]), "--pcap", files["pcap"],
               "--keep", "--echo", "-w", "20", "--set", f"fast_open_option={16 if on else 0}",
               "--set", f"timestamps={'on' if stamped else 'off'}", str(PORT), "--private", "--",
               sys.executable, "-S", "-E", os.path.join(HERE, "helper_kernel.py"), files["spec"]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    must(done.returncode == 0, f"Fast Open: status {done.returncode}: {done.stderr.strip()}")
    with open(files["result"], encoding="utf-8") as file:
        must(all(found["equal"] for found in json.load(file)), "Fast Open: other octets came back")
    first, second = wire.connections(files["pcap"])
    must(first[0]["options"].get(wire.FAST_OPEN) == b"", "the kernel asks for no cookie")
    must((wire.FAST_OPEN in first[1]["options"]) == on, "a cookie comes just when it may")
    text = second[0]["text"]
    must((text > 0) == on, f"the second SYN carries {text} octets")
    must(second[1]["ack"] == (second[0]["seq"] + 1 + text) % 2**32, "the SYN's text has its ACK")


def check_fast_connect(no_cookie, path, directory):
    """RFC 7413: Handfast asks the kernel for a cookie with its SYN, or (where both say that none is
    needed) puts text on it at once."""
    files = {name: os.path.join(directory, name)
             for name in ("spec", "result", "pcap", "up", "down", "received")}
    spec = {"role": "listen", "family": path[0], "port": PORT, "fast_open": True,
            "sysctl": {"tcp_fastopen": 0x203 if no_cookie else 3}, "send": files["down"],
            "receive": files["up"], "result": files["result"], "connections": 1}
    with open(files["spec"], "w", encoding="utf-8") as file:
        json.dump(spec, file)
    command = [HANDFAST, "connect", "--mtu", str(path[1]), "--pcap", files["pcap"], "-w", "20",
               "--set", f"fast_open={7 if no_cookie else 3}", "--set", "fast_open_option=on",
               "10.77.0.1" if path[0] == 4 else "fd77::1", str(PORT), "--private", "--",
               sys.executable, "-S", "-E", os.path.join(HERE, "helper_kernel.py"), files["spec"]]
    with open(files["up"], "rb") as up, open(files["received"], "wb") as received:
        done = subprocess.run(command, stdin=up, stdout=received, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    must(done.returncode == 0, f"Fast Open: status {done.returncode}: {done.stderr.strip()}")
    with open(files["result"], encoding="utf-8") as file:
        must(json.load(file)[0]["equal"], "other octets arrived at the kernel")
    ((syn, answer, *_),) = wire.connections(files["pcap"])
    if no_cookie:
        must(syn["text"] > 0, "no text on the SYN")
    else:
        must(syn["text"] == 0, "text without a cookie")
        must(syn["options"].get(wire.FAST_OPEN) == b"", "no cookie is asked for")
        must(len(answer["options"].get(wire.FAST_OPEN, b"")) == 8, "the kernel gives no cookie")
    must(answer["ack"] == (syn["seq"] + 1 + syn["text"]) % 2**32, "the SYN's text has its ACK")


def main():
    probe = subprocess.run([HANDFAST, "listen", "-w", "5", "9", "--private", "--", "true"],
                           capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if "before it connected" not in probe.stderr:
        print("skipped: no private network here: " + probe.stderr)
        sys.exit(77)
    here = settings_here()
    ours = {name: values for name, values in OURS.items() if name in here}
    wrong = 0
    rows = all_rows(ours)
    with tempfile.TemporaryDirectory() as directory:
        rng = random.Random(1)
        for name, size in (("up", UP), ("down", DOWN)):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(rng.randbytes(size))
        for row in rows:
            try:
                check(row, ours, directory)
                check_hello(row, ours)
                check_httpd(row, ours, directory)
            except (AssertionError, OSError, subprocess.TimeoutExpired, ValueError) as error:
                wrong += 1
                print(f"{row}\n    {error}", flush=True)
        for i, path in enumerate(PATH["path"] if "fast_open_option" in here else []):
            for on in (True, False):
                try:
                    check_fast_open(on, path, (i + on) % 2 == 0, directory)
                    check_fast_connect(on, path, directory)
                except (AssertionError, OSError, subprocess.TimeoutExpired, ValueError) as error:
                    wrong += 1
                    print(f"Fast Open {on}, {path}\n    {error}", flush=True)
    print(f"{len(rows)} rows, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
