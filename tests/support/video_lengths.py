"""Videos whose header declares more than their images: sound that goes on, and frames that an edit list hides."""

import struct
from pathlib import Path

_PACKET_BYTES = 188
_SOUND_PID = 0x123


def triple_declared_length(path: Path) -> Path:
    """Write three times its length into the header of a Matroska, WebM or FLV file, as if its sound went on that long."""
    data = bytearray(path.read_bytes())
    field = b"duration\0" if path.suffix == ".flv" else b"\x44\x89\x88"
    place = data.index(field) + len(field)
    struct.pack_into(">d", data, place, 3 * struct.unpack_from(">d", data, place)[0])
    path.write_bytes(data)
    return path


def show_only(path: Path, start_s: float, length_s: float) -> Path:
    """Write an edit list into an MP4, as trimming on a phone leaves it; all frames stay in the file."""
    data = bytearray(path.read_bytes())
    movie, media = (struct.unpack_from(">I", data, data.index(box) + 16)[0] for box in (b"mvhd", b"mdhd"))
    struct.pack_into(">II", data, data.index(b"elst") + 12, round(movie * length_s), round(media * start_s))
    path.write_bytes(data)
    return path


def add_sound(path: Path, length_s: float) -> Path:
    """Add a stream of sound to a transport stream, ten packets a second."""
    data = bytearray(path.read_bytes())
    for start in range(0, len(data), _PACKET_BYTES):
        if data[start + 5 : start + 7] == b"\x02\xb0":  # the programme map: sound becomes its last entry
            end = start + 8 + data[start + 7]
            section = data[start + 5 : end - 4] + struct.pack(">BHH", 3, 0xE000 | _SOUND_PID, 0xF000)
            section[2] += 5
            data[start + 5 : end + 5] = section + _checksum(section)
    for number in range(round(length_s * 10) + 1):
        data += _sound_packet(number, 126_000 + number * 9000)
    path.write_bytes(data)
    return path


def _sound_packet(number: int, time: int) -> bytes:
    """time: in 90,000ths of a second."""
    stamp = struct.pack(">BHH", 0x21 | time >> 29 & 14, time >> 14 & 0xFFFE | 1, time << 1 & 0xFFFE | 1)
    packet = b"\0\0\1\xc0" + struct.pack(">H", 144) + b"\x80\x80\x05" + stamp + b"\xff\xfd\x14\xc4" + bytes(132)
    padding = _PACKET_BYTES - 5 - len(packet)
    head = struct.pack(">BHBBB", 0x47, 0x4000 | _SOUND_PID, 0x30 | number & 15, padding, 0)
    return head + b"\xff" * (padding - 1) + packet


def _checksum(data: bytes | bytearray) -> bytes:
    """The CRC-32 of MPEG-2."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return struct.pack(">I", value)
