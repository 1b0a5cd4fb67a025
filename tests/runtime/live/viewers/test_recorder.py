"""A recording plays in real time, survives a kill, and never holds up or ends the run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.errors import OptionError, OutputError
from edgeclf.runtime.live.viewers.overlay import draw_overlay
from edgeclf.runtime.live.viewers.recorder import Recorder
from edgeclf.runtime.live.viewers.snapshot import Snapshot

Pixels = NDArray[np.uint8]
Until = Callable[[Callable[[], bool]], None]
SCORES = (("defective", 0.75), ("functional", 0.25))


def snapshot(level: int = 0, *, source: str = "webcam", age_ms: float | None = 40.0, trouble: str = "") -> Snapshot:
    return snapshot_of(np.full((48, 64, 3), level, np.uint8), source=source, age_ms=age_ms, trouble=trouble)


def snapshot_of(image: Pixels, *, source: str = "webcam", age_ms: float | None = None, trouble: str = "") -> Snapshot:
    return Snapshot(
        source=source,
        image=image,
        label="defective",
        confidence=0.75,
        scores=SCORES,
        changed=False,
        fps=25.0,
        age_ms=age_ms,
        time="2026-01-01T00:00:00Z",
        trouble=trouble,
    )


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def frames(path: Path) -> list[Any]:
    """RGB."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    found = []
    while (read := video.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    video.release()
    return found


def levels(path: Path) -> list[int]:
    """The brightness of each frame, rounded to tens."""
    return [10 * round(float(frame.mean()) / 10) for frame in frames(path)]


def recorder(path: Path, fps: float = 10, **options: Any) -> Recorder:
    return Recorder(path, fps, **{"overlay": False, "wait": True, "report": lambda sentence: None} | options)


def record_at(path: Path, schedule: dict[float, Snapshot]) -> list[int]:
    """Record snapshots at these times with 10 frames a second, and return the brightness of each frame."""
    times = iter(schedule)
    with closing(recorder(path, 10, now=lambda: next(times))) as recording:
        for shown in schedule.values():
            recording.show(shown)
    return levels(path)


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4", ".MKV"])
def test_each_snapshot_of_a_video_is_one_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with closing(recorder(path, 29.97)) as recording:
        for level in (0, 50, 100, 150, 200):
            recording.show(snapshot(level, age_ms=None))

    assert levels(path) == [0, 50, 100, 150, 200]
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(29.97)


def test_the_recording_shows_what_the_window_shows(tmp_path: Path) -> None:
    shown = snapshot_of(np.full((480, 640, 3), 90, np.uint8))
    with closing(recorder(tmp_path / "out.mkv", overlay=True)) as recording:
        recording.show(shown)

    (frame,) = frames(tmp_path / "out.mkv")
    assert cv2.PSNR(frame, draw_overlay(shown)) > cv2.PSNR(frame, shown.image) + 6


def test_colours_are_not_swapped(tmp_path: Path) -> None:
    with closing(recorder(tmp_path / "out.mkv")) as recording:
        recording.show(snapshot_of(np.full((48, 64, 3), (200, 100, 30), np.uint8)))

    (frame,) = frames(tmp_path / "out.mkv")
    assert frame.mean(axis=(0, 1)) == pytest.approx([200, 100, 30], abs=5)


def test_images_of_a_slow_camera_are_repeated(tmp_path: Path) -> None:
    found = record_at(tmp_path / "out.mkv", {0.0: snapshot(0), 0.3: snapshot(100), 0.6: snapshot(200), 0.9: snapshot(250)})

    assert found == [0] + [100] * 3 + [200] * 3 + [250] * 3


def test_images_of_a_fast_camera_are_skipped(tmp_path: Path) -> None:
    found = record_at(tmp_path / "out.mkv", {number / 40: snapshot() for number in range(80)})

    assert len(found) == pytest.approx(20, abs=1)


def test_jitter_skips_and_repeats_nothing(tmp_path: Path) -> None:
    jitter = [0, 0.04, -0.04, 0.03, -0.03]
    moments = {number / 10 + jitter[number % 5]: snapshot(10 * (number % 25)) for number in range(50)}

    assert record_at(tmp_path / "out.mkv", moments) == [10 * (number % 25) for number in range(50)]


def test_a_camera_lost_for_an_hour_leaves_a_gap_of_a_second(tmp_path: Path) -> None:
    found = record_at(tmp_path / "out.mkv", {0.0: snapshot(0), 3600.0: snapshot(100), 3600.1: snapshot(200)})

    assert found == [0] + [100] * 10 + [200]


def test_an_hour_of_trouble_is_one_image(tmp_path: Path) -> None:
    hour = {float(second): snapshot(100, trouble=f"no image for {second} s") for second in range(1, 3600)}
    found = record_at(tmp_path / "out.mkv", {0.0: snapshot(0)} | hour | {3600.0: snapshot(200)})

    assert found == [0] + [100] * 10 + [200] * 10


def test_an_image_of_another_size_gets_borders(tmp_path: Path) -> None:
    with closing(recorder(tmp_path / "out.mkv")) as recording:
        recording.show(snapshot(200, age_ms=None))
        recording.show(snapshot_of(np.full((480, 320, 3), 200, np.uint8)))

    _, second = frames(tmp_path / "out.mkv")
    assert second.shape == (48, 64, 3)
    middle, border = second[:, 18:46], np.concatenate([second[:, :14], second[:, 50:]], axis=1)
    assert (middle.mean(), border.mean()) == (pytest.approx(200, abs=5), pytest.approx(0, abs=5))


@pytest.mark.parametrize("size", [(49, 65), (1, 1), (2, 3), (3, 500)], ids=str)
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_any_size_can_be_recorded(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with closing(recorder(path)) as recording:
        for _ in range(3):
            recording.show(snapshot_of(np.full((*size, 3), 100, np.uint8)))

    assert levels(path) == [100] * 3


def test_an_existing_recording_is_never_touched(tmp_path: Path) -> None:
    reports: list[str] = []
    (tmp_path / "out.mkv").write_text("yesterday")
    (tmp_path / "out-2.mkv").symlink_to("nowhere")
    with closing(recorder(tmp_path / "out.mkv", report=reports.append)) as recording:
        recording.show(snapshot(100))

    assert (tmp_path / "out.mkv").read_text() == "yesterday"
    assert levels(tmp_path / "out-3.mkv") == [100]
    assert reports == [f"{tmp_path}/out.mkv exists already; recording to out-3.mkv"]
    assert not (tmp_path / "nowhere").exists()


def test_each_source_has_its_own_file(tmp_path: Path) -> None:
    reports: list[str] = []
    with closing(recorder(tmp_path / "out.avi", report=reports.append)) as recording:
        for level in (50, 60):
            recording.show(snapshot(level, source="left", age_ms=None))
            recording.show(snapshot(level + 100, source="right", age_ms=None))

    assert levels(tmp_path / "out.avi") == [50, 60]
    assert levels(tmp_path / "out-2.avi") == [150, 160]
    assert reports == ["recording right to out-2.avi"]


def test_a_run_without_images_leaves_no_file(tmp_path: Path) -> None:
    recorder(tmp_path / "out.mkv").close()

    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_fine_and_ends_the_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    recording = recorder(tmp_path / "out.mkv")
    recording.show(snapshot())
    recording.close()
    recording.close()

    assert threading.active_count() == before
    assert len(frames(tmp_path / "out.mkv")) == 1


def test_images_that_the_encoder_has_no_time_for_are_skipped_and_counted(tmp_path: Path) -> None:
    reports: list[str] = []
    large = snapshot_of(noise(1080, 1920))
    with closing(recorder(tmp_path / "out.mkv", wait=False, report=reports.append)) as recording:
        for _ in range(50):
            recording.show(large)
        recording.close()  # the block closes it again

    assert recording.skipped > 0
    assert len(frames(tmp_path / "out.mkv")) == 50 - recording.skipped
    assert reports == [f"the recording lacks {recording.skipped} images: encoding was too slow"]


def test_skipped_images_do_not_make_the_video_shorter(tmp_path: Path, until: Until) -> None:
    shown = snapshot_of(noise(1080, 1920), age_ms=1.0)
    moments = chain((number / 10 for number in range(9)), repeat(0.9))
    with closing(recorder(tmp_path / "out.mkv", wait=False, now=lambda: next(moments))) as recording:
        for _ in range(9):
            recording.show(shown)
        until(lambda: recording.skipped == (recording.show(shown), recording.skipped)[1])

    assert len(frames(tmp_path / "out.mkv")) == 10


@pytest.mark.parametrize("name", ["out.mov", "out", "out.mkv.txt", ".mkv"])
def test_an_unknown_suffix_is_refused_with_the_list_of_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=re.escape("*.mkv, *.avi, *.mp4")):
        recorder(tmp_path / name)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1000])
def test_an_impossible_rate_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(OptionError, match="frames a second"):
        recorder(tmp_path / "out.mkv", fps)


def test_a_path_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="must be UTF-8"):
        recorder(tmp_path / os.fsdecode(b"caf\xe9.mkv"))


@pytest.mark.parametrize(
    "name", ["http:out.mkv", "out-%03d.mkv", "pipe:1.avi", "Größe 中\n.mkv", "-i.mp4", "concat:a|b.mkv"]
)
def test_a_name_with_a_meaning_for_ffmpeg_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(recorder(Path(name))) as recording:
        recording.show(snapshot(100))

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert levels(tmp_path / name) == [100]


def test_a_missing_folder_is_reported_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot record to .*out\.mkv: No such file or directory"):
        recorder(tmp_path / "missing" / "out.mkv")


def test_a_disk_that_is_nearly_full_is_reported_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=99_000_000))

    with pytest.raises(OutputError, match="less than 100 MB of disk space"):
        recorder(tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == []


def test_the_recording_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[str] = []
    with closing(recorder(tmp_path / "out.mkv", report=reports.append)) as recording:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=99_000_000))
        for _ in range(2500):
            recording.show(snapshot(100, age_ms=None))

    assert len(reports) == 1
    assert re.match(r"recording webcam has stopped, .* less than 100 MB", reports[0])
    assert 0 < len(frames(tmp_path / "out.mkv")) < 2500


def test_a_write_error_is_reported_once_and_the_run_continues(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    reports: list[str] = []
    with full_disk(20_000), closing(recorder(tmp_path / "out.mkv", report=reports.append)) as recording:
        for _ in range(2500):
            recording.show(snapshot(100, age_ms=None))

    assert len(reports) == 1
    assert "nothing more can be written to" in reports[0]


KILLED = """
import sys
from itertools import chain, repeat
from pathlib import Path
import numpy as np
from edgeclf.runtime.live.viewers.recorder import Recorder
from edgeclf.runtime.live.viewers.snapshot import Snapshot
recorder = Recorder(Path(sys.argv[1]), 25, wait=True)
image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
while True:
    recorder.show(Snapshot(source="clip", image=image, label="a", confidence=0.5, scores=(("a", 0.5),), changed=False,
                           fps=25.0, age_ms=None, time=""))
    print("shown", flush=True)
"""


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_recording_plays_after_a_kill(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(25):
            assert process.stdout.readline() == b"shown\n"
        process.send_signal(signal.SIGKILL)
        shown = 25 + process.stdout.read().count(b"shown")

    found = frames(path)
    frame_bytes = path.stat().st_size / len(found)
    queued = 4 + 2  # in the queue and in the encoder
    assert len(found) >= shown - 256 * 1024 / frame_bytes - queued - 2
