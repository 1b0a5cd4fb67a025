"""Small real videos. Run as a program, this file reads a range of damaged ones.

`python -m tests.support.video_files FOLDER FIRST LAST` prints the number of each before it is read, so that a crash names
its cause.
"""

import os
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import ImageError
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.sources.sampling import Sampling
from tests.support.mutations import mutated

ImageLike = NDArray[np.uint8]
Video = Callable[[str, float], Path]
"""The fixture `video`."""

CODECS = {
    "ffv1.mkv": "FFV1",
    "ffv1.avi": "FFV1",
    "mjpg.mkv": "MJPG",
    "mjpg.avi": "MJPG",
    "mjpg.mov": "MJPG",
    "mjpg.mjpeg": "MJPG",
    "mp4v.mp4": "mp4v",
    "mp4v.ts": "mp4v",
    "vp80.webm": "VP80",
    "vp80.mkv": "VP80",
    "vp90.webm": "VP90",
    "mpg2.mpg": "MPG2",
    "wmv2.wmv": "WMV2",
    "flv1.flv": "FLV1",
}
"""The codecs that OpenCV's own FFmpeg can write, by the end of the file name. FFV1 is lossless."""


def write_video(path: Path, images: Iterable[ImageLike], fps: float = 25, codec: str | None = None) -> Path:
    """images: one per frame, uint8 `[h, w, 3]` RGB. codec: by default, the one that the end of the name says."""
    fourcc = cv2.VideoWriter_fourcc(*(codec or next(CODECS[end] for end in CODECS if path.name.endswith(end))))
    writer: cv2.VideoWriter | None = None
    for image in images:
        writer = writer or cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, image.shape[1::-1])
        assert writer.isOpened()
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    return path


def write_uneven(path: Path, images: Iterable[ImageLike], times: Sequence[int]) -> Path:
    """A video of JPEG frames at these times, in 25ths of a second."""
    settings = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1]
    writer: cv2.VideoWriter | None = None
    for image, time in zip(images, times, strict=True):
        fourcc, size = cv2.VideoWriter_fourcc(*"MJPG"), image.shape[1::-1]
        writer = writer or cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 25, size, settings)
        assert writer.isOpened()
        writer.set(cv2.VIDEOWRITER_PROP_PTS, time)
        writer.write(cv2.imencode(".jpg", image)[1].reshape(1, -1))
    assert writer is not None
    writer.release()
    return path


def lengthen_last(path: Path, factor: int) -> None:
    """Make the last frame of an evenly timed MP4 last `factor` times as long as the others, as in screen recordings."""
    data = bytearray(path.read_bytes())
    moov = data.index(b"moov")
    mdhd, stts = data.index(b"mdhd", moov), data.index(b"stts", moov)
    count, step = struct.unpack_from(">II", data, stts + 12)
    struct.pack_into(">I", data, mdhd + 20, step * (count - 1 + factor))
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        size_at = data.index(box, moov) - 4
        struct.pack_into(">I", data, size_at, struct.unpack_from(">I", data, size_at)[0] + 8)
    data[stts + 8 : stts + 20] = struct.pack(">5I", 2, count - 1, step, 1, step * factor)
    path.write_bytes(data)


def noise(count: int, height: int = 32, width: int = 48) -> list[ImageLike]:
    """Images that all differ, and that no codec can compress much."""
    return list(np.random.default_rng(count).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def frames_of(path: str | Path, sampling: Sampling = Sampling(), **settings: int) -> list[Frame]:  # noqa: B008 (frozen)
    return [frame for frame in open_source(os.fspath(path), sampling=sampling, **settings) if frame is not None]


def error_of(frame: Frame) -> ImageError | None:
    """The error that the frame carries, or None for a frame with pixels."""
    if isinstance(frame.image, np.ndarray):
        return None
    with pytest.raises(ImageError) as raised:
        read_bytes(frame.image)
    return raised.value


def numbers_of(frames: list[Frame]) -> list[int]:
    return [int(frame.name.rpartition("#frame=")[2]) for frame in frames]


def main() -> None:
    folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    videos = {name: write_video(folder / name, noise(8)).read_bytes() for name in CODECS}
    names, decoded = sorted(videos), 0
    for number in range(first, last):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        name = names[number % len(names)]
        path = folder / f"mutated{Path(name).suffix}"
        path.write_bytes(mutated(number, [videos[name]]))
        frames = [frame for frame in open_source(str(path)) if frame is not None]
        assert frames
        decoded += any(isinstance(frame.image, np.ndarray) for frame in frames)
    with open("/proc/self/status") as status:
        peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    sys.stdout.write(f"decoded {decoded} peak {peak}\n")


if __name__ == "__main__":
    main()
