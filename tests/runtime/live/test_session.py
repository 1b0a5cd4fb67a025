"""What happens to each answer: it is logged, passed to hooks, saved if unsure, and shown."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.live.hooks import Hook, Hooks
from edgeclf.runtime.live.log import open_log
from edgeclf.runtime.live.session import Session, SessionOutputs
from edgeclf.runtime.live.smoothing import SmoothingOptions
from edgeclf.runtime.live.unsure import UnsureFolder
from edgeclf.runtime.live.viewers.open_viewers import OpenViewers
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction
from edgeclf.runtime.results.row import Row, RowBuilder

IMAGE = np.full((48, 64, 3), 90, np.uint8)
FAILED = Failure(Reason.CORRUPT, "a frame that does not decode")


class SnapshotList:
    """A viewer that keeps all snapshots."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def show(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def close(self) -> None:
        """Nothing to close."""


class SessionUnderTest:
    """A session of two sources with all its outputs."""

    def __init__(self, folder: Path, smoothing: SmoothingOptions, *, every_frame: bool = False) -> None:
        self.viewer = SnapshotList()
        self.hook_output = folder / "hook.txt"
        self._path = folder / "log.jsonl"
        self._opened = open_log(str(self._path))
        self._number = 0
        hook = folder / "hook.sh"
        hook.write_text(f'#!/bin/sh\necho "$CLF_LABEL" >> {self.hook_output}\n')
        hook.chmod(0o755)
        self._hooks = Hooks([Hook("*", (str(hook),))], 0.0)
        unsure = UnsureFolder(folder / "unsure", 10**6)
        outputs = SessionOutputs(self._opened.__enter__(), self._hooks, OpenViewers([self.viewer]), unsure, every_frame)
        self.session = Session(["left", "right"], RowBuilder(2, model="abcd"), smoothing, outputs)

    def answer(self, *cats: float | Failure, source: int = 0) -> list[Row]:
        """Process answers with these probabilities of `cat`."""
        return [self._answer(cat, source) for cat in cats]

    def _answer(self, cat: float | Failure, source: int) -> Row:
        self._number += 1
        frame = Frame(f"cam#frame={self._number}", IMAGE, source=source, captured_at=time.monotonic() - 0.05)
        result = cat if isinstance(cat, Failure) else Prediction(("cat", "dog"), np.array([cat, 1 - cat], np.float32))
        row = self.session.process(Outcome(frame, result, (48, 64)))
        self._hooks.close()
        return row

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def close(self) -> None:
        self._opened.__exit__(None, None, None)


@pytest.fixture
def tested(tmp_path: Path) -> Iterator[SessionUnderTest]:
    tested = SessionUnderTest(tmp_path, SmoothingOptions(1, 0.0, 0.6))
    yield tested
    tested.close()


def labels(rows: Sequence[dict[str, object]]) -> list[object]:
    return [row["label"] or row["error"] or row["status"] for row in rows]


def test_the_log_has_only_changes(tested: SessionUnderTest) -> None:
    tested.answer(0.9, 0.9, 0.1, 0.55, 0.55, FAILED, FAILED, 0.9)
    assert labels(tested.rows) == ["cat", "dog", "unsure", "corrupt", "cat"]


def test_each_source_has_its_own_changes(tested: SessionUnderTest) -> None:
    tested.answer(0.9)
    tested.answer(0.9, source=1)
    tested.answer(0.9)
    assert [row["path"] for row in tested.rows] == ["cam#frame=1", "cam#frame=2"]


def test_a_row_has_the_smoothed_label_and_the_age_of_its_frame(tmp_path: Path) -> None:
    tested = SessionUnderTest(tmp_path, SmoothingOptions(2, 0.1))
    row = tested.answer(0.9, 0.2)[-1]
    tested.close()
    assert (row.label, row.confidence, row.top) == ("cat", 0.55, {"cat": 0.55, "dog": 0.45})
    assert (row.status, row.model, row.width, row.height) == ("ok", "abcd", 64, 48)
    assert row.age_ms is not None
    assert row.age_ms >= 50


def test_every_frame_is_logged_on_request(tmp_path: Path) -> None:
    tested = SessionUnderTest(tmp_path, SmoothingOptions(), every_frame=True)
    tested.answer(0.9, 0.9, 0.9)
    assert labels(tested.rows) == ["cat"] * 3
    tested.close()


def test_a_lost_source_is_one_row_and_not_counted_as_a_frame(tested: SessionUnderTest) -> None:
    tested.answer(0.9)
    for _ in range(3):
        tested.session.update_troubles({0: "it gives no images"})
    tested.answer(0.9)
    assert labels(tested.rows) == ["cat", "lost", "cat"]
    assert tested.rows[1]["path"] == "left"
    assert tested.rows[1]["detail"] == "it gives no images"
    assert (tested.session.summary.total, tested.session.summary.failures.total()) == (2, 0)


def test_answers_before_a_loss_have_no_weight(tmp_path: Path) -> None:
    tested = SessionUnderTest(tmp_path, SmoothingOptions(10, 0.0))
    tested.answer(0.9, 0.9, 0.9)
    tested.session.update_troubles({0: "gone"})
    assert tested.answer(0.2)[0].label == "dog"
    tested.close()


def test_hooks_get_the_changes(tested: SessionUnderTest) -> None:
    tested.answer(0.9, 0.9, 0.1, 0.55)
    assert tested.hook_output.read_text().split() == ["cat", "dog", "unsure"]


def test_unsure_images_are_saved_under_their_guess(tested: SessionUnderTest, tmp_path: Path) -> None:
    tested.answer(0.9, 0.41)
    assert [path.parent.name for path in tmp_path.rglob("*.jpg")] == ["dog"]


def test_every_answer_is_shown(tested: SessionUnderTest) -> None:
    tested.answer(0.9, 0.9, 0.55, FAILED)
    shown = tested.viewer.snapshots
    assert [(one.source, one.label, one.changed) for one in shown] == [
        ("left", "cat", True),
        ("left", "cat", False),
        ("left", "unsure", True),
        ("left", "", True),
    ]
    assert shown[0].scores == (("cat", pytest.approx(0.9)), ("dog", pytest.approx(0.1)))
    assert shown[1].fps > 0
    assert shown[-1].trouble == "a frame that does not decode"


def test_a_loss_is_shown_on_the_last_image(tested: SessionUnderTest) -> None:
    tested.answer(0.9)
    for _ in range(3):
        tested.session.update_troubles({0: "frozen"})
    _, last = tested.viewer.snapshots
    assert (last.label, last.scores, last.changed, last.trouble) == ("", (), True, "frozen")
    assert np.shares_memory(last.image, IMAGE)


def test_a_loss_before_the_first_image_shows_nothing(tested: SessionUnderTest) -> None:
    tested.session.update_troubles({1: "never came"})
    assert tested.viewer.snapshots == []
    assert labels(tested.rows) == ["lost"]


def test_an_unreadable_file_is_not_read_again_to_be_shown(tested: SessionUnderTest, tmp_path: Path) -> None:
    """It may be large enough to fill the memory."""
    (tmp_path / "huge.png").write_bytes(cv2.imencode(".png", IMAGE)[1].tobytes())
    frame = Frame("huge.png", str(tmp_path / "huge.png"))
    tested.session.process(Outcome(frame, Failure(Reason.TOO_LARGE, "too many pixels")))
    assert tested.viewer.snapshots == []


def test_an_unsure_row_has_the_guess_of_the_smoothed_answer(tmp_path: Path) -> None:
    tested = SessionUnderTest(tmp_path, SmoothingOptions(threshold=0.7))

    (unsure,) = tested.answer(0.4)
    (sure,) = tested.answer(0.9)
    tested.close()

    assert (unsure.status, unsure.label, unsure.guess) == ("unsure", "", "dog")
    assert (sure.label, sure.guess) == ("cat", "")
