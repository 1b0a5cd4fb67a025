"""Videos: every frame is an image with its time, and only the chosen frames are taken."""

import struct
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime import Classifier, Prediction, classify, open_source
from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.sources.sampling import Sampling
from tests.support.drawings import CLASSES, draw
from tests.support.tiny_videos import H264, H265
from tests.support.video_files import (
    CODECS,
    Video,
    error_of,
    frames_of,
    noise,
    numbers_of,
    write_uneven,
    write_video,
)


@pytest.mark.parametrize("name", ["ffv1.mkv", "ffv1.avi"])
def test_every_frame_is_an_image_in_its_order(name: str, tmp_path: Path) -> None:
    images = noise(30)
    path = write_video(tmp_path / name, images)

    frames = frames_of(path)
    status = path.stat()
    assert [frame.name for frame in frames] == [f"{path}#frame={number}" for number in range(30)]
    assert all(np.array_equal(frame.image, image) for frame, image in zip(frames, images, strict=True))  # type: ignore[arg-type]
    assert {(frame.size_bytes, frame.mtime_ns) for frame in frames} == {(status.st_size, status.st_mtime_ns)}
    assert [frame.path for frame in frames] == [f"#frame={number}" for number in range(30)]  # the same wherever the file is


def test_a_lossless_video_gets_the_same_answers_as_its_images_to_the_bit(classifier: Classifier, tmp_path: Path) -> None:
    images = [draw(CLASSES[number % 5 % 2], number) for number in range(60)]
    video = write_video(tmp_path / "ffv1.mkv", images)
    (tmp_path / "frames").mkdir()
    for number, image in enumerate(images):
        (tmp_path / f"frames/f_{number:03}.png").write_bytes(encode_image(image))
    sources = [str(video), f"{tmp_path}/frames", f"{tmp_path}/frames/f_%03d.png"]

    results = [[outcome.result for outcome in classify(open_source(source), classifier)] for source in sources]
    answers = [[one.probabilities.tobytes() for one in result if isinstance(one, Prediction)] for result in results]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == 60
    assert {one.label for one in results[0] if isinstance(one, Prediction)} == set(CLASSES)


@pytest.mark.parametrize("fps", [29.97, pytest.param(25, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CODECS)
def test_frames_have_their_times(name: str, fps: float, video: Video) -> None:
    if fps == 10 and name == "mpg2.mpg":
        pytest.skip("MPEG-2 allows only a few frame rates")
    frames = frames_of(video(name, fps))

    rate = 25 if name == "mjpg.mjpeg" else fps  # bare JPEGs have no times
    assert [frame.position_s for frame in frames] == pytest.approx([number / rate for number in range(40)], abs=0.0011)
    assert all(frame.position_s == round(frame.position_s or 0, 3) for frame in frames)


def test_frames_are_rotated_as_the_file_says(tmp_path: Path) -> None:
    path = write_video(tmp_path / "mp4v.mp4", [draw("disc", 1, 32, 48)] * 2)
    upright = frames_of(path)[0].image
    data = bytearray(path.read_bytes())
    struct.pack_into(">5i", data, data.index(b"tkhd") + 44, 0, 65536, 0, -65536, 0)  # a phone held upright
    path.write_bytes(data)

    assert np.array_equal(frames_of(path)[0].image, np.rot90(upright, -1))  # type: ignore[arg-type]


def test_later_frames_of_another_size_are_images_too(tmp_path: Path) -> None:
    path = write_uneven(tmp_path / "uneven.mkv", [*noise(2), *noise(1, 64, 96), *noise(2)], range(5))

    assert [error_of(frame) for frame in frames_of(path)] == [None] * 5


@pytest.mark.parametrize(("stride", "numbers"), [(1, list(range(10))), (3, [0, 3, 6, 9]), (10, [0]), (99, [0])], ids=str)
def test_every_nth_frame_of_a_video_is_taken(stride: int, numbers: list[int], tmp_path: Path) -> None:
    images = noise(10)
    path = write_video(tmp_path / "ffv1.mkv", images)

    frames = frames_of(path, Sampling(stride))
    assert numbers_of(frames) == numbers
    assert all(np.array_equal(images[number], frame.image) for number, frame in zip(numbers, frames, strict=True))  # type: ignore[arg-type]
    assert open_source(str(path), sampling=Sampling(stride)).count() == len(numbers)


@pytest.mark.parametrize(
    ("fps", "every_s", "numbers"),
    [(10, 1, [0, 10, 20, 30]), (25, 0.5, [0, 13, 25]), (29.97, 1, [0, 30]), (10, 0.01, list(range(35))), (10, 60, [0])],
    ids=str,
)
def test_the_first_frame_of_each_interval_is_taken(fps: float, every_s: float, numbers: list[int], tmp_path: Path) -> None:
    path = write_video(tmp_path / "mjpg.mkv", noise(35), fps)

    assert numbers_of(frames_of(path, Sampling(every_s=every_s))) == numbers


def test_a_gap_costs_no_frame_after_it(tmp_path: Path) -> None:
    path = write_uneven(tmp_path / "uneven.mkv", noise(7), [0, 10, 20, 140, 145, 150, 175])

    assert numbers_of(frames_of(path, Sampling(every_s=1))) == [0, 3, 5, 6]


@pytest.mark.parametrize(("every_s", "count"), [(None, 30), (1, 2), (0.4, 3), (60, 1)], ids=str)
def test_frames_are_counted_by_the_header(every_s: float | None, count: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "mjpg.mkv", noise(30))

    assert open_source(str(path), sampling=Sampling(every_s=every_s)).count() == count


def test_the_count_is_unknown_if_the_file_has_none(tmp_path: Path) -> None:
    assert open_source(str(write_video(tmp_path / "mjpg.mjpeg", noise(5)))).count() == 0


def test_none_is_yielded_while_frames_are_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("edgeclf.runtime.sources.videos.PAUSE_S", 0)
    path = write_video(tmp_path / "mjpg.mkv", noise(4))

    assert [frame and frame.name[-1] for frame in open_source(str(path), sampling=Sampling(3))] == ["0", None, None, "3"]


def test_a_video_in_a_folder_is_skipped(tmp_path: Path) -> None:
    write_video(tmp_path / "ffv1.mkv", noise(3))
    (tmp_path / "a.png").write_bytes(encode_image(draw("disc", 1)))
    source = open_source(str(tmp_path))

    assert [frame.path for frame in source if frame] == ["a.png"]
    assert source.skipped == 1


def test_a_folder_with_the_name_of_a_video_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").mkdir()
    (tmp_path / "x.mp4/a.png").touch()

    assert [frame.path for frame in frames_of(tmp_path / "x.mp4")] == ["a.png"]


@pytest.mark.parametrize("values", [{"stride": 0}, {"every_s": 0.0}, {"every_s": float("nan")}, {"stride": 2, "every_s": 1}])
def test_nonsensical_samplings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=r"--vid-stride|--every"):
        Sampling(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.h264", H264), ("a.264", H264), ("a.hevc", H265), ("a.265", H265), ("a.mp4", H264)],
    ids=["h264", "264", "hevc", "265", "mp4"],
)
def test_bare_h264_and_h265_of_small_cameras_is_read(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)

    frames = frames_of(tmp_path / name)
    assert [np.shape(frame.image) for frame in frames] == [(32, 32, 3)] * 3
    assert [round(float(np.mean(frame.image)), -1) for frame in frames] == [40, 120, 200]  # type: ignore[arg-type]
    assert [frame.position_s for frame in frames] == [0, 0.04, 0.08]
