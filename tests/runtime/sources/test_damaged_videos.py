"""A problem with a video file is one more frame that reports it; good files are never reported."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edgeclf.runtime import open_source
from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.encode import encode_image
from tests.support.drawings import draw
from tests.support.tiny_videos import AV1_MP4
from tests.support.video_files import (
    CODECS,
    Video,
    error_of,
    frames_of,
    lengthen_last,
    noise,
    numbers_of,
    write_uneven,
    write_video,
)

Encode = Callable[..., bytes]
ROOT = Path(__file__).parents[3]


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


def test_a_gif_with_the_name_of_a_video_is_named_as_what_it_is(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(encode(draw("disc", 1), "GIF"))

    error = error_of(frames_of(tmp_path / "x.mp4")[0])
    assert error is not None
    assert (error.reason, "a GIF" in error.detail) == (Reason.NOT_AN_IMAGE, True)


def test_a_video_of_a_codec_that_opencv_lacks_is_named_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(AV1_MP4)

    *frames, last = frames_of(tmp_path / "x.mp4")
    error = error_of(last)
    if frames:
        pytest.skip("this OpenCV decodes AV1")
    assert error is not None
    assert (error.reason, "an AV1 video" in error.detail) == (Reason.UNSUPPORTED, True)


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


def test_a_video_that_has_vanished_when_a_run_is_resumed_is_an_error_frame() -> None:
    (frame,) = [frame for frame in open_source("gone.mp4", resumed=True) if frame]

    error = error_of(frame)
    assert error is not None
    assert error.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("count", [100, pytest.param(600, marks=pytest.mark.slow)])
def test_no_damaged_video_kills_the_process_or_gives_no_frame(count: int, tmp_path: Path) -> None:
    line = [sys.executable, "-W", "error", "-m", "tests.support.video_files", str(tmp_path), "0", str(count)]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=300, check=False)

    *_, last = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"video {last}: {done.stderr[-2000:]}"
    _, decoded, _, peak_kb = last.split()
    assert int(decoded) > count // 4  # most, but not all, are read in part
    assert int(peak_kb) < 500_000
