"""Tells a bad file from a disk that has gone: an image that is only out of reach must not be recorded as failed."""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from edgeclf.runtime.errors import ImageError, Reason, SourceError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.model.prediction import Failure, Outcome

_IN_A_ROW = 10
"""Failures in a row that mean a lost disk; a bad sector damages a file or two."""
_STORAGE_ERRORS = frozenset(
    getattr(errno, name)
    for name in (
        "EIO", "ENODEV", "ENXIO", "ESTALE", "ENOTCONN", "ETIMEDOUT", "EREMOTEIO", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN",
        "ENETUNREACH", "ECONNRESET", "ECONNABORTED", "ESHUTDOWN", "ENOMEM", "EMFILE", "ENFILE",
    )
    if hasattr(errno, name)
)  # fmt: skip


class StorageGuard:
    """Watches the folders and archives that images come from. Create it before the first image is read."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._identities = {root: _identity(root) for root in roots}
        self._readable: Frame | None = None

    def checked(self, batches: Iterable[list[Outcome]]) -> Iterator[list[Outcome]]:
        """The same outcomes. Failures that the storage may have caused are held back until it has proved to be there.

        Raises SourceError if ten of them come in a row; if they are the last ones and an image that was read before cannot
        be read any more; or if a root has gone or was replaced.
        """
        held: list[Outcome] = []
        for outcomes in batches:
            if not held and not any(map(_may_be_the_storage, outcomes)):
                self._readable = outcomes[-1].frame if outcomes else None
                yield outcomes
                continue
            held += outcomes
            self.check_roots()
            cleared = _cleared(held)
            if len(held) - cleared >= _IN_A_ROW:
                cause = held[-1].result.detail if isinstance(held[-1].result, Failure) else ""
                raise _gone(os.path.dirname(held[-1].name), f"{cause}, {len(held) - cleared} images in a row")
            if cleared:
                self._readable = held[cleared - 1].frame
                yield held[:cleared]
                held = held[cleared:]
        self.check_roots()
        if held:
            self._check_readable()
            yield held

    def _check_readable(self) -> None:
        """Raise SourceError if an image that was read before cannot be read now because of its storage."""
        if self._readable is None or isinstance(self._readable.image, np.ndarray):
            return
        try:
            read_bytes(self._readable.image)
        except ImageError as error:
            if error.errno in _STORAGE_ERRORS:
                raise _gone(os.path.dirname(self._readable.name), error.detail) from None

    def check_roots(self) -> None:
        """Raise SourceError if a root has gone or was replaced."""
        for root, identity in self._identities.items():
            if _identity(root) != identity:
                raise _gone(root, "it was moved, removed or unmounted")


def _identity(root: str) -> tuple[int, int] | None:
    """Device and inode: both change when a disk is mounted on the folder or unmounted."""
    try:
        status = os.stat(root)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _may_be_the_storage(outcome: Outcome) -> bool:
    failure = outcome.result
    return isinstance(failure, Failure) and (failure.errno in _STORAGE_ERRORS or failure.reason is Reason.NOT_FOUND)


def _cleared(outcomes: list[Outcome]) -> int:
    """How many outcomes come before the storage errors at the end, which no other outcome has followed yet."""
    suspects = 0
    for outcome in reversed(outcomes):
        if not (isinstance(outcome.result, Failure) and outcome.result.errno in _STORAGE_ERRORS):
            break
        suspects += 1
    return len(outcomes) - suspects


def _gone(place: str, why: str) -> SourceError:
    advice = "its images were not recorded as failed; once it is back, run the command again"
    return SourceError(f"{place} cannot be read any more ({why}); {advice}")
