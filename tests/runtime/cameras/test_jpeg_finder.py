"""JPEGs are found in a stream, whatever is between them and however the bytes are cut."""

import cv2
import numpy as np
import pytest

from edgeclf.runtime.cameras.jpeg_finder import JpegFinder
from edgeclf.runtime.images.encode import encode_image


def jpeg(seed: int, *flags: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels, flags)[1].tobytes()


def with_thumbnail(data: bytes) -> bytes:
    """With another JPEG in its EXIF segment."""
    thumbnail = b"Exif\0\0" + encode_image(np.zeros((8, 8, 3), np.uint8), ".jpg")
    return data[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]


def found(stream: bytes, step: int = 1) -> list[bytes]:
    finder, jpegs = JpegFinder(), []
    for start in range(0, len(stream), step):
        finder.feed(stream[start : start + step])
        while (one := finder.take()) is not None:
            jpegs.append(one)
    return jpegs


KINDS = {
    "baseline": [jpeg(1), jpeg(2)],
    "progressive": [jpeg(3, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)],
    "restart markers": [jpeg(4, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)],
    "thumbnail": [with_thumbnail(jpeg(5)), jpeg(6)],
}


@pytest.mark.parametrize(
    "between", [b"", b"\r\n--frame\r\nContent-Type: image/jpg\r\n\r\n", b"\xff\xff\xd8\xff\0"], ids=repr
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("jpegs", KINDS.values(), ids=KINDS)
def test_every_jpeg_is_found_unchanged(jpegs: list[bytes], step: int, between: bytes) -> None:
    stream = b"".join(between + data for data in jpegs) + between

    assert found(stream, step)[-len(jpegs) :] == jpegs


def test_jpeg_that_is_cut_off_is_dropped() -> None:
    assert found(jpeg(1)[:-500] + b"\r\n--frame\r\n\r\n" + jpeg(2)) == [jpeg(2)]


def test_stream_without_jpegs_takes_no_memory() -> None:
    finder = JpegFinder()
    for _ in range(100):
        finder.feed(b"no image" * 1000)
        assert finder.take() is None

    assert len(finder._data) < 10


def test_jpeg_without_an_end_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclf.runtime.cameras.jpeg_finder._MAX_BYTES", 1000)
    finder = JpegFinder()
    finder.feed(jpeg(1)[:-2] + bytes(1000))
    assert finder.take() is None

    finder.feed(jpeg(2))

    assert finder.take() == jpeg(2)
