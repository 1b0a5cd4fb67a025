"""One input on its way through the pipeline, still unread."""

from dataclasses import dataclass

from edgeclf.runtime.images.preprocess import ImageLike


@dataclass(frozen=True, slots=True)
class Frame:
    """One image on its way, still unread.

    name: the path in its row: the source as it was named, and the place in it. image: where its pixels are.
    source, path: which of the run's sources it is from, and where in it; these stay the same when the source is moved.
    size_bytes, mtime_ns: of its file when it was listed; -1 where nothing is known of it. position_s: seconds from the
    beginning of its video. captured_at: when a camera gave it, as `time.monotonic` counts.
    """

    name: str
    image: ImageLike
    path: str = ""
    source: int = 0
    size_bytes: int = -1
    mtime_ns: int = -1
    position_s: float | None = None
    captured_at: float | None = None
