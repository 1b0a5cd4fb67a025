"""Rows: what an outcome becomes, and the file that it describes."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import Reason
from edgeclf.runtime.images.frame import Frame
from edgeclf.runtime.model.prediction import Failure, Outcome, Prediction
from edgeclf.runtime.results.row import Row, RowBuilder
from edgeclf.runtime.sources.source_part import file_frame

ANSWER = Prediction(("cat", "dog"), np.array([0.25, 0.75], np.float32))
FAILURE = Failure(Reason.EMPTY, "the file holds 0 bytes")
RESULTS = pytest.mark.parametrize("result", [ANSWER, FAILURE], ids=["answer", "failure"])
MTIME_NS = 1_790_000_000_123_456_700
"""Windows counts in steps of 100 ns."""


def row_of(frame: Frame, result: Prediction | Failure = ANSWER) -> Row:
    return RowBuilder(model="0123456789abcdef").row(Outcome(frame, result), "2026-01-02T03:04:05.678Z")


@pytest.fixture
def listed(tmp_path: Path) -> Frame:
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(1234))
    os.utime(path, ns=(0, MTIME_NS))
    return file_frame(f"{tmp_path}/", path.name, 0)


@RESULTS
def test_a_row_has_the_size_and_time_of_its_file(listed: Frame, result: Prediction | Failure) -> None:
    row = row_of(listed, result)

    assert (row.size_bytes, row.mtime_ns) == (1234, MTIME_NS)


@RESULTS
def test_a_row_of_a_missing_file_has_no_size_and_no_time(tmp_path: Path, result: Prediction | Failure) -> None:
    row = row_of(file_frame(f"{tmp_path}/", "gone.jpg", 0), result)

    assert (row.size_bytes, row.mtime_ns) == (None, None)


def test_a_row_of_a_camera_has_no_size_and_no_time() -> None:
    row = row_of(Frame("webcam#frame=1", np.zeros((4, 4, 3), np.uint8), captured_at=0.0))

    assert (row.size_bytes, row.mtime_ns) == (None, None)


def test_an_empty_file_has_a_size(listed: Frame) -> None:
    assert row_of(replace(listed, size_bytes=0)).size_bytes == 0


@pytest.mark.parametrize("time_ns", [0, -2, -(1 << 63), (1 << 63) - 1])
def test_a_time_before_1970_is_kept(listed: Frame, time_ns: int) -> None:
    assert row_of(replace(listed, mtime_ns=time_ns)).mtime_ns == time_ns


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1])
def test_a_number_beyond_64_bits_is_left_out(listed: Frame, number: int) -> None:
    row = row_of(replace(listed, size_bytes=number, mtime_ns=number))

    assert (row.size_bytes, row.mtime_ns) == (None, None)


@pytest.mark.parametrize(
    ("time_ns", "modified"),
    [
        (1_790_000_000_123_999_999, "2026-09-21T14:13:20.123Z"),
        (-1_000_000_000, "1969-12-31T23:59:59.000Z"),
        ((1 << 63) - 1, "2262-04-11T23:47:16.854Z"),
        (-(1 << 63), "1677-09-21T00:12:43.145Z"),
        ((1 << 32) - 1, None),
        (0, None),
        (-1, None),
    ],
)
def test_modified_is_the_time_of_the_file_unless_a_checksum_stands_for_it(
    listed: Frame, time_ns: int, modified: str | None
) -> None:
    assert row_of(replace(listed, mtime_ns=time_ns)).modified == modified
