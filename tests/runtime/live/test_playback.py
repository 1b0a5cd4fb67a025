"""A video that somebody watches plays at its own speed."""

import pytest

from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.live.playback import Playback


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def frame(position_s: float | None, source: int = 0) -> Frame:
    return Frame("clip.mp4", b"", "", source, position_s=position_s)


def waits(*steps: tuple[float | None, float], sources: tuple[int, ...] = ()) -> list[float]:
    """The wait for each frame. steps: the frame's position, and what passes between its due time and the next frame."""
    clock = Clock()
    playback, found = Playback(now=clock), []
    for number, (position_s, work_s) in enumerate(steps):
        found.append(playback.wait_s(frame(position_s, sources[number] if sources else 0)))
        clock.now += found[-1] + work_s
    return found


def test_each_frame_waits_for_its_time_in_the_video() -> None:
    assert waits((0.0, 0.03), (0.1, 0.03), (0.2, 0.0), (2.2, 0.0)) == pytest.approx([0, 0.07, 0.07, 2.0])


def test_a_slow_frame_is_followed_at_once_and_the_next_ones_are_on_time_again() -> None:
    assert waits((0.0, 0.25), (0.1, 0.0), (0.2, 0.0), (0.3, 0.0)) == pytest.approx([0, 0, 0, 0.05])


def test_a_long_delay_is_not_made_up_for_by_playing_faster() -> None:
    assert waits((0.0, 30.0), (0.1, 0.0), (0.2, 0.0)) == pytest.approx([0, 0, 0.1])


def test_the_next_video_begins_at_once() -> None:
    assert waits((0.0, 0.0), (9.0, 0.0), (0.0, 0.0), (0.5, 0.0), sources=(0, 0, 1, 1)) == pytest.approx([0, 9, 0, 0.5])


def test_a_nonsensical_time_does_not_stop_the_video_for_ever() -> None:
    assert waits((0.0, 0.0), (1e9, 0.0), (1e9 + 0.1, 0.0)) == pytest.approx([0, 60, 0.1])


def test_images_without_times_play_at_25_a_second() -> None:
    assert waits((None, 0.0), (None, 0.0), (None, 0.0)) == pytest.approx([0, 0.04, 0.04])
