"""A camera recovers: whatever happens to it, good frames are soon back, and each loss is reported once."""

import re

import numpy as np
import pytest

from edgeclf.runtime.cameras.camera import Camera
from edgeclf.runtime.cameras.settings import ActualSettings
from edgeclf.runtime.errors import DeviceError, OptionError
from tests.support.fake_camera import DECODING_S, FPS, SMALL, CameraRun, over_reads, over_time, without_numbers

FRAME_S = 1 / FPS


def test_start_returns_the_actual_settings() -> None:
    with CameraRun(over_time()) as run:
        assert run.actual == ActualSettings(SMALL, FPS, "MJPG", "fake")


def test_time_to_open_does_not_count_as_silence() -> None:
    with CameraRun(over_reads((1, "late"))) as run:
        assert run.camera.silent_s() < FRAME_S


def test_frame_has_a_number_and_the_time_of_its_capture() -> None:
    with CameraRun(over_time()) as run:
        first, second = run.frames(2 * FRAME_S + 2 * DECODING_S)

    assert (first.name, first.path, first.source) == ("webcam#frame=1", "webcam#frame=1", 0)
    assert second.name == "webcam#frame=2"
    assert first.captured_at == pytest.approx(run.began + FRAME_S, abs=FRAME_S)
    assert isinstance(first.image, np.ndarray)
    assert (first.image.shape, first.image.dtype) == ((*SMALL, 3), np.uint8)


def test_no_frame_is_taken_twice() -> None:
    with CameraRun(over_time()) as run:
        names = [frame.name for frame in run.frames(3)]
        assert run.camera.take() is None

    assert len(names) == len(set(names)) == pytest.approx(3 * FPS, abs=2)


def test_slow_consumer_gets_the_newest_frame_and_the_others_count_as_dropped() -> None:
    with CameraRun(over_time()) as run:
        taken = run.frames(10, work_s=0.25)
        numbers = [int(frame.name.rpartition("=")[2]) for frame in taken]
        assert run.camera.dropped == pytest.approx(numbers[-1] - len(taken), abs=9)

    assert set(np.diff(numbers)) <= {7, 8}


def test_skipped_frames_are_not_decoded() -> None:
    with CameraRun(over_time()) as run:
        while run.device.reads < 60 * FPS:
            if run.next_frame(0.2):
                run.camera.skip_frames_until(run.clock.now() + 1)
            assert run.camera.silent_s() < 2 * FRAME_S
        reads, decoded = run.device.reads, run.device.decoded
        assert run.camera.dropped == pytest.approx(reads - decoded, abs=1)

    assert decoded == pytest.approx(58, abs=3)


def test_two_read_errors_are_tolerated() -> None:
    with CameraRun(over_reads((30, "good"), (2, "error"), (30, "good"), (2, "error"))) as run:
        run.frames(5)

    assert (run.reports, run.device.opened, run.camera.losses) == ([], 1, 0)


FAULTS = {
    "read-errors": (over_reads((30, "good"), (5, "error")), "no frames"),
    "exception": (over_reads((30, "good"), (1, "raise")), "No such device"),
    "frozen": (over_reads((30, "good"), (60, "equal")), "frozen.*--accept frozen"),
    "black": (over_reads((30, "good"), (30, "black")), "black.*--accept black"),
    "another-size": (over_reads((30, "good"), (600, "wide")), "from 32x24 to 40x24"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_reported_once_when_it_begins_and_once_when_it_ends(fault: str) -> None:
    script, reason = FAULTS[fault]
    with CameraRun(script) as run:
        run.frames(10)
        assert (run.camera.trouble, run.camera.losses) == ("", 1)
        assert 0 < run.camera.lost_s < 3

    lost, back = run.reports
    assert re.fullmatch(f"webcam: .*{reason}.*; reconnecting", lost)
    assert back.startswith("webcam: back after ")
    assert run.device.opened >= 2


def test_new_size_is_reported_and_its_frames_are_used() -> None:
    with CameraRun(over_reads((30, "good"), (600, "wide"))) as run:
        shapes = {frame.image.shape for frame in run.frames(10) if isinstance(frame.image, np.ndarray)}

    assert shapes == {(24, 32, 3), (24, 40, 3)}
    assert run.reports[1].endswith("40x24, 30 fps, MJPG (fake)")


def test_trouble_is_the_reason_of_a_loss() -> None:
    with CameraRun(over_time((1, "good"), (60, "black"))) as run:
        run.frames(10)
        assert "black" in run.camera.trouble
        assert run.camera.silent_s() == pytest.approx(9, abs=1)


def test_frozen_and_black_frames_are_not_delivered() -> None:
    with CameraRun(over_time((1, "good"), (30, "equal"), (30, "black"))) as run:
        run.frames(3)
        frozen = run.frames(27)
        run.frames(2)
        black = run.frames(28)

    assert (frozen, black) == ([], [])


@pytest.mark.parametrize("state", ["equal", "black"])
def test_first_good_frame_ends_the_loss_immediately(state: str) -> None:
    with CameraRun(over_time((1, "good"), (300, state))) as run:
        run.frames(301)
        (first, *_) = run.frames(0.1)

    assert run.device.opened < 15
    assert first.captured_at == pytest.approx(run.began + 301, abs=2 * FRAME_S)


def test_missing_camera_is_tried_every_five_seconds_and_reported_once() -> None:
    with CameraRun(over_time((1, "good"), (3600, "gone"))) as run:
        run.frames(3600)
        tries = np.diff(run.device.tries[1:])
        assert run.camera.trouble == "there is no such camera"
        (first, *_) = run.frames(10)
        assert run.camera.lost_s == pytest.approx(3600, abs=6)

    assert list(tries[:5]) == pytest.approx([0.5, 1, 2, 4, 5])
    assert set(np.round(tries[5:], 6)) == {5}
    assert first.captured_at
    assert first.captured_at - run.began - 3601 < 6
    assert [without_numbers(report) for report in run.reports] == [
        "webcam: reading it failed: No such device; reconnecting",
        "webcam: back after N s",
    ]


def test_slow_attempts_to_open_start_just_as_often() -> None:
    with CameraRun(over_time((1, "good"), (60, "far"))) as run:
        run.frames(60)

    assert np.diff(run.device.tries)[-8:] == pytest.approx(5)


def test_one_timeout_is_enough_to_reopen() -> None:
    with CameraRun(over_reads((30, "good"), (1, "timeout"))) as run:
        run.frames(10)

    assert run.device.opened == 2
    assert "no frames" in run.reports[0]


def test_camera_that_comes_back_with_another_size_is_opened_once() -> None:
    with CameraRun(over_reads((30, "good"), (1, "raise"), (600, "wide"))) as run:
        run.frames(10)

    assert run.device.opened == 2


def test_camera_that_fails_after_each_frame_is_not_reopened_ever_faster() -> None:
    with CameraRun(over_reads((1, "good"), (1, "raise"), repeat=True)) as run:
        run.frames(600)

    assert run.device.opened < 130


def test_back_off_restarts_after_two_good_seconds() -> None:
    with CameraRun(over_reads((90, "good"), (1, "raise"), repeat=True)) as run:
        run.frames(100)

    assert run.device.opened == pytest.approx(100 / (91 * FRAME_S + 0.25), abs=2)


def test_scene_that_often_stands_still_soon_raises_no_alarm() -> None:
    with CameraRun(over_reads((60, "good"), (200, "equal"), repeat=True)) as run:
        run.frames(200)

    assert run.camera.losses == 3  # with a patience of 1, 2 and 4 s; the scene stands still for 6.7 s


def test_missing_camera_is_an_error_at_the_start() -> None:
    run = CameraRun(over_time((60, "gone")))

    with pytest.raises(DeviceError, match="there is no such camera"), run:
        pass


def test_bug_is_raised_by_take() -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"), CameraRun(over_reads((9, "good"), (1, "bug"))) as run:
        run.frames(2)

    assert not run.device.is_open


def test_password_and_token_are_never_shown() -> None:
    with CameraRun(over_reads((9, "good"), (9, "error")), "rtsp://ann:secret@10.0.0.7/live?token=5f3a") as run:
        (frame, *_) = run.frames(5)

    assert frame.name == "rtsp://ann:***@10.0.0.7/live?token=***#frame=1"
    assert "secret" not in repr((run.reports, frame.name, frame.path, run.camera.name))
    assert "5f3a" not in repr((run.reports, frame.name, frame.path, run.camera.name))
    assert len(run.reports) == 2


def test_unknown_fault_to_accept_is_an_option_error() -> None:
    with pytest.raises(OptionError, match=r"black and frozen.*'blue'"):
        Camera.named("webcam", accept=frozenset({"blue"}))


def test_missing_camera_by_name_is_an_error_at_the_start() -> None:
    camera = Camera.named("webcam:987")

    with pytest.raises(DeviceError, match="no camera webcam:987"):
        camera.start()
