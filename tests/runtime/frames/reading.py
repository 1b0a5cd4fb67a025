"""What an archive gives, for the tests of archives: pictures by their paths, or the reason why not."""

from pathlib import Path

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import PictureError, Reason
from edgeclf.runtime.frames.frame import Frame
from edgeclf.runtime.frames.preprocess import contents


def frames(archive: Path) -> list[Frame]:
    return [frame for frame in open_source(str(archive)) if frame is not None]


def read(frame: Frame) -> bytes | Reason:
    try:
        return contents(frame.picture)  # type: ignore[arg-type]
    except PictureError as error:
        return error.reason


def pictures(archive: Path) -> dict[str, bytes | Reason]:
    return {frame.path: read(frame) for frame in frames(archive)}
