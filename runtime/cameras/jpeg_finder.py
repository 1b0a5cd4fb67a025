"""JPEGs in a stream of bytes, found by their own markers: what stands between them differs from camera to camera."""

import re
import struct

_START = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""Pixels hold only FF 00 and FF D0 to FF D7."""
_START_OF_IMAGE, _END_OF_IMAGE, _WITHOUT_LENGTH = 0xD8, 0xD9, 0x01
_MAX_BYTES = 64 << 20


class JpegFinder:
    """Give it the bytes as they come, and take whole JPEGs out. Bytes between them and JPEGs without an end are dropped."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._position = 0
        """Up to where the JPEG at the start of `_data` is known; 0 if there is none."""

    def feed(self, data: bytes) -> None:
        if len(self._data) > _MAX_BYTES:
            self._drop(len(self._data))
        self._data += data

    def take(self) -> bytes | None:
        """The next JPEG; None until more bytes come."""
        while self._position or self._find_start():
            marker = _MARKER.search(self._data, self._position)
            if not marker:
                self._position = max(self._position, len(self._data) - 1)
                return None
            code = self._data[marker.end() - 1]
            if code == _END_OF_IMAGE:
                jpeg = bytes(self._data[: marker.end()])
                self._drop(marker.end())
                return jpeg
            if code == _START_OF_IMAGE:  # the JPEG before it was cut off
                self._drop(marker.start())
            elif not self._skip_segment(code, marker.start()):
                return None
        return None

    def _find_start(self) -> bool:
        start = self._data.find(_START)
        self._drop(start if start >= 0 else len(self._data) - len(_START) + 1)
        self._position = 2 if start >= 0 else 0
        return start >= 0

    def _skip_segment(self, code: int, start: int) -> bool:
        """Go behind a segment, which may hold a thumbnail with markers of its own; False until its length is there."""
        if code == _WITHOUT_LENGTH:
            self._position = start + 2
            return True
        if len(self._data) < start + 4:
            self._position = start
            return False
        (length,) = struct.unpack_from(">H", self._data, start + 2)
        self._position = start + 2 + max(2, length)
        return True

    def _drop(self, count: int) -> None:
        del self._data[: max(0, count)]
        self._position = 0
