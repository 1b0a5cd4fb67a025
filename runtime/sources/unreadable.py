"""Images that cannot be read: the exceptions that say so, and the reason that each stands for."""

import lzma
import struct
import tarfile
import zlib
from dataclasses import dataclass

from edgeclf.runtime.errors import ImageError, Reason, first_line
from edgeclf.runtime.images.decode import MAX_BYTES

DAMAGE_ERRORS: tuple[type[Exception], ...] = (ImageError, OSError, EOFError, struct.error, zlib.error)
DAMAGE_ERRORS += (lzma.LZMAError, tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError)
"""Everything that our code and the standard library raise for a damaged or hostile archive."""


@dataclass(frozen=True, slots=True)
class UnreadableImage:
    """An image that is already known to be unreadable. Reading it raises `error`."""

    error: ImageError

    def read(self) -> bytes:
        raise self.error


def require_size(size_bytes: int, limit: int = MAX_BYTES) -> None:
    """Raise ImageError `too_large` if a file declares more than `limit` bytes, before any of it is read."""
    if size_bytes > limit:
        raise ImageError(Reason.TOO_LARGE, f"{size_bytes:,} bytes; the limit is {limit:,}")


def image_error(error: BaseException) -> ImageError:
    """Turn one of DAMAGE_ERRORS into an ImageError with a reason from the closed list."""
    if isinstance(error, ImageError):
        return error
    number = getattr(error, "errno", None)
    reason = Reason.CORRUPT
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = Reason.NOT_FOUND
    elif number is not None:
        reason = Reason.UNREADABLE
    elif isinstance(error, EOFError) or "unexpected end of data" in str(error):  # the latter is tarfile's wording
        reason = Reason.TRUNCATED
    failure = ImageError(reason, getattr(error, "strerror", None) or first_line(error))
    failure.errno = number
    return failure
