#!/usr/bin/env python3
"""`handfast judge`: each rule that a capture can show to be broken is found in a conversation that
breaks it, and nothing is found in the same one that does not; kernels on a bad wire come out clean.
"""
# ctest: timeout=180
# ctest: native

import functools
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from helper_packets import (  # noqa: E402
    A, ACK, B, CWR, DSS, ECE, FIN, ISS, JOIN, PERMITTED, RST, SYN, URG, block, cut, mss, packet,
    pcap, pcapng, sack, scale, stamp, unreachable)

HANDFAST = os.environ["HF_HANDFAST"]
HERE = pathlib.Path(os.environ["HF_SOURCE_DIR"]) / "test/system"
failures = []


def run(octets, *options):
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(octets)
        file.flush()
        return subprocess.run([HANDFAST, "judge", *options, file.name], capture_output=True,
                              text=True, check=False)


def rules(octets, *options):
    """The rules that were broken, in order."""
    done = run(octets, "--json", *options)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [line["rule"] for line in lines[:-1]]
    status = 1 if found else 0 if lines[-1]["segments"] else 2
    if done.returncode != status or lines[-1]["violations"] != len(found):
        failures.append(f"status {done.returncode} with {found}: {done.stderr}")
    return found


def opened(syn=b"", answer=None, ecn=(0, 0), wnd=1000):
    """The three segments of a handshake, a millisecond apart."""
    answer = syn if answer is None else answer
    return [(0, packet(A, SYN | ecn[0], 0, 0, wnd=wnd, options=syn)),
            (1, packet(B, SYN | ACK | ecn[1], 0, 1, wnd=wnd, options=answer)),
            (2, packet(A, ACK, 1, 1, wnd=wnd, options=later(syn, answer, 11, 20)))]


def later(syn, answer, value, echo):
    return stamp(value, echo) if b"\x08\x0a" in syn and b"\x08\x0a" in answer else b""


def stamped(value, echo=0):
    return mss(1460) + stamp(value, echo)


PLAIN = opened(mss(1460))
STAMPS = opened(stamped(10), stamped(20, 10))
SACKS = opened(mss(1460) + PERMITTED)
SCALED = opened(mss(1460) + scale(7))
CLOSED = [*PLAIN, (2, packet(A, FIN | ACK, 1, 1)), (2, packet(B, FIN | ACK, 1, 2)),
          (2, packet(A, ACK, 2, 2))]


def ticking(waits):
    """Text of A and its ACK after each wait; the clocks tick each microsecond, as some kernels'."""
    out, now, value, echo = [], 3, 10, 20
    for number, wait in enumerate(waits):
        now += wait
        value, seq = 12 + now * 1000, 1 + 10 * number
        out += [max(wait, 0), packet(A, ACK, seq, 1, 10, options=stamp(value % 2**32, echo)),
                packet(B, ACK, 1, seq + 10, options=stamp((value + 990) % 2**32, value % 2**32))]
        echo = (value + 990) % 2**32
    return out


# What breaks a rule (rule, options, handshake, packets), and twins that break none (None).
CASES = [
    ("syn-form", [], [], [packet(A, SYN | FIN, 0, 0)]),
    ("syn-form", [], [(0, packet(A, SYN, 0, 0))], [packet(B, SYN | ACK, 0, 2),
                                                   packet(A, ACK, 1, 1)]),
    (None, [], [(0, packet(A, SYN, 0, 0))], [packet(B, SYN | ACK, 0, 2), packet(A, RST, 2, 0)]),
    (None, [], [(0, packet(A, SYN, 0, 0))], [packet(B, SYN | ACK, 0, 2),  # a SYN is missing
                                             packet(A, ACK, 2, 1)]),
    (None, [], [(0, packet(A, SYN, 0, 0))], [packet(B, SYN | ACK, 0, 1)]),
    (None, [], [], [packet(A, SYN, 0, 0), packet(A, SYN, -10, 0),  # RFC 9293 3.5, figure 9
                    packet(B, SYN | ACK, 0, -9), packet(A, RST, -9, 0), packet(A, SYN, 0, 0),
                    packet(B, SYN | ACK, 100, 1), packet(A, ACK, 1, 101)]),
    (None, [], [], [packet(A, SYN, 0, 0), packet(A, SYN, -10, 0), packet(B, SYN | ACK, 0, -9),
                    packet(B, SYN | ACK, 100, 1), packet(A, RST, -9, 0), packet(A, ACK, 1, 101),
                    packet(A, ACK, 1, 101, 10), packet(B, ACK, 101, 11)]),
    (None, [], [], [packet(A, SYN, 0, 0), packet(A, SYN, -10, 0), packet(B, SYN | ACK, 100, 1),
                    packet(A, ACK, 1, 101), packet(B, SYN | ACK, 0, -9), packet(A, RST, -9, 0),
                    packet(A, ACK, 1, 101, 10), packet(B, ACK, 101, 11)]),
    (None, [], [], [packet(A, SYN, 0, 0), 20000, packet(A, SYN, -1000, 0),  # another attempt
                    packet(B, SYN | ACK, 0, -999), packet(A, ACK, -999, 1),
                    packet(A, ACK, -999, 1, 10), packet(B, ACK, 1, -989)]),
    (None, [], CLOSED, [packet(B, SYN | ACK, 3000, 2001), packet(A, ACK, 2001, 3001),  # a SYN is
                        packet(A, ACK, 2001, 3001, 10), packet(B, ACK, 3001, 2011)]),  # missing
    (None, [], CLOSED, [100000, packet(A, ACK, 2001, 3001, 10), packet(B, ACK, 3001, 2011)]),
    (None, [], [], [packet(A, SYN, 0, 0), packet(B, RST | ACK, 0, 1),
                    packet(B, SYN | ACK, 3000, 2001), packet(A, ACK, 2001, 3001, 10)]),
    *[(None, [], [], [packet(A, SYN, 0, 0), 2000, *second, packet(B, SYN | ACK, 300, -9),
                      packet(A, RST, -9, 0), packet(A, SYN, 0, 0), packet(B, SYN | ACK, 500, 1),
                      packet(A, ACK, 1, 501), packet(A, ACK, 1, 501, 10), packet(B, ACK, 501, 11)])
      for second in ([], [packet(A, SYN, 0, 0)])],  # figure 8; the old SYN passed elsewhere
    (None, [], [], [packet(A, SYN, -10, 0), 2000, packet(A, SYN, 0, 0),  # ... or here
                    packet(B, SYN | ACK, 300, -9), packet(A, RST, -9, 0), packet(A, SYN, 0, 0),
                    packet(B, SYN | ACK, 500, 1), packet(A, ACK, 1, 501)]),
    *[(None, [], [], [packet(A, SYN, 0, 0), packet(B, ACK, 300, ack, text), packet(A, RST, ack, 0),
                      1000, packet(A, SYN, 0, 0), packet(B, SYN | ACK, 900, 1),
                      packet(A, ACK, 1, 901), packet(A, ACK, 1, 901, 10), packet(B, ACK, 901, 11)])
      for ack in (-100, 4000) for text in (0, 10)],  # figures 9 and 10 (and 11)
    *[(None, [], PLAIN, [packet(A, ACK, 1, 1, 50), packet(B, ACK, 1, 51), wait,
                         packet(A, SYN, 40000, 0), packet(B, ACK, 1, 51), packet(A, RST, 51, 0),
                         packet(A, SYN, 40000, 0), packet(B, SYN | ACK, 9000, 40001),
                         packet(A, ACK, 40001, 9001)]) for wait in (10000, 100000)],
    *[(None, [], PLAIN, [packet(A, ACK, 1, 1, 50), packet(B, ACK, 1, 51), wait,
                         packet(A, SYN, 40000, 0), packet(B, SYN | ACK, 9000, 40001),  # both anew
                         packet(A, ACK, 40001, 9001), packet(A, ACK, 40001, 9001, 10),
                         packet(B, ACK, 9001, 40011)]) for wait in (10000, 100000)],
    (None, [], CLOSED, [100000, packet(A, SYN, 900000, 0), packet(B, ACK, 2, 2),  # TIME-WAIT's
                        packet(A, RST, 2, 0), packet(A, SYN, 900000, 0),
                        packet(B, SYN | ACK, 9000, 900001), packet(A, ACK, 900001, 9001)]),
    (None, [], PLAIN, [packet(A, RST, 1, 0), packet(A, SYN, 5000, 0), packet(B, ACK, 1, 1, 50),
                       packet(A, RST, 1, 0), packet(B, SYN | ACK, 9000, 5001),  # under way before
                       packet(A, ACK, 5001, 9001)]),
    *[(None, [], STAMPS, [wait, packet(A, SYN, seq, 0, options=stamped(9000)),  # a forged SYN
                          packet(B, ACK, 1, 1, options=stamp(21, 11)),  # RFC 5961 4
                          *[item for n in range(9) for item in (
                              packet(A, ACK, 1 + 999 * n, 1 + n, 999,
                                     options=stamp(12 + n, 20 + n)),
                              packet(B, ACK, 1 + n, 1000 + 999 * n, 1,
                                     options=stamp(21 + n, 12 + n)))]])
      for seq in (500, 3000, 70000) for wait in (0, 100000)],
    ("options", [], [], [packet(A, SYN, 0, 0, options=mss(1460)),  # the second SYN is followed
                         packet(A, SYN, 500, 0, options=mss(1460)),
                         packet(B, SYN | ACK, 0, 501, options=mss(1460) + scale(2))]),
    (None, [], [], [packet(A, SYN, 0, 0, options=mss(1460)),
                    packet(A, SYN, 500, 0, options=mss(1460) + scale(2)),
                    packet(B, SYN | ACK, 0, 501, options=mss(1460) + scale(2))]),
    ("ack-field", [], PLAIN, [packet(A, SYN, 40000, 0), packet(B, SYN | ACK, 9000, 40001),
                              packet(A, ACK, 40001, 9001), packet(B, ACK, 9001, 40000)]),
    (None, [], PLAIN, [packet(A, RST, 1, 0), packet(A, SYN, 9000, 0),  # overtaken by the SYN,ACK
                       packet(B, SYN | ACK, 900, 9001), packet(A, ACK, 9001, 901),
                       packet(B, ACK, 1, 1, 10)]),
    ("options", [], [(0, packet(A, SYN, 0, 0, options=mss(1460)))],
     [packet(B, SYN | ACK, 0, 1, options=mss(1460) + scale(2))]),
    ("options", [], STAMPS, [packet(A, ACK, 1, 1, 10)]),
    ("options", [], PLAIN, [packet(A, ACK, 1, 1, 10, options=stamp(12, 20))]),
    ("options", [], PLAIN, [packet(A, ACK, 1, 1, 10), packet(B, ACK, 1, 1, options=sack((2, 3)))]),
    (None, [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(12, 20)), packet(A, RST, 11, 0)]),
    ("stamp", [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(15, 20)),
                           packet(A, ACK, 11, 1, 10, options=stamp(14, 20))]),
    (None, [], STAMPS, [packet(A, ACK, 11, 1, 10, options=stamp(15, 20)),  # overtaken
                        packet(A, ACK, 1, 1, 10, options=stamp(14, 20))]),
    ("stamp-echo", [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(12, 99)),
                                packet(B, ACK, 1, 11, 10, options=stamp(21, 12))]),
    (None, [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(12, 20)),  # a bare ACK is missing
                        packet(B, ACK, 1, 11, 10, options=stamp(25, 16)),
                        packet(A, ACK, 11, 11, options=stamp(18, 25)),
                        packet(A, ACK, 11, 11, 10, options=stamp(19, 25))]),
    (None, [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(12, 20)),  # ... and one is behind
                        packet(B, ACK, 1, 11, 10, options=stamp(25, 16)),
                        packet(A, ACK, 11, 1, 10, options=stamp(13, 20)),
                        packet(A, ACK, 21, 11, 10, options=stamp(19, 25))]),
    (None, [], [], [packet(A, SYN, 0, 0, options=stamped(5, 7))]),  # RFC 7323 3.2: SHOULD be 0
    ("stamp-echo", [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(12, 9))]),
    (None, [], STAMPS, ticking([1, *[500000] * 10, 2500000, 10, 4000000, 10])),
    ("stamp", [], STAMPS, ticking([1, 1000000, -50])),
    ("sack", [], SACKS, [packet(A, ACK, 1, 1, 10),
                         packet(B, ACK, 1, 1, options=sack((1100, 1200))),
                         packet(A, ACK, 11, 1, 10), packet(A, FIN | ACK, 21, 1)]),
    (None, [], SACKS, [packet(A, ACK, 1, 1, 10),  # of text that comes a little later
                       packet(B, ACK, 1, 1, options=sack((1021, 1031))),
                       packet(A, ACK, 11, 1, 10), packet(A, ACK, 21, 1, 10)]),
    ("sack", [], SACKS, [packet(A, ACK, 1, 1, 10), packet(A, ACK, 11, 1, 10),
                         packet(B, ACK, 1, 11, options=sack((1011, 1021), (1005, 1011)))]),
    (None, [], SACKS, [packet(A, ACK, 1, 1, 10), packet(A, ACK, 11, 1, 10),
                       packet(B, ACK, 1, 1, options=sack((1011, 1021)))]),
    ("ecn", [], PLAIN, [packet(A, ACK, 1, 1, 10, tos=2)]),
    (None, [], opened(mss(1460), ecn=(ECE | CWR, ECE)), [packet(A, ACK, 1, 1, 10, tos=2)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10, tos=3)]),  # a router's mark
    ("ack-field", [], PLAIN, [packet(B, ACK, 1, 50), packet(A, ACK, 1, 1, 10),
                              packet(A, FIN | ACK, 11, 1)]),
    ("ack-field", [], PLAIN, [packet(B, ACK, 1, 50, 10), packet(A, ACK, 1, 11, 10)]),
    ("ack-field", [], STAMPS, [packet(B, ACK, 1, 50, options=stamp(21, 11)),
                               packet(A, ACK, 1, 1, 10, options=stamp(12, 21))]),
    ("ack-field", [], STAMPS, [packet(B, ACK, 1, 50, options=stamp(21, 11)),
                               packet(A, ACK, 1, 1, 60, options=stamp(12, 21))]),
    ("ack-field", [], STAMPS, [packet(B, ACK, 1, 5000, options=stamp(21, 11)),  # told once
                               packet(A, ACK, 1, 1, 10, options=stamp(12, 21)),
                               packet(B, ACK, 1, 11, options=stamp(22, 12)),
                               packet(A, ACK, 11, 1, 10, options=stamp(13, 22)),
                               packet(B, ACK, 1, 21, options=stamp(23, 13))]),
    (None, [], STAMPS, [packet(B, ACK, 1, 50, options=stamp(20, 11)),
                        packet(A, ACK, 1, 1, 49, options=stamp(12, 20))]),
    (None, [], PLAIN, [packet(B, ACK, 1, 50), packet(A, ACK, 1, 1, 49),  # a little later, or again
                       packet(B, ACK, 1, 50), packet(A, ACK, 50, 1, 10)]),
    (None, [], PLAIN, [packet(B, ACK, 1, 50), packet(A, ACK, 1, 1, 10), packet(A, ACK, 11, 1, 39),
                       packet(A, FIN | ACK, 50, 1)]),
    ("ack-field", [], PLAIN, [packet(B, ACK, 1, 0)]),
    (None, [], PLAIN, [packet(B, ACK, 1, 50), packet(A, ACK, 50, 1, 10)]),  # missed, not unsent
    (None, [], PLAIN, [item for gib in range(5) for item in (  # the numbers come around
        packet(A, ACK, 1 + gib * 2**30, 1, 10), packet(B, ACK, 1, 11 + gib * 2**30))]),
    (None, [], PLAIN, [packet(B, ACK, 1, 1 + gib * 2**30) for gib in range(3)]),  # one way only
    ("ack-field", [], STAMPS, [packet(A, ACK, 1, 1, 10, options=stamp(12, 20)),
                               packet(B, ACK, 1, 11, options=stamp(21, 12)),
                               packet(B, ACK, 1, 5, options=stamp(22, 12))]),
    ("window-shrinks", [], PLAIN, [packet(A, ACK, 1, 1, 10), packet(B, ACK, 1, 11, wnd=900)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), packet(B, ACK, 1, 11, wnd=990)]),
    (None, [], SCALED, [packet(A, ACK, 1, 1, 10), packet(B, ACK, 1, 11, wnd=1000)]),
    (None, [], opened(mss(1460) + JOIN), [packet(A, ACK, 1, 1, 10, options=DSS),  # RFC 8684 3.3
                                          packet(B, ACK, 1, 11, wnd=100, options=DSS),
                                          packet(A, ACK, 11, 1, 200, options=DSS),
                                          *[packet(B, ACK, 1, 11, wnd=100, options=DSS)] * 8]),
    (None, [], [], [packet(A, ACK, 1, 1, 10)] + [packet(B, ACK, 1, 11, options=DSS)] * 5),
    ("window-shrinks", [], opened(mss(1460) + JOIN, mss(1460)), [
        packet(A, ACK, 1, 1, 10), packet(B, ACK, 1, 11, wnd=900)]),
    ("beyond-window", [], PLAIN, [packet(A, ACK, 1, 1, 1002), packet(B, ACK, 1, 1)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 1000),  # an ACK is missing
                       packet(A, ACK, 1001, 1, 500), packet(A, ACK, 1501, 1, 500),
                       packet(B, ACK, 1, 2001, wnd=0)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 1000), packet(A, ACK, 1001, 1, 500),
                       packet(B, ACK, 1, 1001)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 1000), packet(A, ACK, 1001, 1, 500)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 1001)]),  # a probe is an octet beyond
    ("fin", [], PLAIN, [packet(A, FIN | ACK, 1, 1, 10), packet(A, ACK, 11, 1, 10)]),
    ("fin", [], PLAIN, [packet(A, FIN | ACK, 1, 1, 10), packet(A, FIN | ACK, 1, 1, 5)]),
    (None, [], PLAIN, [packet(A, FIN | ACK, 1, 1, 10), packet(A, FIN | ACK, 1, 1, 10)]),
    (None, [], PLAIN, [packet(A, FIN | ACK, 1, 1), packet(B, ACK, 1, 2), 3600000,  # RFC 9293 3.8.4
                       packet(A, ACK, 1, 1, 1), packet(B, ACK, 1, 2)]),
    ("fin", [], PLAIN, [packet(A, FIN | ACK, 1, 1), packet(B, ACK, 1, 2), packet(A, ACK, 1, 1, 2)]),
    (None, [], CLOSED, [5000, packet(A, ACK, 3000, 4000, 10),  # SYNs are missing
                        packet(B, ACK, 4000, 3010), packet(A, ACK, 3010, 4000, 10),
                        packet(B, ACK, 4000, 3020, 10)]),
    ("mss", ["--on-wire"], opened(mss(500)), [packet(A, ACK, 1, 1, 501)]),
    (None, [], opened(mss(500)), [packet(A, ACK, 1, 1, 501)]),
    (None, ["--on-wire"], opened(mss(500)), [packet(A, ACK, 1, 1, 500)]),
    ("congestion", [], opened(mss(1460), wnd=60000), [packet(A, ACK, 1, 1, 16061)]),
    (None, [], opened(mss(1460), wnd=60000), [packet(A, ACK, 1, 1, 16060)]),
    ("congestion", [], opened(stamped(10), stamped(20, 10), wnd=60000), [
        packet(A, ACK, 1 + 1400 * i, 1, 1400, 60000, stamp(12, 20)) for i in range(12)]),
    (None, [], opened(stamped(10), stamped(20, 10), wnd=60000), [  # an ACK is missing
        packet(A, ACK, 1 + 1400 * i, 1, 1400, 60000, stamp(12, 20 + i // 10)) for i in range(12)]),
    (None, [], opened(mss(1460), wnd=60000), [
        packet(A, ACK, 1 + 1460 * i, 1, 1460, 60000) for i in range(12)]),
    ("ack-cause", [], PLAIN, [20, packet(A, ACK, 1, 1)] * 2),
    (None, [], PLAIN, [20, *[packet(A, ACK, 1, 1)] * 5]),  # one, captured five times
    (None, [], PLAIN, [item for n in range(5) for item in (
        20, packet(A, ACK, 1 + 10 * n, 1, 10), *[packet(B, ACK, 1, 11 + 10 * n)] * 4)]),
    ("ack-cause", [], PLAIN, [packet(A, ACK, 1, 1)] * 25),  # for too long
    (None, [], PLAIN, [20, packet(A, URG | ACK, 1, 1)] * 2),  # of text that waits for the window
    (None, [], PLAIN, [packet(A, ACK, 0, 1)] * 5),  # keep-alives
    (None, [], [], [packet(A, ACK, 1, 1)] * 5),  # of a connection that began before
    (None, [], [], [packet(A, ACK, 1, 1, 10)] + [packet(A, ACK, 11, 1)] * 5),  # one direction
    ("ack-time", [], PLAIN, [packet(A, ACK, 1, 1, 10), 700, packet(B, ACK, 1, 11)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 480, packet(B, ACK, 1, 11)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 1, 1, 10), 300,
                       packet(A, ACK, 1, 1, 10), 300, packet(B, ACK, 1, 11)]),  # lost, and again
    (None, [], [(0, PLAIN[0][1]), (700, PLAIN[1][1]), (701, PLAIN[2][1])],  # a long way
     [700, packet(A, ACK, 1, 1, 10), 1200, packet(B, ACK, 1, 11)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 11, 1, 10), 400,
                       packet(B, ACK, 1, 21)]),  # the ACK before was lost
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 21, 1, 10), 400,
                       packet(B, ACK, 1, 11)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 700, packet(B, ACK, 1, 11, 10)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 700, packet(B, ACK, 1, 11, wnd=2000)]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 500), 700, packet(B, ACK, 1, 501)]),
    ("ack-time", [], STAMPS, [packet(A, ACK, 1, 1, 500, options=stamp(12, 20)), 700,
                              packet(B, ACK, 1, 501, wnd=500, options=stamp(21, 12))]),
    ("back-off", [], PLAIN, [packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 1, 1, 10), 300,
                             packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 1, 1, 10)]),
    (None, [], STAMPS, [item for wait, value in ((0, 12), (300, 312), (750, 912), (1000, 2112))
                        for item in (wait, packet(A, ACK, 1, 1, 10, options=stamp(value, 20)))]),
    ("back-off", [], STAMPS, [item for value in (12, 312, 612, 912) for item in (
        300, packet(A, ACK, 1, 1, 10, options=stamp(value, 20)))]),
    (None, [], PLAIN, [item for _ in range(5) for item in (  # RFC 6069
        300, packet(A, ACK, 1, 1, 10), unreachable(packet(A, ACK, 1, 1, 10)))]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 1, 1, 10), 600,
                       packet(A, ACK, 1, 1, 10), 1200, packet(A, ACK, 1, 1, 10)]),
    *[(rule, [], STAMPS, [item for n, wait in enumerate(waits) for item in (  # RFC 6298 2.5
        wait, packet(A, ACK, 1, 1, 10, options=stamp(12 + n + sum(waits[:n + 1]), 20)))])
      for rule, waits in ((None, (0, 2900, 5800, 11600, 23200, 46400, 64000, 64000)),
                          (None, (0, 3200, 6400, 12800, 25600, 51200, 60000, 60000)),
                          ("back-off", (0, 3200, 6400, 12800, 25600, 51200, 52000)))],
    (None, [], PLAIN, [item for wait in (0, 300, 600, 1200) for item in (  # each captured twice
        wait, packet(A, ACK, 1, 1, 10), packet(A, ACK, 1, 1, 10))]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), 300, packet(A, ACK, 1, 1, 10), 600,
                       packet(A, ACK, 1, 1, 10), -400, packet(A, ACK, 1, 1, 10)]),  # unsorted
    ("back-off", [], PLAIN, [item for wait in (0, 300, 300, 300) for item in (
        wait, packet(A, ACK, 1, 1, 10), packet(A, ACK, 1, 1, 10))]),
    (None, [], PLAIN, [packet(A, ACK, 1, 1, 10), packet(B, ACK, 1, 11)] + [  # keep-alives
        1000, packet(A, ACK, 10, 1, 1)] * 5),
    (None, [], [], [1000, packet(A, ACK, 10, 1, 1)] * 5),  # ... perhaps, or window probes
    (None, [], PLAIN, [1000, packet(A, ACK, 1, 1, 1)] * 5),
    (None, [], [], [1000, packet(A, ACK, 1, 1, 10)] * 5),  # one direction
    ("reset-form", [], PLAIN, [packet(A, RST | FIN, 1, 0)]),
    ("isn", [], PLAIN, [packet(A, RST, 1, 0), packet(A, SYN, -500, 0, options=mss(1460))]),
    (None, [], PLAIN, [packet(A, RST, 1, 0), packet(A, SYN, -500, 0, options=mss(1460), ttl=63)]),
    (None, [], PLAIN, [packet(A, RST, 1, 0), packet(A, SYN, -500, 0, options=stamped(5))]),
    (None, [], PLAIN, [packet(A, RST, 1, 0), packet(A, SYN, 500, 0)]),
    # The clock of ISNs (of Linux: 64 ns a tick) has gone half around meanwhile.
    (None, [], PLAIN, [140000, packet(A, RST, 1, 0), packet(A, SYN, -500, 0)]),
]


def conversation(before, what):
    """Packets with times: a number lets so many milliseconds pass."""
    packets, now = list(before), 3
    for item in what:
        if isinstance(item, int):
            now += item
        else:
            packets.append((now, item))
            now += 1
    return packets


def check(condition, what):
    if not condition:
        failures.append(what)


def each_rule():
    seen = set()
    for number, (rule, options, before, what) in enumerate(CASES, 1):
        found = rules(pcap(conversation(before, what)), *options)
        expected = [rule] if rule else []
        check(found == expected, f"case {number}: found {found}, not {expected}")
        seen.update(expected)
    listed = subprocess.run([HANDFAST, "judge", "--rules", "--on-wire"], capture_output=True,
                            text=True, check=True).stdout
    looked_at = {line.split()[0] for line in listed.split("left out")[0].splitlines()[1:]}
    rules_json = subprocess.run([HANDFAST, "judge", "--rules", "--json"], capture_output=True,
                                text=True, check=True).stdout.splitlines()
    judged = {rule["rule"] for rule in map(json.loads, rules_json) if rule["judged"]}
    check(judged == seen - {"mss"} and len(rules_json) > 40, f"--rules --json: {judged ^ seen}")
    check(looked_at == seen, f"judged but not tried, or tried but not listed: {looked_at ^ seen}")


def formats():
    """The same fault in every kind of file and link."""
    fault = conversation(PLAIN, [packet(A, FIN | ACK, 1, 1, 10), packet(A, ACK, 11, 1, 10)])
    kinds = {1: bytes(12) + b"\x08\x00", 12: b"", 113: bytes(14) + b"\x08\x00",
             276: b"\x08\x00" + bytes(18), 0: b"\x02\0\0\0"}
    for link, head in kinds.items():
        framed = [(ms, head + octets) for ms, octets in fault]
        for name, octets in (("pcap", pcap(framed, link=link)), ("pcapng", pcapng(framed, link)),
                             ("big-endian pcap", pcap(framed, ">", link)),
                             ("cut off pcap", pcap(framed, link=link, keep=len(head) + 40))):
            check(rules(octets) == ["fin"], f"{name}, link type {link}")
    tags = b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"
    for name, head in (("802.1ad", tags), ("two 802.1Q tags", b"\x81\x00" + tags[2:])):
        check(rules(pcap([(ms, bytes(12) + head + octets) for ms, octets in fault], link=1)) ==
              ["fin"], name)
    for link, head, tagged in ((113, bytes(14), b"\x81\x00\x00\x05\x08\x00"),
                               (113, bytes(14), b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"),
                               (276, b"\x81\x00" + bytes(18), b"\x00\x05\x08\x00")):
        framed = [(ms, head + tagged + octets) for ms, octets in fault]
        check(rules(pcap(framed, link=link)) == ["fin"], f"a VLAN, link type {link}")
        for keep in range(len(head) + len(tagged)):
            check(rules(pcap(framed, link=link, keep=keep)) == [], f"cut in a tag: {link}, {keep}")
    unsegmented = [(ms, octets[:2] + bytes(2) + octets[4:]) for ms, octets in fault]
    for keep in (65535, 40):
        check(rules(pcap(unsegmented, keep=keep)) == ["fin"], f"IPv4 length 0, {keep} octets")
    for resolution in ((0, 1), (3, 10**3), (9, 10**9), (12, 10**12), (15, 10**15), (0x8a, 2**10),
                       (0x9e, 2**30), (0xa0, 2**32), (0xb0, 2**48)):
        for offset in (0, 900, -5) if resolution[1] < 10**15 else (0, 995):
            text = run(pcapng(fault, 101, resolution, offset)).stdout
            time = "1000.00[34]" if resolution[1] > 1 else "1000.000000"
            check(re.match(f"packet 5, {time}", text), f"{resolution}, {offset}: {text}")
    for resolution, offset in (((12, 10**12), 2**63 - 1), ((9, 10**9), -2**63), ((0xff, 1), 1)):
        octets = bytearray(pcapng(fault, 101, (resolution[0], 10**6)))
        octets[56:64] = struct.pack("<q", offset)
        check(rules(bytes(octets)) == ["fin"], f"{resolution}, {offset}")
    text = run(pcap(fault))
    check("packet 5, 1000.004000 s, 10.0.0.1:4000 > 10.0.0.2:80: fin: " in text.stdout and
          "RFC 9293 3.6" in text.stdout, f"the line: {text.stdout}")


def honest():
    """All that a cut capture hides: a scaled window, stamps, SACK, an ACK that was overtaken."""
    segment = functools.partial(packet, wnd=20000)
    syn = mss(1460) + PERMITTED + scale(7)
    text = [segment(A, ACK, 1 + i * 1400, 1, 1400, options=stamp(12 + i, 20)) for i in range(9)]
    holes = stamp(22, 13) + bytes([1, 1]) + sack((ISS[A] + 4201, ISS[A] + 12601))
    what = [*text[:2], *text[3:], segment(B, ACK, 1, 2801, options=stamp(21, 13)),
            segment(B, ACK, 1, 1401, options=stamp(20, 12)),
            segment(B, ACK, 1, 2801, options=holes), segment(B, ACK, 1, 2801, options=holes),
            segment(A, ACK, 2801, 1, 1400, options=stamp(31, 22)),
            segment(B, ACK, 1, 12601, options=stamp(33, 31)),
            segment(A, ACK, 12601, 1, 30000, options=stamp(34, 33)),
            segment(B, ACK, 1, 42601, options=stamp(36, 34))]
    return conversation(opened(syn + stamp(10, 0), syn + stamp(20, 10), wnd=20000), what)


# Rules that need no option; the octets of an IP header and one of TCP are there.
WITHOUT_OPTIONS = {"syn-form", "ack-field", "ecn", "fin", "ack-time", "back-off", "reset-form",
                   "isn"}
BARE = 40


def cut_captures():
    """What is cut off accuses nobody; what is there still does."""
    check(rules(pcap(honest())) == [], "honest, uncut")
    for keep in (10, 23, 33, 39, 40, 44, 48, 52, 60, 64, 72):
        found = rules(pcap(honest(), keep=keep))
        check(found == [], f"honest, cut at {keep}: {found}")
        for number, (rule, options, before, what) in enumerate(CASES, 1):
            found = rules(pcap(conversation(before, what), keep=keep), *options)
            expected = [rule] if rule else []
            check(found in (expected, []), f"case {number} cut at {keep}: found {found}")
            needed = rule in WITHOUT_OPTIONS and keep >= BARE and before is not STAMPS
            check(found or not needed, f"case {number} cut at {keep}: {rule} is not found")


def cut_captures_are_told():
    """How many segments, and what helps."""
    text = run(pcap(honest())).stdout
    check("cut" not in text and "snaplen" not in text, f"nothing is cut: {text}")
    whole = len(honest())
    done = run(pcap(honest(), keep=40))
    check(f"of {whole} TCP segments the options are not all there" in done.stdout and
          "tcpdump -s 128" in done.stdout, f"cut options: {done.stdout}")
    done = run(pcap(honest(), keep=39))
    check(f"of {whole} TCP segments not even the header is there" in done.stdout and
          "tcpdump -s 128" in done.stdout, f"cut headers: {done.stdout}")
    done = run(pcap(PLAIN, keep=43), "--json")  # two SYNs with an option, and an ACK without
    counts = json.loads(done.stdout.splitlines()[-1])
    check([counts.get(name) for name in ("segments", "options_cut", "headers_cut")] == [3, 2, 0],
          f"JSON: {counts}")


def what_is_cut_may_have_been_answered():
    """An ACK answers a segment whose header is not there: IP options make it longer."""
    text = packet(B, ACK, 1, 1, 10)
    longer = b"\x47" + text[1:20] + bytes(8) + text[20:]
    longer = longer[:2] + struct.pack(">H", len(longer)) + longer[4:]
    what = [longer, packet(A, ACK, 1, 1), longer, packet(A, ACK, 1, 1)]
    found = rules(pcap(conversation(PLAIN, what), keep=44))
    check(found == [], f"answers to what is cut: {found}")


def figures():
    """Connections seen from their SYNs on: both, or the only one; and what is one is called one."""
    syn, refusal = PLAIN[0], (1, packet(B, RST | ACK, 0, 1))
    for what, packets, whole in (("a handshake", PLAIN, 1), ("refused", [syn, refusal], 1),
                                 ("no answer", [syn], 1), ("no SYN", PLAIN[2:], 0),
                                 ("no SYN of A", PLAIN[1:], 0),
                                 ("no SYN,ACK of B", [syn, PLAIN[2]], 0),
                                 ("refused, and again", [syn, refusal, syn, refusal,
                                                         (3, packet(A, SYN, 500, 0))], 2)):
        counts = json.loads(run(pcap(packets), "--json").stdout.splitlines()[-1])
        check(counts["whole"] == whole, f"{what}: {counts}")
    text = run(pcap([syn, refusal])).stdout
    check(text.startswith("2 packets, 2 TCP segments of 1 connection, 1 of these from its SYN on; "
                          "0 break a rule\n"), f"refused: {text}")
    text = run(pcap([(0, packet(A, SYN | FIN, 0, 0))])).stdout
    check("1 packet, 1 TCP segment of 1 connection, 1 of these from its SYN on; 1 breaks a rule\n"
          in text, f"one of each: {text}")


def what_is_not_read_is_told():
    """It must not pass for judged: status 2, a line that says why, and all that is there is judged
    and summed up."""
    fault = conversation(PLAIN, [packet(A, FIN | ACK, 1, 1, 10), packet(A, ACK, 11, 1, 10)])
    more = [*fault, (9, packet(A, RST, 11, 0))]
    one_is_usb = pcapng(fault)
    at = 28 + 20  # behind the section's head and the interface: another of them
    one_is_usb = one_is_usb[:at] + block(1, struct.pack("<HHI", 220, 0, 0)) + 2 * block(
        6, struct.pack("<IIIII", 1, 0, 0, 64, 64) + bytes(64)) + one_is_usb[at:]
    simple = pcapng(fault) + block(3, struct.pack("<I", 40) + more[-1][1])
    cut_record = "cut off behind packet 5"
    for what, octets, other, why in (
            ("text cut off", pcap(more)[:-5], 0, "damaged or " + cut_record),
            ("a record's head cut off", pcap(more)[:-50], 0, ": " + cut_record),
            ("a block cut off", pcapng(more)[:-5], 0, "damaged, big-endian, or " + cut_record),
            ("a block's head cut off", pcapng(more)[:-65], 0, ": " + cut_record),
            ("another link type", one_is_usb, 2, ": 2 packets were not read: link type 220 is none "
             "of Ethernet, raw IP, Linux cooked, loopback\n"),
            ("a Simple Packet Block", simple, 1,
             ": 1 packet was not read: a Simple Packet Block has no time\n")):
        done = run(octets, "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        check(done.returncode == 2 and done.stderr.count("\n") == 1 and why in done.stderr and
              [line.get("rule") for line in lines] == ["fin", None] and
              lines[-1]["other"] == other, f"{what}: {done}")
    for octets in (pcap([]), pcapng([]), pcap([(0, bytes(40))] * 3)):
        done = run(octets)
        check(done.returncode == 2 and done.stderr.endswith(": no TCP segment was judged\n"),
              f"no TCP: {done}")
    done = run(pcap([(0, bytes(40))] * 3 + PLAIN))
    check(done.returncode == 0 and "3 packets are no TCP segment that can be read" in done.stdout,
          f"some are none: {done}")
    obsolete = pcapng([]) + b"".join(
        block(2, struct.pack("<HHIIII", 0, 7, 0, ms * 1000, len(octets), len(octets)) + octets)
        for ms, octets in fault)
    check(rules(obsolete) == ["fin"], "Packet Blocks")


def bad_input():
    """A line that names the file, and status 2."""
    whole = pcapng(PLAIN)
    for octets in (b"", b"nothing at all", whole[:-5], pcap(PLAIN)[:-1], pcap(PLAIN, link=147)):
        done = run(octets)
        check(done.returncode == 2 and ".pcap: " in done.stderr and done.stderr.count("\n") == 1,
              f"{octets[:8]}: {done.returncode} {done.stderr}")
    done = subprocess.run([HANDFAST, "judge", tempfile.gettempdir()], capture_output=True,
                          text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    check(done.returncode == 2 and done.stderr.endswith(": cannot be read: Is a directory\n"),
          f"a directory: {done}")
    for arguments in ([], ["a", "b"], ["/nonexistent"], ["--no-such"]):
        done = subprocess.run([HANDFAST, "judge", *arguments], capture_output=True, text=True,
                              check=False)
        check(done.returncode == 2 and done.stderr.count("\n") == 1, f"{arguments}: {done}")


def kernels():
    """Linux on a wire that loses, doubles and reorders.  It does shrink a window, by what it
    promised and has no memory for (SHLD-14: SHOULD NOT); nothing else may be found."""
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/kernels.pcap"
        done = subprocess.run(["unshare", "-Urn", sys.executable, HERE / "helper_lossy.py", path,
                               "1"], capture_output=True, text=True, check=False, timeout=150)
        if done.returncode != 0:
            print(f"without kernels: {done.stderr}")
            return
        found = rules(pathlib.Path(path).read_bytes(), "--on-wire")
        late = {"ack-time", "back-off"}  # the relay, on a busy machine
        check(set(found) <= late | {"window-shrinks"}, f"kernels: {found}")
        for keep in (38, 40, 46, 52, 56, 64):
            found = rules(cut(pathlib.Path(path).read_bytes(), keep))
            check(set(found) <= late | {"window-shrinks"}, f"kernels, cut at {keep}: {found}")


for part in (each_rule, formats, cut_captures, cut_captures_are_told,
             what_is_cut_may_have_been_answered, what_is_not_read_is_told, figures, bad_input,
             kernels):
    part()
for failure in failures:
    print("FAILED:", failure)
sys.exit(bool(failures))
