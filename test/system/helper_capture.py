"""Reads what Handfast captured (pcapng) and says what was agreed upon, by the wire alone."""

import struct

ETHERNET, IPV4_RAW, RAW = 1, 228, 101
FIN, SYN, RST, ACK, ECE, CWR = 1, 2, 4, 16, 64, 128
MSS, WSCALE, SACK_OK, SACK, TIMESTAMPS, FAST_OPEN = 2, 3, 4, 5, 8, 34
NAMES = {"mss": MSS, "window_scale": WSCALE, "sack": SACK_OK, "timestamps": TIMESTAMPS}


def frames(path):
    """(link type, octets) of each packet."""
    with open(path, "rb") as file:
        data = file.read()
    links, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8:at + length - 4]
        if kind == 1:
            links.append(struct.unpack_from("<H", body)[0])
        elif kind == 6:
            interface, _, _, kept = struct.unpack_from("<IIII", body)
            yield links[interface], body[20:20 + kept]
        at += length


def options_of(raw):
    found, at = {}, 0
    while at < len(raw) and raw[at] != 0:
        if raw[at] == 1:
            at += 1
            continue
        length = raw[at + 1]
        found[raw[at]] = raw[at + 2:at + length]
        at += length
    return found


def segments(path):
    """Each TCP segment as a dictionary."""
    for link, frame in frames(path):
        if link == ETHERNET:
            if frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                continue
            frame = frame[14:]
        if frame[0] >> 4 == 4:
            header, total = (frame[0] & 15) * 4, struct.unpack_from(">H", frame, 2)[0]
            ecn, protocol, source = frame[1] & 3, frame[9], frame[12:16]
        else:
            header, total = 40, 40 + struct.unpack_from(">H", frame, 4)[0]
            ecn, protocol, source = frame[1] >> 4 & 3, frame[6], frame[8:24]
        if protocol != 6:
            continue
        tcp = frame[header:total]
        offset = (tcp[12] >> 4) * 4
        yield {"ours": source in (bytes([10, 77, 0, 2]), b"\xfd\x77" + bytes(13) + b"\x02"),
               "total": total, "ecn": ecn, "flags": tcp[13], "ae": tcp[12] & 1,
               "ports": tuple(sorted(struct.unpack_from(">HH", tcp))),
               "window": struct.unpack_from(">H", tcp, 14)[0],
               "seq": struct.unpack_from(">I", tcp, 4)[0],
               "ack": struct.unpack_from(">I", tcp, 8)[0], "text": len(tcp) - offset,
               "options": options_of(tcp[20:offset])}


def connections(path):
    """The segments of each connection, in order of its first."""
    found = {}
    for segment in segments(path):
        found.setdefault(segment["ports"], []).append(segment)
    return list(found.values())
