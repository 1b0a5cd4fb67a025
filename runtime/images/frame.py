"""One input of the pipeline, not decoded yet."""

from dataclasses import dataclass

from edgeclf.runtime.images.preprocess import ImageLike


@dataclass(frozen=True, slots=True)
class Frame:
    """One image on its way through the pipeline, not decoded yet.

    name: the path in its row: the name of the source, and the place in it. image: where to get its pixels from.
    source, path: the index of its source, and the place in it; both stay the same when the source moves.
    size_bytes, mtime_ns: of its file when it was listed; -1 if unknown. position_s: seconds from the start of its video.
    captured_at: when the camera delivered it, on the clock of `time.monotonic`.
    """

    name: str
    image: ImageLike
    path: str = ""
    source: int = 0
    size_bytes: int = -1
    mtime_ns: int = -1
    position_s: float | None = None
    captured_at: float | None = None

    def __repr__(self) -> str:
        return f"Frame({self.name!r})"
