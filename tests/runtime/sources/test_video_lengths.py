"""A whole video is never reported as cut off, whatever its header declares; a cut or damaged one still is."""

import random
from pathlib import Path

import pytest

from edgeclf.runtime.errors import Reason
from edgeclf.runtime.sources.video_containers import is_cut_off
from tests.support.video_files import CODECS, error_of, frames_of, noise, write_video
from tests.support.video_lengths import add_sound, show_only, triple_declared_length


@pytest.mark.parametrize(
    ("start_s", "length_s", "count"),
    [(0, 1, 25), (1, 1, 25), (2, 1, 25), (0.4, 0.2, 5)],
    ids=["start", "middle", "end", "few"],
)
def test_video_with_an_edit_list_has_the_frames_that_it_shows(
    start_s: float, length_s: float, count: int, tmp_path: Path
) -> None:
    path = show_only(write_video(tmp_path / "mp4v.mp4", noise(75)), start_s, length_s)

    assert [error_of(frame) for frame in frames_of(path)] == [None] * count


@pytest.mark.parametrize("name", ["mjpg.mkv", "vp80.mkv", "vp80.webm", "flv1.flv"])
def test_video_whose_sound_goes_on_is_whole(name: str, tmp_path: Path) -> None:
    path = triple_declared_length(write_video(tmp_path / name, noise(60)))

    assert [error_of(frame) for frame in frames_of(path)] == [None] * 60


def test_transport_stream_whose_sound_goes_on_is_whole(tmp_path: Path) -> None:
    path = add_sound(write_video(tmp_path / "mp4v.ts", noise(60)), 9)

    assert {error_of(frame) for frame in frames_of(path)} == {None}


@pytest.mark.parametrize("name", ["mjpg.mkv", "vp80.webm", "flv1.flv"])
@pytest.mark.parametrize("percent", [40, 90])
def test_video_whose_sound_goes_on_is_reported_when_it_is_cut_off(name: str, percent: int, tmp_path: Path) -> None:
    path = triple_declared_length(write_video(tmp_path / name, noise(60)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * percent // 100])

    error = error_of(frames_of(path)[-1])
    assert error is not None
    assert error.reason is Reason.TRUNCATED


@pytest.mark.parametrize("name", ["mp4v.mp4", "ffv1.mkv", "ffv1.avi"])
def test_frames_that_damage_hides_are_reported(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, noise(300), codec=CODECS[name])
    data, places = bytearray(path.read_bytes()), random.Random(0)
    for place in range(len(data) * 3 // 10, len(data) * 8 // 10, 37):
        data[place] = places.randrange(256)
    path.write_bytes(data)

    *frames, last = frames_of(path)
    error = error_of(last)
    assert len(frames) < 280
    assert error is not None
    assert error.reason is Reason.TRUNCATED


DECLARES_ITS_END = [name for name in CODECS if Path(name).suffix not in (".ts", ".mpg", ".mjpeg")]


@pytest.mark.parametrize("name", DECLARES_ITS_END)
def test_container_tells_where_it_ends(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, noise(20))
    data = path.read_bytes()
    assert not is_cut_off(str(path))

    for percent in (1, 20, 50, 80, 99):
        path.write_bytes(data[: len(data) * percent // 100])
        assert is_cut_off(str(path)), percent


@pytest.mark.parametrize("name", ["mp4v.ts", "mpg2.mpg", "mjpg.mjpeg"])
def test_container_without_an_end_is_never_cut_off(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, noise(20))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert not is_cut_off(str(path))


def test_segment_of_unknown_size_may_be_cut_off(tmp_path: Path) -> None:
    path = write_video(tmp_path / "mjpg.mkv", noise(20))
    data = bytearray(path.read_bytes())
    size = data.index(b"\x18\x53\x80\x67") + 4
    data[size : size + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(data)

    assert is_cut_off(str(path))
