#!/usr/bin/env python3
"""Plays packetdrill's scripts against the adapter, each in its variants, two at a time.

    test/packetdrill/run.py [--list FILE]... [--variant V]... [-v] [SCRIPT ...]

HF_PACKETDRILL          the packetdrill binary
HF_PACKETDRILL_SCRIPTS  the folder that the names in must.txt and should.txt count from
HF_PACKETDRILL_ADAPTER  the shared object (default: build/release/packetdrill/...)

Exit status: 0 all that must pass has passed, 1 not, 77 skipped: packetdrill is not here.
Needs root in a network namespace of its own: `unshare -Urn` where root is not at hand.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIMIT_S = 60
V4 = ["--local_ip=192.168.0.1", "--gateway_ip=192.168.0.1", "--netmask_ip=255.255.0.0",
      "--remote_ip=192.0.2.1", "-D", "TFO_COOKIE=3021b9d889017eeb", "-D", "CODE=host_unreachable"]
VARIANTS = {
    "ipv4": ["--ip_version=ipv4", *V4,
             "-D", "CMSG_LEVEL_IP=SOL_IP", "-D", "CMSG_TYPE_RECVERR=IP_RECVERR"],
    "ipv4-mapped-v6": ["--ip_version=ipv4-mapped-ipv6", *V4,
                       "-D", "CMSG_LEVEL_IP=SOL_IPV6", "-D", "CMSG_TYPE_RECVERR=IPV6_RECVERR"],
    "ipv6": ["--ip_version=ipv6", "--mtu=1520", "--local_ip=fd3d:0a0b:17d6::1",
             "--gateway_ip=fd3d:0a0b:17d6:8888::1", "--remote_ip=fd3d:fa7b:d17d::1",
             "-D", "TFO_COOKIE=c1d1e9742a47a9bc",
             "-D", "CMSG_LEVEL_IP=SOL_IPV6", "-D", "CMSG_TYPE_RECVERR=IPV6_RECVERR"],
}
FLAGS = "mtu4=1500,mtu6=1520,local=192.168.0.1,local6=fd3d:0a0b:17d6::1"
# Scripts look for the device that packetdrill makes when it tests a kernel; here it stays idle.
# /tmp is its own, since scripts keep the sysctls to restore there; packetdrill locks its memory.
PREPARE = ("set -e; mount --make-rprivate /; mount -t sysfs sysfs /sys 2>/dev/null || true; "
           "ip link set lo up; ip tuntap add dev tun0 mode tun; ip link set tun0 up; "
           "ulimit -l unlimited 2>/dev/null || true; exec \"$@\"")


def read(path):
    with open(path, encoding="utf-8") as script:
        return script.read()


def own_options(path):
    """The addresses (its cookies depend on them) and the MTU that a script names itself."""
    return re.findall(r"^--(?:local_ip|remote_ip|mtu)=\S+", read(path), re.M)


def variants_of(path, wanted):
    """As google's run_all.py picks them: names that end in v4 or v6 are for one family; so are
    scripts with addresses of their own, and those with messages that IPv6 does not have."""
    own = [o for o in own_options(path) if "_ip=" in o]
    four_only = "unreachable frag_needed" in read(path)
    for name in VARIANTS:
        four = name != "ipv6"
        other = "v6.pkt" if four else "v4.pkt"
        if (wanted and name not in wanted) or path.endswith(other) or \
                (four_only and not four) or any((":" in address) == four for address in own):
            continue
        yield name


def options_of(path, variant):
    """What a script says of its addresses goes before what the variant says."""
    names = [option.split("=")[0] for option in own_options(path)]
    return [o for o in VARIANTS[variant] if o.split("=")[0] not in names]


def flags_of(path):
    """What IPv6 announces as `mss 1440` comes from an MTU of 1500."""
    mtu = [option for option in own_options(path) if option.startswith("--mtu=")]
    if mtu:
        return FLAGS + "," + mtu[0].lstrip("-")
    return FLAGS + (",mtu6=1500" if "mss 1440" in read(path) else "")


def play(job):
    """One script in one variant: (passed, first line of the error)."""
    paths, script, variant, verbose = job
    path = os.path.join(paths["scripts"], script)
    folder, name = os.path.split(path)
    command = ["unshare", "--net", "--mount", "bash", "-c", PREPARE, "packetdrill",
               "env", "LD_PRELOAD=" + paths["adapter"],
               paths["packetdrill"], "--send_omit_free", *options_of(path, variant),
               "--so_filename=" + paths["adapter"], "--so_flags=" + flags_of(path), name]
    if verbose:
        command.insert(-1, "-v")
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return False, f"no end within {LIMIT_S} s", ""
        out.seek(0)
        text = out.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    error = next((line for line in lines if re.match(r"^\S+\.pkt:\d+: |^\S+\.pkt: ", line)),
                 lines[-1] if lines else f"exit status {status}")
    return status == 0, "" if status == 0 else error, text


def names_in(path):
    with open(path, encoding="utf-8") as lines:
        return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def find_paths():
    paths = {"packetdrill": os.environ.get("HF_PACKETDRILL", ""),
             "scripts": os.environ.get("HF_PACKETDRILL_SCRIPTS", ""),
             "adapter": os.environ.get("HF_PACKETDRILL_ADAPTER", os.path.join(
                 ROOT, "build/release/packetdrill/packetdrill-adapter.so"))}
    if not os.access(paths["packetdrill"], os.X_OK):
        skip("HF_PACKETDRILL names no packetdrill binary")
    if not os.path.isdir(paths["scripts"]):
        skip("HF_PACKETDRILL_SCRIPTS names no folder of scripts")
    if not os.path.exists(paths["adapter"]):
        skip("no adapter: make packetdrill-adapter")
    if subprocess.run(["unshare", "--net", "--mount", "true"], check=False).returncode:
        skip("no network namespaces here: try as root, or under unshare -Ur")
    return {name: os.path.abspath(path) for name, path in paths.items()}


def chosen(args):
    """Scripts by the list they are in."""
    if args.scripts:
        return {"named": args.scripts}
    files = args.list or [os.path.join(HERE, "must.txt"), os.path.join(HERE, "should.txt")]
    return {os.path.splitext(os.path.basename(f))[0]: names_in(f) for f in files}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("scripts", nargs="*", help="names below HF_PACKETDRILL_SCRIPTS")
    parser.add_argument("--list", action="append", help="a file of names; default: both lists")
    parser.add_argument("--variant", action="append", choices=list(VARIANTS))
    parser.add_argument("-j", type=int, default=2, help="at one time")
    parser.add_argument("-v", action="store_true", help="what packetdrill says, of each failure")
    args = parser.parse_args()
    paths = find_paths()
    lists = chosen(args)
    jobs = [(paths, script, variant, args.v) for scripts in lists.values() for script in scripts
            for variant in variants_of(os.path.join(paths["scripts"], script), args.variant)]
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        results = dict(zip([job[1:3] for job in jobs], pool.map(play, jobs)))
    whole = {}
    for (script, variant), (passed, error, text) in results.items():
        whole[script] = whole.get(script, True) and passed
        if not passed:
            print(f"FAIL  {script} [{variant}]\n      {error}")
            if args.v:
                print("\n".join("      | " + line for line in text.splitlines()))
    for name, scripts in lists.items():
        good = sum(whole.get(script, False) for script in scripts)
        print(f"{name:8} {good} of {len(scripts)} scripts pass in all their variants")
    good = sum(passed for passed, _, _ in results.values())
    print(f"{good} of {len(results)} runs pass")
    must = lists.get("must", lists.get("named", []))
    sys.exit(0 if all(whole.get(script, False) for script in must) else 1)


if __name__ == "__main__":
    main()
