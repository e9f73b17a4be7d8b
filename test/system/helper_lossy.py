"""Two kernels and a bad wire: run inside a private network, writes what passes as a pcap file.

    helper_lossy.py FILE SEED    one end here, the other in a namespace of its own, a TUN device
                                 each; between them packets are lost, doubled and overtaken
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time

CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x40000000, 0x400454CA, 1, 0x1000
LOSS, TWICE, LATE, DELAY_S, OCTETS, CONNECTIONS = 0.02, 0.01, 0.03, 0.004, 300_000, 6


def tun(name, own):
    """A TUN device of this namespace, with addresses."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv4/tcp_ecn", "w",
                                            encoding="ascii") as setting:
        setting.write("1")
    for command in (f"addr add 10.5.0.{own}/24 dev {name}",
                    f"addr add fd05::{own}/64 dev {name} nodad",
                    f"link set {name} up", "link set lo up"):
        subprocess.run(["ip", *command.split()], check=True)
    return fd


def serve():
    """Gives each client what it asked for, and takes what it sends."""
    server = socket.create_server(("::", 8000), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        client, _ = server.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()


def answer(client):
    with client:
        wanted = int(client.makefile("rb").readline())
        with contextlib.suppress(ConnectionResetError):
            client.sendall(bytes(wanted))
            while client.recv(65536):
                pass


def other_end(own_socket):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        os._exit(77)
    fd = tun("tb", 2)
    socket.send_fds(own_socket, [b"x"], [fd])
    serve()


def relay(ends, path, rng):
    """Carries packets between the two TUN devices, and writes each that comes out."""
    waiting, order = [], 0
    with open(path, "wb", buffering=0) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        while True:
            patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
            for fd in select.select(ends, [], [], patience)[0]:
                packet = os.read(fd, 65535)
                now = time.time()
                file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(packet),
                                       len(packet)) + packet)
                for _ in range(2 if rng.random() < TWICE else 1):
                    if rng.random() >= LOSS:
                        late = 3 * DELAY_S if rng.random() < LATE else 0
                        order += 1
                        heapq.heappush(waiting, (time.monotonic() + DELAY_S + late, order,
                                                 ends[1 - ends.index(fd)], packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, fd, packet = heapq.heappop(waiting)
                os.write(fd, packet)


def talk(address, pause_s):
    """A request with text of its own, an answer that nobody reads at first, an orderly close."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        s.settimeout(40)
        s.connect((address, 8000))
        s.sendall(b"%d\n" % OCTETS)
        time.sleep(pause_s)
        got = 0
        while got < OCTETS:
            got += len(s.recv(65536))
        s.sendall(bytes(OCTETS))


def main():
    path, seed = sys.argv[1], int(sys.argv[2])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        other_end(theirs)
    here = tun("ta", 1)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    if not fds:
        return 77
    threading.Thread(target=relay, args=([here, fds[0]], path, random.Random(seed)),
                     daemon=True).start()
    time.sleep(0.3)
    for i in range(CONNECTIONS):
        talk("10.5.0.2" if i % 2 == 0 else "fd05::2", 1 if i == 0 else 0)
    with socket.create_connection(("fd05::2", 8000), timeout=40) as s:
        s.sendall(b"%d\n" % OCTETS)
        s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    try:
        socket.create_connection(("10.5.0.2", 8001), timeout=5)
    except OSError:
        pass  # refused: a reset in the capture
    time.sleep(1)
    os.kill(child, 9)
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())
