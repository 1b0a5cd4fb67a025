"""Which columns a run writes: they follow its options, and a later run with others is told so."""

import codecs
import csv
import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.support.outputs import columns
from tests.support.photos import photo

PLACE = ["taken_at", "taken_offset_h", "latitude", "longitude", "camera"]
IN_SYDNEY = ["2026-05-01T12:34:56", "2.000000", "-33.856700", "151.215000", "Canon EOS 80D"]


@pytest.fixture
def trip(tmp_path: Path, png: bytes) -> Path:
    """A photo with EXIF, an image without, and a photo that is cut off."""
    folder = tmp_path / "trip"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo())
    (folder / "b.png").write_bytes(png)
    (folder / "c.jpg").write_bytes(photo()[:-100])
    return folder


def test_more_classes_have_columns_of_their_own(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    plain, three, every = (
        rows_of(clf_run(colour_model, "-s", photos / "a.png", *flags).stdout)[0]
        for flags in ([], ["--topk", "9"], ["--topk", "all"])
    )

    assert list(plain) == columns()
    assert [name for name in three if name not in plain] == ["label_2", "confidence_2", "label_3", "confidence_3"]
    assert {three["label"], three["label_2"], three["label_3"]} == {"red", "green", "blue"}
    assert [name for name in every if name not in plain] == ["score_red", "score_green", "score_blue"]
    assert every[f"score_{plain['label']}"] == plain["confidence"]
    assert every[f"score_{three['label_3']}"] == three["confidence_3"]


@pytest.mark.parametrize("flag", ["--exif", "--topk"])
def test_rows_with_other_columns_are_not_mixed(flag: str, clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    line = [colour_model, "-s", "photos", "-o", "r.csv"]
    clf_run(*line, *(["--topk", "3"] if flag == "--topk" else []))

    done = clf_run(*line, *(["--topk", "all"] if flag == "--topk" else [flag]))

    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert flag in done.stderr


def test_a_photo_says_when_where_and_with_which_camera(clf_run: Invoke, colour_model: Path, trip: Path) -> None:
    good, plain, cut = rows_of(clf_run(colour_model, "-s", "trip", "--exif").stdout)

    assert [good[name] for name in PLACE] == IN_SYDNEY
    assert [row[name] for row in (plain, cut) for name in PLACE] == [""] * 10
    assert cut["error"] == "truncated"
    assert list(rows_of(clf_run(colour_model, "-s", "trip").stdout)[0]) == columns()


def test_what_a_photo_says_is_in_the_journal(clf_run: Invoke, colour_model: Path, trip: Path) -> None:
    line = [colour_model, "-s", "trip", "--exif", "-o"]
    clf_run(*line, "r.csv")
    (trip.parent / "r.csv").unlink()

    done = clf_run(*line, "r.csv")

    assert "all of them from earlier runs" in done.stderr
    good, plain, _ = rows_of((trip.parent / "r.csv").read_text())
    assert [good[name] for name in PLACE] == IN_SYDNEY
    assert plain["taken_at"] == ""


def test_json_lines_have_numbers_and_nulls(clf_run: Invoke, colour_model: Path, trip: Path) -> None:
    good, plain, _ = map(json.loads, clf_run(colour_model, "-s", "trip", "--exif", "--json").stdout.splitlines())

    assert (good["latitude"], good["longitude"]) == (-33.8567, 151.215)
    assert (plain["taken_at"], plain["latitude"], plain["camera"]) == (None, None, "")


def test_modified_is_the_files_last_change_and_empty_in_a_zip(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    os.utime(photos / "a.png", ns=(0, 1_790_000_000_123_456_789))
    with zipfile.ZipFile(photos.parent / "day.zip", "w") as archive:
        archive.write(photos / "a.png", "a.png")

    rows = rows_of(clf_run(colour_model, "-s", photos / "a.png", "-s", "day.zip").stdout)

    assert [row["modified"] for row in rows] == ["2026-09-21T14:13:20.123Z", ""]


def test_excel_gets_accents_and_dates_as_it_reads_them(
    clf_run: Invoke, colour_model: Path, tmp_path: Path, png: bytes
) -> None:
    (tmp_path / "caf\u00e9 \U0001f436.png").write_bytes(png)

    done = clf_run(colour_model, "-s", "*.png", "-o", "r.csv", "--excel", "--exif")

    assert done.exit_code == 0
    assert (tmp_path / "r.csv").read_bytes().startswith(codecs.BOM_UTF8 + b"path,")
    with open(tmp_path / "r.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["path"] == "caf\u00e9 \U0001f436.png"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row[name]) for name in ("time", "modified"))
    assert row["taken_at"] == ""
