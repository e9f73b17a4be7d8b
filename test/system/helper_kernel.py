"""The kernel's side of one connection of the matrix: run inside the private network.

    helper_kernel.py SPEC    SPEC: a file of JSON: role (listen, connect, get), family ...
"""

import json
import select
import socket
import struct
import sys

TCP_FASTOPEN, MSG_FASTOPEN, TIME_LIMIT_S = 23, 0x20000000, 20


def set_up(spec):
    for name, value in spec["sysctl"].items():
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as setting:
            setting.write(str(value))


def listen(spec):
    family = socket.AF_INET if spec["family"] == 4 else socket.AF_INET6
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("10.77.0.1" if spec["family"] == 4 else "fd77::1", spec["port"]))
    if spec["fast_open"]:
        server.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    server.listen(8)
    return server


def connect(spec, early):
    """early: octets that may go with the SYN.  Returns the socket and how many of them went."""
    family = socket.AF_INET if spec["family"] == 4 else socket.AF_INET6
    address = ("10.77.0.2" if spec["family"] == 4 else "fd77::2", spec["port"])
    s = socket.socket(family, socket.SOCK_STREAM)
    if spec["fast_open"]:
        return s, s.sendto(early, MSG_FASTOPEN, address)
    s.connect(address)
    return s, 0


def exchange(s, out, sent):
    """Sends out from `sent` on, and the end; receives to the end."""
    got = bytearray()
    s.setblocking(False)
    ended = shut = False
    while not (ended and shut):
        wants = [s] if not shut else []
        readable, writable, _ = select.select([] if ended else [s], wants, [], TIME_LIMIT_S)
        if not readable and not writable:
            raise TimeoutError(f"sent {sent}, received {len(got)}")
        if writable and sent < len(out):
            sent += s.send(out[sent:sent + 65536])
        if not shut and sent == len(out):
            s.shutdown(socket.SHUT_WR)
            shut = True
        if readable:
            data = s.recv(65536)
            got += data
            ended = not data
    return bytes(got)


def get(spec):
    """Asks a web server of Handfast's for so many octets."""
    s, _ = connect(spec, b"")
    answer = exchange(s, b"GET /bytes/%d HTTP/1.0\r\n\r\n" % spec["octets"], 0)
    head, _, body = answer.partition(b"\r\n\r\n")
    return info_of(s) | {"equal": head.startswith(b"HTTP/1.") and len(body) == spec["octets"]}


def info_of(s):
    raw = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    state, _, _, _, _, options, wscale = struct.unpack_from("7B", raw)
    (snd_mss,) = struct.unpack_from("I", raw, 16)
    return {"state": state, "options": options, "snd_wscale": wscale & 15,
            "rcv_wscale": wscale >> 4, "snd_mss": snd_mss}


def carry(spec):
    with open(spec["send"], "rb") as file:
        out = file.read()
    with open(spec["receive"], "rb") as file:
        want = file.read()
    server = listen(spec) if spec["role"] == "listen" else None
    found = []
    for _ in range(spec["connections"]):
        s, sent = (server.accept()[0], 0) if server else connect(spec, out[:400])
        got = exchange(s, out, sent)
        found.append(info_of(s) | {"equal": got == want})
        s.close()
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    set_up(spec)
    found = [get(spec)] if spec["role"] == "get" else carry(spec)
    with open(spec["result"], "w", encoding="utf-8") as file:
        json.dump(found, file)


main()
