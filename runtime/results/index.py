"""Which images have rows already, in little memory: a million images take about 140 MB."""

from collections.abc import Callable
from hashlib import blake2b

from edgeclf.runtime.images.frame import Frame

ImageKey = bytes
"""16 bytes that identify an image: a hash of its source and of its path there. Among a billion images, the chance that any
two share a key is below 1 in 10**20."""


def image_key(source: int, path: str) -> ImageKey:
    """The same on every machine, for any name."""
    return blake2b(f"{source}/{path}".encode("utf-8", "surrogateescape"), digest_size=16).digest()


_UNKNOWN_FILE = hash((-1, -1))
"""For a file in a store that was read without asking for its size and time. Nothing says that it has changed, so its answer
stands."""
_NEVER = 1 << 62


class Index:
    """done: images with a row. failed: how many of them have no answer. lines: rows written, including outdated ones.

    retry_failed: images without an answer get another row. moves_files: classified images are moved away, so another file
    of the same name is another image, and both keep their rows.
    """

    def __init__(self, retry_failed: bool = False, moves_files: bool = False) -> None:
        self.done = self.lines = 0
        self._retry_failed = retry_failed
        self._moves_files = moves_files
        self._files: dict[ImageKey, int] = {}  # for images with a row: a hash of the file's size and time
        self._failed: set[ImageKey] = set()  # those of them without an answer
        self._claimed: set[ImageKey] = set()  # given out by `claim`, and without a row yet
        self._tried_now: set[ImageKey] = set()  # failed ones that some source still has
        self._to_replace: set[ImageKey] = set()  # the next row replaces all earlier ones
        self._first_valid_line: dict[ImageKey, int] = {}  # only for images some of whose lines are outdated

    @property
    def failed(self) -> int:
        return len(self._failed)

    def claim(self, frame: Frame, is_complete: Callable[[Frame], bool] = lambda _: True) -> bool:
        """Whether the frame needs a row: it has none, its file has changed, or it is to be retried. True once per image.

        is_complete: whether all is there that was made with the row of an image that has an answer.
        """
        key = image_key(frame.source, frame.path)
        if key in self._claimed:
            return False
        if key in self._files:
            if self._is_settled(key, frame) and (self._stays_as_it_is(key, frame) or is_complete(frame)):
                return False
            if key in self._failed:
                self._tried_now.add(key)
            if self._keeps_row(key):
                del self._files[key]
            else:
                self.expect_new_row(key)
        self._claimed.add(key)
        return True

    def add(self, source: int, path: str, size_bytes: int, mtime_ns: int, *, failed: bool) -> None:
        """Count one more line for this image; from now on, this line is the valid one."""
        key = image_key(source, path)
        if key in self._to_replace or (key in self._files and not self._keeps_row(key)):
            self.expect_new_row(key)
            self._to_replace.discard(key)
            self._first_valid_line[key] = self.lines
        self._files[key] = hash((size_bytes, mtime_ns))
        if failed:
            self._failed.add(key)
        if failed and key in self._claimed:
            self._tried_now.add(key)
        self._claimed.discard(key)
        self.lines += 1
        self.done += 1

    def expect_new_row(self, key: ImageKey) -> None:
        """The image will get another row. Its present row stays valid until then, but is no longer counted."""
        self._claimed.discard(key)
        if self._files.pop(key, None) is not None:
            self.done -= 1
            self._failed.discard(key)
            self._to_replace.add(key)

    def remove(self, key: ImageKey) -> None:
        """The image has no row any more."""
        self.expect_new_row(key)
        self._first_valid_line[key] = _NEVER

    def missing_failures(self) -> set[ImageKey]:
        """Images without an answer that were to be retried, but that no source has any more."""
        return self._failed - self._tried_now if self._retry_failed else set()

    def is_valid(self, key: ImageKey, line: int) -> bool:
        """Whether this line, counted from 0, holds a row of the image that no later line has replaced."""
        return line >= self._first_valid_line.get(key, 0)

    @property
    def has_outdated_lines(self) -> bool:
        """Whether any line was replaced by a later one, or its image removed."""
        return bool(self._first_valid_line)

    def _is_settled(self, key: ImageKey, frame: Frame) -> bool:
        """Whether the row of the image stays valid, given the file that the frame was listed with."""
        file = self._files[key]
        is_unchanged = file == hash((frame.size_bytes, frame.mtime_ns))
        if key in self._failed:
            return is_unchanged and not self._retry_failed
        is_missing = frame.size_bytes < 0  # moved, for example, but it has its answer
        return is_unchanged or is_missing or file == _UNKNOWN_FILE

    def _stays_as_it_is(self, key: ImageKey, frame: Frame) -> bool:
        """Whether another attempt could not bring more than the row: there is no answer, or the image may be elsewhere."""
        return key in self._failed or self._moves_files or frame.size_bytes < 0

    def _keeps_row(self, key: ImageKey) -> bool:
        """Whether the row of an image stays valid when another file takes its name."""
        return self._moves_files and key not in self._failed
