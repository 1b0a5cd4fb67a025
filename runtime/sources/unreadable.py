"""Images that cannot be read: what is raised over them, and as which reason."""

import lzma
import struct
import tarfile
import zlib
from dataclasses import dataclass

from edgeclf.runtime.errors import ImageError, Reason, first_line
from edgeclf.runtime.images.decode import MAX_BYTES

DAMAGE: tuple[type[Exception], ...] = (ImageError, OSError, EOFError, struct.error, zlib.error)
DAMAGE += (lzma.LZMAError, tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError)
"""All that is raised over an archive that is damaged, or made to be, here and in the standard library."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An image that cannot be read, as is known already: reading it raises `error`."""

    error: ImageError

    def read(self) -> bytes:
        raise self.error


def require_size(size_bytes: int, limit: int = MAX_BYTES) -> None:
    """Raise ImageError `too_large` before a member that declares so much is read."""
    if size_bytes > limit:
        raise ImageError(Reason.TOO_LARGE, f"{size_bytes:,} bytes; the limit is {limit:,}")


def image_error(error: BaseException) -> ImageError:
    """One of DAMAGE as a reason from the closed list."""
    if isinstance(error, ImageError):
        return error
    number = getattr(error, "errno", None)
    reason = Reason.CORRUPT
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = Reason.NOT_FOUND
    elif number is not None:
        reason = Reason.UNREADABLE
    elif isinstance(error, EOFError) or "unexpected end of data" in str(error):  # the second are tarfile's words
        reason = Reason.TRUNCATED
    failure = ImageError(reason, getattr(error, "strerror", None) or first_line(error))
    failure.errno = number
    return failure
