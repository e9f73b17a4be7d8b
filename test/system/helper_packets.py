"""Packets of a conversation between A and B, and the capture files that hold them."""

import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
A, B = 0, 1  # who opens, who listens; their numbers begin with 1000 and 5000
ISS = (1000, 5000)
PERMITTED = b"\x04\x02"
JOIN, DSS = b"\x1e\x0c\x01\x81" + bytes(8), b"\x1e\x08\x20\x01" + bytes(4)  # of MPTCP


def mss(n):
    return struct.pack(">BBH", 2, 4, n)


def scale(n):
    return bytes([3, 3, n])


def stamp(value, echo):
    return struct.pack(">BBII", 8, 10, value, echo)


def sack(*blocks):
    return bytes([5, 2 + 8 * len(blocks)]) + b"".join(struct.pack(">II", *b) for b in blocks)


def packet(who, ctl, seq, ack, text=0, wnd=1000, options=b"", tos=0, ttl=64):
    """An IPv4 packet from A or B; seq and ack count from the two ISS."""
    options += bytes([1] * (-len(options) % 4))
    header = struct.pack(">HHIIBBHHH", *((4000, 80) if who == A else (80, 4000)),
                         (ISS[who] + seq) % 2**32, (ISS[1 - who] + ack) % 2**32 if ctl & ACK else 0,
                         (20 + len(options)) << 2, ctl, wnd, 0, 0)
    ips = (b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
    return ipv4(ips[who], ips[1 - who], 6, header + options + bytes(text), tos, ttl)


def ipv4(src, dst, protocol, what, tos=0, ttl=64):
    ip = struct.pack(">BBHHHBBH", 0x45, tos, 20 + len(what), 1, 0x4000, ttl, protocol, 0)
    ip += src + dst
    total = sum(struct.unpack(">10H", ip))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ip[:10] + struct.pack(">H", ~total & 0xFFFF) + ip[12:] + what


def unreachable(octets):
    """The ICMP error of a router on the way."""
    error = struct.pack(">BBHI", 3, 1, 0, 0) + octets[:28]
    return ipv4(b"\x0a\x00\x00\x09", octets[12:16], 1, error)


def pcap(packets, order="<", link=101, keep=65535):
    out = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for ms, octets in packets:
        out += struct.pack(order + "IIII", 1000 + ms // 1000, ms % 1000 * 1000,
                           min(len(octets), keep), len(octets)) + octets[:keep]
    return out


def cut(octets, keep):
    """A pcap file, as a smaller snaplen would have had it."""
    out, at = octets[:24], 24
    while at < len(octets):
        time, part, caplen, whole = struct.unpack_from("<IIII", octets, at)
        kept = min(caplen, keep)
        out += struct.pack("<IIII", time, part, kept, whole) + octets[at + 16:at + 16 + kept]
        at += 16 + caplen
    return out


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def pcapng(packets, link=101, resolution=None, offset=0):
    """resolution: the octet of if_tsresol, and units in a second; offset: of if_tsoffset."""
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    octet, units = resolution or (6, 10**6)
    options = struct.pack("<HHB3xHHq", 9, 1, octet, 14, 8, offset) if resolution else b""
    out += block(1, struct.pack("<HHI", link, 0, 0) + options)
    for ms, octets in packets:
        time = ((1000000 - offset * 1000 + ms) * units + 500) // 1000
        out += block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(octets),
                                    len(octets)) + octets)
    return out
