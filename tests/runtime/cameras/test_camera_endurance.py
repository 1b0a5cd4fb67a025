"""A camera recovers from every fault again and again, without a leak and without growing slower."""

import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from tests.support.fake_camera import FPS, NEVER, CameraRun, Script, over_reads, without_numbers

FRAME_S = 1 / FPS

APART: Script = over_reads(
    *((60, "good"), (5, "error"), (40, "good"), (40, "equal"), (40, "good"), (10, "black"), (40, "good"), (1, "raise")),
    *((64, "good"), (100, "wide")),
    repeat=True,
)
TOGETHER: Script = over_reads(
    *((160, "good"), (5, "error"), (40, "equal"), (10, "black"), (1, "raise"), (184, "wide")), repeat=True
)
CYCLE = 400
NO_FRAMES = "webcam: it gives no frames; reconnecting"
FROZEN = "webcam: the image is frozen (if the scene may stand still, use --accept frozen); reconnecting"
BLACK = "webcam: the image is black (if the scene may be dark, use --accept black); reconnecting"
FAILED = "webcam: reading it failed: No such device; reconnecting"
ANOTHER_SIZE = "webcam: the frame size changed from N to N; reconnecting"
BACK = "webcam: back after N s"
BACK_WITH_ANOTHER_SIZE = "webcam: back after N s; it now gives N, N fps, MJPG (fake)"
REPORTS_APART = {NO_FRAMES: 1, FROZEN: 1, BLACK: 1, FAILED: 1, ANOTHER_SIZE: 2, BACK: 4, BACK_WITH_ANOTHER_SIZE: 2}
REPORTS_TOGETHER = {NO_FRAMES: 1, FROZEN: 1, BLACK: 1, ANOTHER_SIZE: 1, BACK: 2, BACK_WITH_ANOTHER_SIZE: 2}
"""How many times each is reported in a cycle."""


class LongRun:
    """What a consumer observes of a camera, in a fixed amount of memory. Ages and times are in seconds."""

    WORK_S = (0.01, 0.03, 0.02, 0.06, 0.015)

    def __init__(self, script: Script, cycles: int) -> None:
        self.reports: Counter[str] = Counter()
        self.ages = np.full(cycles * CYCLE, np.nan)
        self.longest_recovery = 0.0
        self.resident_bytes = np.zeros(cycles)
        with CameraRun(script, report=self._count_report) as run:
            self._watch(run, cycles)
        self.threads_left = threading.active_count() - 1

    def _watch(self, run: CameraRun, cycles: int) -> None:
        taken, bad_at = 0, 0.0
        for cycle in range(cycles):
            while run.device.reads < (cycle + 1) * CYCLE:
                frame = run.next_frame(0.2)
                if frame is None:
                    continue
                assert frame.captured_at
                self.ages[taken] = run.clock.now() - frame.captured_at
                if bad_at < run.device.last_bad < frame.captured_at:
                    bad_at = run.device.last_bad
                    self.longest_recovery = max(self.longest_recovery, frame.captured_at - bad_at)
                run.clock.wait(NEVER, self.WORK_S[taken % len(self.WORK_S)])
                taken += 1
            self.resident_bytes[cycle] = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        run.frames(1.5)  # so that the last fault of the last cycle is over

    def _count_report(self, sentence: str) -> None:
        self.reports[without_numbers(sentence)] += 1


SCRIPTS = {"apart": (APART, REPORTS_APART), "together": (TOGETHER, REPORTS_TOGETHER)}


def observe(name: str, cycles: int) -> LongRun:
    return LongRun(SCRIPTS[name][0], cycles)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("cycles", [5, pytest.param(500, marks=pytest.mark.slow)])
def test_camera_recovers_from_every_fault_again_and_again(name: str, cycles: int) -> None:
    with ProcessPoolExecutor(1, get_context("fork")) as alone:  # so that only this run's memory is measured
        run = alone.submit(observe, name, cycles).result()
    assert {sentence: count / cycles for sentence, count in run.reports.items()} == SCRIPTS[name][1]
    assert run.threads_left == 0
    assert 0 < run.longest_recovery < 6
    assert np.nanpercentile(run.ages, 99) < 2 * FRAME_S
    assert np.count_nonzero(~np.isnan(run.ages)) > 0.6 * cycles * CYCLE
    settled = run.resident_bytes[cycles // 5 :]
    assert cycles < 500 or np.polyfit(np.arange(len(settled)) * CYCLE, settled, 1)[0] * 100_000 < 1e6
