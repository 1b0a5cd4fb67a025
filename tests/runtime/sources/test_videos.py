"""Videos: every frame is an image with its time, and a problem with the file is one more frame that reports it."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime import Classifier, Prediction, classify, open_source
from edgeclf.runtime.errors import ImageError, OptionError, Reason
from edgeclf.runtime.images.encode import encode_image
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.images.preprocess import read_bytes
from edgeclf.runtime.sources.sampling import Sampling
from tests.support.drawings import CLASSES, draw
from tests.support.video_files import CODECS, lengthen_last, noise, write_uneven, write_video

ROOT = Path(__file__).parents[3]
Video = Callable[[str, float], Path]


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


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """`video(name, fps)` is a video of 40 frames, which is encoded once. Read only."""
    folder = tmp_path_factory.mktemp("videos")

    @cache
    def write(name: str, fps: float) -> Path:
        path = folder / str(fps) / name
        path.parent.mkdir(exist_ok=True)
        return write_video(path, noise(40), fps)

    return write


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


@pytest.mark.parametrize("name", CODECS)
def test_a_good_video_is_not_reported_as_cut_off(name: str, video: Video) -> None:
    assert [error_of(frame) for frame in frames_of(video(name, 29.97))] == [None] * 40


@pytest.mark.parametrize("name", ["uneven.mkv", "uneven.mp4", "uneven.mov"])
def test_a_video_with_uneven_times_is_not_reported_as_cut_off(name: str, tmp_path: Path) -> None:
    times = [0, 1, 2, 12, 13, 14, 24, 25, 26, 86, 87, 88, 98, 100]

    frames = frames_of(write_uneven(tmp_path / name, noise(14), times))
    assert [error_of(frame) for frame in frames] == [None] * 14
    assert [frame.position_s for frame in frames] == [time / 25 for time in times]


def test_a_video_of_two_frames_far_apart_is_not_reported_as_cut_off(tmp_path: Path) -> None:
    frames = frames_of(write_uneven(tmp_path / "uneven.mkv", noise(2), [0, 10]))

    assert [error_of(frame) for frame in frames] == [None] * 2


def test_a_video_whose_last_frame_lasts_long_is_not_reported_as_cut_off(tmp_path: Path) -> None:
    path = write_video(tmp_path / "mp4v.mp4", noise(20))
    lengthen_last(path, 250)

    assert [error_of(frame) for frame in frames_of(path)] == [None] * 20


def test_a_video_that_starts_later_is_not_reported_as_cut_off(tmp_path: Path) -> None:
    frames = frames_of(write_uneven(tmp_path / "later.mkv", noise(20), range(200, 220)))

    assert [error_of(frame) for frame in frames] == [None] * 20
    assert frames[0].position_s == 0


@pytest.mark.parametrize("name", ["ffv1.mkv", "ffv1.avi", "mjpg.mkv", "mjpg.avi", "vp80.webm", "vp80.mkv"])
def test_a_video_that_ends_early_has_an_error_frame_at_its_end(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, noise(60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    *frames, last = frames_of(path)
    error = error_of(last)
    assert 20 < len(frames) < 40
    assert error is not None
    assert (last.name, last.path, error.reason) == (str(path), "", Reason.TRUNCATED)
    assert f"{len(frames)} of about 60 frames" in error.detail


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("step", [10, pytest.param(3, marks=pytest.mark.slow)])
def test_a_video_that_is_cut_off_anywhere_gives_at_least_one_frame(step: int, name: str, tmp_path: Path) -> None:
    data = write_video(tmp_path / name, noise(20)).read_bytes()
    for percent in range(0, 100, step):
        (tmp_path / name).write_bytes(data[: len(data) * percent // 100])

        frames = frames_of(tmp_path / name)
        whole = frames if error_of(frames[-1]) is None else frames[:-1]
        assert frames, percent
        assert numbers_of(whole) == list(range(len(whole))), percent


EMPTY_MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\0\x08mdat"
NOT_VIDEOS = {
    "empty": (b"", Reason.EMPTY),
    "text": (b"a text\n" * 200, Reason.NOT_AN_IMAGE),
    "zeros": (bytes(5000), Reason.NOT_AN_IMAGE),
    "image": (encode_image(draw("disc", 1)), Reason.NOT_AN_IMAGE),
    "no stream": (EMPTY_MP4, Reason.NOT_AN_IMAGE),
    "Matroska and noise": (b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 20, Reason.NOT_AN_IMAGE),
}


@pytest.mark.parametrize(("data", "reason"), NOT_VIDEOS.values(), ids=list(NOT_VIDEOS))
def test_a_file_that_is_not_a_video_is_one_error_frame(data: bytes, reason: Reason, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(data)

    (frame,) = frames_of(tmp_path / "x.mp4")
    error = error_of(frame)
    assert error is not None
    assert (frame.name, error.reason) == (f"{tmp_path}/x.mp4", reason)
    assert error.reason is Reason.EMPTY or "not a readable video" in error.detail


def test_a_file_that_cannot_be_opened_is_one_error_frame_and_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "dangling.mp4").symlink_to("nowhere.mp4")
    write_video(tmp_path / "closed.mkv", noise(2), codec="FFV1").chmod(0)

    found = [error_of(frames_of(tmp_path / name)[0]) for name in ("pipe.mp4", "dangling.mp4", "closed.mkv")]
    reasons = [error and error.reason for error in found]
    assert reasons == [Reason.NOT_A_FILE, Reason.NOT_FOUND, None if os.geteuid() == 0 else Reason.UNREADABLE]


CONCAT = b"ffconcat version 1.0\nfile clip.mkv\n"
PLAYLISTS = {
    "concat": CONCAT,
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nclip.ts\n#EXT-X-ENDLIST\n",
    "sdp": b"v=0\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n",
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mjpeg"])
@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_a_playlist_is_not_a_video_whatever_its_extension(playlist: str, suffix: str, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mkv", noise(3), codec="FFV1")
    write_video(tmp_path / "clip.ts", noise(3), codec="mp4v")
    (tmp_path / f"x.{suffix}").write_bytes(PLAYLISTS[playlist])

    (frame,) = frames_of(tmp_path / f"x.{suffix}")
    error = error_of(frame)
    assert error is not None
    assert "starts with" in error.detail


def test_ffmpeg_itself_would_follow_a_playlist(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mkv", noise(3), codec="FFV1")
    (tmp_path / "x.mp4").write_bytes(CONCAT)

    assert cv2.VideoCapture(str(tmp_path / "x.mp4"), cv2.CAP_FFMPEG).isOpened()


ODD_NAMES = [
    b"caf\xe9.mkv",
    b"concat:a|b.mkv",
    b"http:x.mkv",
    b"-i.mkv",
    b"new\nline.mkv",
    b"%d.mkv",
    b"file:x.mkv",
    b"UP.MKV",
]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_video_of_any_name_is_opened_and_no_name_kills_the_process(
    fresh_python: Callable[..., str], tmp_path: Path
) -> None:
    data = write_video(tmp_path / "ffv1.mkv", noise(3)).read_bytes()
    for name in ODD_NAMES:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(data)
    script = (
        "import os; from edgeclf.runtime import open_source\n"
        f"for name in {ODD_NAMES!r}: print([frame.image.shape for frame in open_source(os.fsdecode(name))])"
    )

    assert fresh_python(script).splitlines() == [str([(32, 48, 3)] * 3)] * len(ODD_NAMES)


def test_frames_larger_than_the_limit_are_one_error_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "mjpg.mkv", noise(5))

    (frame,) = frames_of(path, max_pixels=32 * 48 - 1)
    error = error_of(frame)
    assert error is not None
    assert (frame.name, error.reason, error.size_hw) == (str(path), Reason.TOO_LARGE, (32, 48))
    assert len(frames_of(path, max_pixels=32 * 48)) == 5


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


def test_a_video_that_has_vanished_when_a_run_is_resumed_is_an_error_frame() -> None:
    (frame,) = [frame for frame in open_source("gone.mp4", resumed=True) if frame]

    error = error_of(frame)
    assert error is not None
    assert error.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("values", [{"stride": 0}, {"every_s": 0.0}, {"every_s": float("nan")}, {"stride": 2, "every_s": 1}])
def test_nonsensical_samplings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=r"--vid-stride|--every"):
        Sampling(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [100, pytest.param(600, marks=pytest.mark.slow)])
def test_no_damaged_video_kills_the_process_or_gives_no_frame(count: int, tmp_path: Path) -> None:
    line = [sys.executable, "-W", "error", "-m", "tests.support.video_files", str(tmp_path), "0", str(count)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=300, check=False)

    *_, last = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"video {last}: {done.stderr[-2000:]}"
    _, decoded, _, peak_kb = last.split()
    assert int(decoded) > count // 4  # most, but not all, are read in part
    assert int(peak_kb) < 500_000
