"""What follows from each answer: a row, a program, an image that is kept, something to see."""

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


class Seen:
    """A viewer that remembers."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []

    def show(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def close(self) -> None:
        """Nothing."""


class Played:
    """A session of two sources, and all that came of it."""

    def __init__(self, folder: Path, smoothing: SmoothingOptions, *, every_frame: bool = False) -> None:
        self.seen = Seen()
        self.told = folder / "told.txt"
        self._path = folder / "log.jsonl"
        self._opened = open_log(str(self._path))
        self._number = 0
        hook = folder / "hook.sh"
        hook.write_text(f'#!/bin/sh\necho "$CLF_LABEL" >> {self.told}\n')
        hook.chmod(0o755)
        self._hooks = Hooks([Hook("*", (str(hook),))], 0.0)
        unsure = UnsureFolder(folder / "unsure", 10**6)
        outputs = SessionOutputs(self._opened.__enter__(), self._hooks, OpenViewers([self.seen]), unsure, every_frame)
        self.session = Session(["left", "right"], RowBuilder(2, model="abcd"), smoothing, outputs)

    def answer(self, *cats: float | Failure, source: int = 0) -> list[Row]:
        """Answers with these probabilities of `cat`."""
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
def played(tmp_path: Path) -> Iterator[Played]:
    played = Played(tmp_path, SmoothingOptions(1, 0.0, 0.6))
    yield played
    played.close()


def labels(rows: Sequence[dict[str, object]]) -> list[object]:
    return [row["label"] or row["error"] or row["status"] for row in rows]


def test_log_has_the_changes(played: Played) -> None:
    played.answer(0.9, 0.9, 0.1, 0.55, 0.55, FAILED, FAILED, 0.9)
    assert labels(played.rows) == ["cat", "dog", "unsure", "corrupt", "cat"]


def test_each_source_has_changes_of_its_own(played: Played) -> None:
    played.answer(0.9)
    played.answer(0.9, source=1)
    played.answer(0.9)
    assert [row["path"] for row in played.rows] == ["cam#frame=1", "cam#frame=2"]


def test_row_says_what_is_held_and_how_old_the_frame_is(tmp_path: Path) -> None:
    played = Played(tmp_path, SmoothingOptions(2, 0.1))
    row = played.answer(0.9, 0.2)[-1]
    played.close()
    assert (row.label, row.confidence, row.top) == ("cat", 0.55, {"cat": 0.55, "dog": 0.45})
    assert (row.status, row.model, row.width, row.height) == ("ok", "abcd", 64, 48)
    assert row.age_ms is not None
    assert row.age_ms >= 50


def test_every_frame_is_a_row_where_that_is_asked_for(tmp_path: Path) -> None:
    played = Played(tmp_path, SmoothingOptions(), every_frame=True)
    played.answer(0.9, 0.9, 0.9)
    assert labels(played.rows) == ["cat"] * 3
    played.close()


def test_lost_source_is_one_row_and_no_frame(played: Played) -> None:
    played.answer(0.9)
    for _ in range(3):
        played.session.update_troubles({0: "it gives no images"})
    played.answer(0.9)
    assert labels(played.rows) == ["cat", "lost", "cat"]
    assert played.rows[1]["path"] == "left"
    assert played.rows[1]["detail"] == "it gives no images"
    assert (played.session.summary.total, played.session.summary.failures.total()) == (2, 0)


def test_what_came_before_a_loss_has_no_weight_after_it(tmp_path: Path) -> None:
    played = Played(tmp_path, SmoothingOptions(10, 0.0))
    played.answer(0.9, 0.9, 0.9)
    played.session.update_troubles({0: "gone"})
    assert played.answer(0.2)[0].label == "dog"
    played.close()


def test_programs_are_told(played: Played) -> None:
    played.answer(0.9, 0.9, 0.1, 0.55)
    assert played.told.read_text().split() == ["cat", "dog", "unsure"]


def test_unsure_images_are_kept_under_their_guess(played: Played, tmp_path: Path) -> None:
    played.answer(0.9, 0.41)
    assert [path.parent.name for path in tmp_path.rglob("*.jpg")] == ["dog"]


def test_everything_is_shown(played: Played) -> None:
    played.answer(0.9, 0.9, 0.55, FAILED)
    shown = played.seen.snapshots
    assert [(one.source, one.label, one.changed) for one in shown] == [
        ("left", "cat", True),
        ("left", "cat", False),
        ("left", "unsure", True),
        ("left", "", True),
    ]
    assert shown[0].scores == (("cat", pytest.approx(0.9)), ("dog", pytest.approx(0.1)))
    assert shown[1].fps > 0
    assert shown[-1].trouble == "a frame that does not decode"


def test_loss_is_shown_on_the_last_image(played: Played) -> None:
    played.answer(0.9)
    for _ in range(3):
        played.session.update_troubles({0: "frozen"})
    _, last = played.seen.snapshots
    assert (last.label, last.scores, last.changed, last.trouble) == ("", (), True, "frozen")
    assert np.shares_memory(last.image, IMAGE)


def test_loss_before_the_first_image_shows_nothing(played: Played) -> None:
    played.session.update_troubles({1: "never came"})
    assert played.seen.snapshots == []
    assert labels(played.rows) == ["lost"]


def test_file_that_could_not_be_read_is_not_read_again_to_be_shown(played: Played, tmp_path: Path) -> None:
    """It may be one that would fill the memory."""
    (tmp_path / "huge.png").write_bytes(cv2.imencode(".png", IMAGE)[1].tobytes())
    frame = Frame("huge.png", str(tmp_path / "huge.png"))
    played.session.process(Outcome(frame, Failure(Reason.TOO_LARGE, "too many pixels")))
    assert played.seen.snapshots == []
