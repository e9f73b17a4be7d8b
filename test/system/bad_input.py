#!/usr/bin/env python3
"""Every option and argument of every command tried wrong: one clear line, a non-zero status.

ctest: timeout=120
"""

import os
import re
import subprocess
import sys
import tempfile

HANDFAST = os.environ["HF_HANDFAST"]
TUN = ["--tun", "hf9", "--address", "10.9.9.2/24"]
PRIVATE = ["--private", "--", "true"]
NAMES = ["", "a/b", "a b", "sixteen-letters-", "a:b", "hf%d"]
PORTS = ["0", "65536", "-1", "1.5", "", "12x", "99999999999999999999"]
SECONDS = ["0", "-1", "x", "", "1e9", "nan", "5x"]
ADDRESSES = ["10.0.0", "10.0.0.256", "fd00:::1", "host", ""]
NETWORKS = ["10.0.0.2", "10.0.0.2/", "10.0.0.2/33", "10.0.0.2/0", "fd00::2/129", "/24",
            "10.0.0.2/x", "x/24", "10.0.0.2/24/24", "1" * 60 + "/24"]
FILES = ["", "-"]
SETTINGS = ["", "timestamps", "=1", "no_such=1", "timestamps=2", "ttl=256", "rto_min_ms=0",
            "ack_delay_ms=501", "nodelay=maybe", "msl_ms=x", "max_segment=65536",
            "keepalive_count=500", "tos=256", "receive_window_option=-5", "rto_min_ms=5,000"]
MTUS = ["575", "65536", "x", ""]

# (arguments, exit status, what the line must name)
CASES = [
    ([], 2, "--help"),
    (["no-such-command"], 2, "no-such-command"),
    (["--no-such-option"], 2, "--no-such-option"),
    (["version", "x"], 2, "x"),
    (["version", "--x"], 2, "--x"),
    (["bench", "no-such-figure"], 2, "no-such-figure"),
    (["bench", "--rounds", "0"], 2, "--rounds"),
    (["bench", "--rounds", "100"], 2, "--rounds"),
    (["bench", "--no-such"], 2, "--no-such"),
    (["sim", "--seed", "18446744073709551615", "--seeds", "3"], 2, "only 1"),
    (["sim", "--seeds", "0"], 2, "--seeds"),
    (["sim", "--seed", "18446744073709551616"], 2, "--seed"),
    (["sim", "--seed"], 2, "--seed"),
    (["sim", "-s", "1"], 2, "-s"),
    (["sim", "--replay", "5", "--seeds", "3"], 2, "--replay"),
    (["sim", "--seed", "5", "--replay", "6"], 2, "--replay"),
    (["bench", "--rounds"], 2, "--rounds"),
    (["bench", "-r", "1"], 2, "-r"),
    (["explore", "--listen", "2,0"], 2, "from 0 to 1"),
    (["explore", "--opens", "4,0"], 2, "from 0 to 3"),
    (["conformance", "no-such-row"], 2, "no-such-row"),
    (["conformance", "MUST-10", "no-such-row"], 2, "no-such-row"),
    (["judge", ""], 2, "FILE"),
    (["judge", "--rules", "/no/such/file"], 2, "/no/such/file"),
    (["judge"], 2, "FILE"),
    (["judge", "a", "b"], 2, "b"),
    (["judge", "/no/such/file"], 2, "/no/such/file"),
    (["judge", "--no-such"], 2, "--no-such"),
    (["demo", "x"], 2, "x"),
    (["demo", "--x"], 2, "--x"),
    (["demo", "-x"], 2, "-x"),
    (["demo", "-o"], 2, "-o"),
    (["demo", "--output"], 2, "-o"),
    (["demo", "-o", ""], 2, "directory"),
    (["demo", "-o", "x" * 481], 2, "too long"),
    (["demo", "-o", "/no/such/directory"], 1, "/no/such/directory"),
    (["demo", "-o", "/dev/null"], 1, "no directory"),
    (["demo", "--tun", "--veth"], 2, "exclude"),
    (["demo", "--tun=1"], 2, "--tun=1"),
    (["demo", "--megabytes"], 2, "megabytes"),
] + [(["demo", "--megabytes", n], 2, "megabytes") for n in ["0", "1001", "-1", "x", "", "1.5"]]


def both(command, arguments):
    """Cases that `listen` and `connect` share; arguments: what is right for the command."""
    cases = [
        ([], 2, "--tun"),
        (TUN + PRIVATE, 2, "one network"),
        (["--tun", "a", "--tap", "b", "--address", "10.0.0.2/24"], 2, "one network"),
        (["--tun", "hf9"], 2, "--address"),
        (["--tap", "hf9"], 2, "--address"),
        (["--interface", "hf9"], 2, "--address"),
        (["--xdp", "hf9"], 2, "--address"),
        (["--interface", "a", "--xdp", "a", "--address", "10.0.0.2/24"], 2, "one network"),
        (["--private"], 2, "--private"),
        (["--private", "--"], 2, "--private"),
        (["--address", "10.0.0.2/24"] + PRIVATE, 2, "--address"),
        (["--gateway", "10.0.0.1"] + PRIVATE, 2, "--gateway"),
        (TUN + ["--", "true"], 2, "--private"),
        (TUN + ["--gateway", "10.9.9.1", "--gateway", "10.9.9.3"], 2, "--gateway"),
        (TUN + ["--gateway", "10.9.9.2"], 2, "our own"),
        (TUN + ["--address", "fd00::2/64", "--gateway", "fd00:0::2"], 2, "our own"),
        (TUN + ["--address", "10.0.0.3/24"] * 8, 2, "--address"),
        (TUN + ["-4", "-6"], 2, "-4 and -6"),
        (TUN + ["-4", "-s", "fd00::2"], 2, "IPv4"),
        (TUN + ["-6", "-s", "10.9.9.2"], 2, "IPv6"),
        (TUN + ["--nonsense"], 2, "--nonsense"),
        (TUN + ["--mtu", "1500"], 2, "--mtu"),
        (TUN + ["-Z"], 2, "-Z"),
        (TUN + ["--verbose=yes"], 2, "--verbose"),
        (["--interface", "no-such-if", "--address", "10.9.9.2/24"], 1, "no-such-if"),
        (["--xdp", "no-such-if", "--address", "10.9.9.2/24"], 1, "no-such-if"),
        (["--pcap", "/no/such/dir/x"] + PRIVATE, 1, "/no/such/dir/x"),
        (["--private", "--", "no-such-program"], 1, "no-such-program"),
    ]
    wants_value = {"-s": ADDRESSES, "-p": PORTS, "-w": SECONDS, "--source": ADDRESSES,
                   "--port": PORTS, "--wait": SECONDS, "--tun": NAMES, "--tap": NAMES,
                   "--interface": NAMES, "--xdp": NAMES, "--address": NETWORKS,
                   "--gateway": ADDRESSES, "--svg": FILES, "--pcap": FILES, "--set": SETTINGS,
                   "--mtu": MTUS}
    for option, values in wants_value.items():
        cases.append(([option], 2, option.lstrip("-")[0]))
        for value in values:
            cases.append(([option, value] + PRIVATE, 2, option.lstrip("-")[0]))
    for options, status, names in cases:
        rest = options[options.index("--"):] if "--" in options else []
        ours = options[:options.index("--")] if "--" in options else options
        if ours and ours[-1] in wants_value:
            yield [command] + arguments + ours + rest, status, names
        else:
            yield [command] + ours + arguments + rest, status, names


CASES += both("listen", ["9999"])
CASES += both("connect", ["10.9.9.1", "9999"])
CASES += [
    (["listen"] + TUN, 2, "port"),
    (["listen", "80", "81"] + TUN, 2, "81"),
    (["listen", "80", "-p", "81"] + TUN, 2, "twice"),
    (["listen", "-s", "fd77::9", "80"] + PRIVATE, 2, "-s: fd77::9"),
    (["listen", "--set", "fast_open_option=on", "-s", "224.0.0.1", "80"] + PRIVATE, 2,
     "-s: 224.0.0.1"),
    (["listen", "-s", "10.77.0.9", "80"] + PRIVATE, 2, "-s: 10.77.0.9"),
    (["listen", "80"] + PRIVATE, 1, "before it connected"),
    (["listen", "--set", "max_segment=1", "80"] + PRIVATE, 2, "max_segment=1"),
    (["connect", "--set", "max_segment=1", "10.77.0.1", "80"] + PRIVATE, 2, "max_segment=1"),
    (["listen", "-w", "0.2", "80", "--private", "--", "sleep", "9"], 1, "0.2 seconds"),
    (["connect"] + TUN, 2, "HOST PORT"),
    (["connect", "10.9.9.1"] + TUN, 2, "HOST PORT"),
    (["connect", "", "80"] + TUN, 2, "HOST PORT"),
    (["connect", "10.9.9.1", "80", "81"] + TUN, 2, "81"),
    (["connect", "--keep", "10.9.9.1", "80"] + TUN, 2, "--keep"),
    (["connect", "10.77.0.1.5", "80"] + PRIVATE, 1, "10.77.0.1.5"),
    (["connect", "-6", "10.77.0.1", "80"] + PRIVATE, 2, "is no IPv6 address, as -6"),
    (["connect", "10.77.0.1", "--private", "--", "true"], 2, "to which port of 10.77.0.1"),
    (["connect", "--t", "x", "10.77.0.1", "80"], 2, "'--t' is the beginning of several"),
    (["listen", "--tun", ".", "--address", "10.9.9.2/24", "80"], 2, "'.' cannot be"),
    (["help", "listen"], 2, "'listen' is one argument too many"),
    (["connect", "-s", "10.77.0.9", "10.77.0.1", "80"] + PRIVATE, 2,
     "-s: 10.77.0.9: not an address"),
    (["connect", "-s", "fd77::2", "10.77.0.1", "80"] + PRIVATE, 2, "two versions of IP"),
    (["connect", "192.0.2.1", "80"] + PRIVATE, 1, "unreachable"),
]

for port in PORTS + ["no-such-service"]:
    if not port.startswith("-"):
        CASES += [(["listen", port] + PRIVATE, 2, f"'{port}'"),
                  (["connect", "10.77.0.1", port] + PRIVATE, 2, f"'{port}'")]
for host in ["0.0.0.0", "10.77.0.255", "224.0.0.1", "ff02::1"]:
    for fast in [[], ["--set", "fast_open_option=on"]]:
        CASES += [(["connect"] + fast + [host, "80"] + PRIVATE, 2, "not the address of one host")]


def network_is_here():
    """Without namespaces the cases that reach the network say so instead."""
    probe = subprocess.run([HANDFAST, "listen", "-w", "5", "9"] + PRIVATE, capture_output=True,
                           text=True, stdin=subprocess.DEVNULL, check=False)
    return "before it connected" in probe.stderr


def check(arguments, status, names, directory):
    """A sentence on what is wrong, or None."""
    run = subprocess.run([HANDFAST] + arguments, capture_output=True, text=True, timeout=30,
                         stdin=subprocess.DEVNULL, cwd=directory, check=False)
    lines = run.stderr.splitlines()
    if run.returncode != status:
        return f"status {run.returncode}, not {status}: {run.stderr!r}"
    if len(lines) != 1 or not re.match(r"handfast( [a-z]+)?: ", lines[0]):
        return f"not one clear line: {run.stderr!r}"
    if names not in lines[0]:
        return f"the line does not name {names!r}: {lines[0]!r}"
    if run.stdout:
        return f"something on standard output: {run.stdout!r}"
    return None


def check_help(command):
    run = subprocess.run([HANDFAST] + command + ["--help"], capture_output=True, text=True,
                         timeout=30, check=False)
    if run.returncode != 0 or run.stderr or not run.stdout.startswith(("usage", "handfast")):
        return f"--help: status {run.returncode}, {run.stderr!r}"
    return None


def main():
    with_network = network_is_here()
    wrong = 0
    tried = 0
    with tempfile.TemporaryDirectory() as directory:
        for arguments, status, names in CASES:
            late = names in ("not the address of one host", "two versions of IP")
            if "--private" in arguments and (status == 1 or late) and not with_network:
                continue
            tried += 1
            said = check(arguments, status, names, directory)
            if said:
                wrong += 1
                print("handfast " + " ".join(repr(a) for a in arguments) + "\n    " + said)
        left = os.listdir(directory)
        if left:
            wrong += 1
            print(f"files were left behind: {left}")
    for command in [[], ["demo"], ["listen"], ["connect"], ["version"]]:
        said = check_help(command)
        if said:
            wrong += 1
            print(f"handfast {command}: {said}")
    for command, value in ("connect", "on"), ("listen", "off"):
        listed = subprocess.run([HANDFAST, command, "--set", "help"], capture_output=True,
                                text=True, check=True).stdout
        ours = re.search(rf"^syn_soft_abort={value} ", listed, re.M)
        if not ours or "HF_MTU" in listed:
            wrong += 1
            print(f"{command} --set help: other values than its own: {listed}")
    print(f"{tried} wrong calls, {wrong} not answered as they should be")
    sys.exit(1 if wrong else 0)


main()
