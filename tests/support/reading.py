"""What an archive gives, for the tests of archives: images by their paths, or the reason why not."""

from pathlib import Path

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError, Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import contents


def frames(archive: Path) -> list[Frame]:
    return [frame for frame in open_source(str(archive)) if frame is not None]


def read(frame: Frame) -> bytes | Reason:
    try:
        return contents(frame.image)  # type: ignore[arg-type]
    except ImageError as error:
        return error.reason


def images(archive: Path) -> dict[str, bytes | Reason]:
    return {frame.path: read(frame) for frame in frames(archive)}
