"""Which images a journal holds, in little memory: a million take about 140 MB."""

from hashlib import blake2b

from edgeclf.runtime.images.frame import Frame

Key = bytes
"""16 bytes that stand for an image: a hash of its source and its path in it. Two are the same once in 10**20 runs of a
billion images."""


def key_of(source: int, path: str) -> Key:
    """The same on every machine, for any name."""
    return blake2b(f"{source}/{path}".encode("utf-8", "surrogateescape"), digest_size=16).digest()


_FAILED, _DONE = 1, 2
_UNKNOWN = hash((-1, -1))
"""Of a file in a store of which nothing was asked but its bytes: its answer stands, for nothing says that it has changed."""
_NEVER = 1 << 62


class Index:
    """done, failed: images with a row, and how many of them have no answer. lines: rows that were written for them.

    moving: images with an answer are moved away, so another file of that name is another image: both keep their rows.
    """

    def __init__(self, retry_failed: bool = False, moving: bool = False) -> None:
        self.done = self.failed = self.lines = 0
        self._retry_failed = retry_failed
        self._moving = moving
        self._states: dict[Key, int] = {}  # a hash of the file as it was, then the bits _DONE and _FAILED
        self._again: set[Key] = set()  # whose next row takes the place of those before it
        self._tried_again: set[Key] = set()
        self._counting: dict[Key, int] = {}  # of images with several lines, the first line that counts

    def claim(self, frame: Frame) -> bool:
        """Whether the frame has no row yet, or one of an older file, or one that is to be tried again. Once for each."""
        key, file = key_of(frame.source, frame.path), hash((frame.size_bytes, frame.mtime_ns))
        known = self._states.get(key)
        if known is not None:
            settled = known >> 2 == file and not (known & _FAILED and self._retry_failed)
            settled = settled or (known >> 2 == _UNKNOWN and not known & _FAILED)
            gone = frame.size_bytes < 0 and not known & _FAILED  # moved, say: it has its answer
            if settled or gone or not known & _DONE:
                return False
            if known & _FAILED:
                self._tried_again.add(key)
            if not self._stays(known):
                self.forget(key)
        self._states[key] = file << 2
        return True

    def add(self, source: int, path: str, size_bytes: int, mtime_ns: int, *, failed: bool) -> None:
        """One more line for this image, and from now on the one that counts."""
        key = key_of(source, path)
        known = self._states.get(key, 0)
        if key in self._again or (known & _DONE and not self._stays(known)):
            self.forget(key)
            self._again.discard(key)
            self._counting[key] = self.lines
        self._states[key] = hash((size_bytes, mtime_ns)) << 2 | _DONE | failed
        self.lines += 1
        self.done += 1
        self.failed += failed

    def forget(self, key: Key) -> None:
        """The image is to get another row; the one that it has stays until then."""
        state = self._states.pop(key, 0)
        if state & _DONE:
            self.done -= 1
            self.failed -= state & _FAILED
            self._again.add(key)

    def _stays(self, state: int) -> bool:
        """Whether the row of an image stays when its name has another file."""
        return self._moving and not state & _FAILED

    def drop(self, key: Key) -> None:
        """The image has no row any more."""
        self.forget(key)
        self._counting[key] = _NEVER

    def unmet(self) -> set[Key]:
        """Images without an answer that were not claimed again."""
        failed = _DONE | _FAILED
        return {key for key, state in self._states.items() if state & failed == failed and key not in self._tried_again}

    def counts(self, key: Key, line: int) -> bool:
        """Whether this line for an image still counts."""
        return line >= self._counting.get(key, 0)

    @property
    def repeated(self) -> bool:
        """Whether any image has several lines."""
        return bool(self._counting)
