"""The rows of `clf-run`: one for each image, whatever it is called and whatever is wrong with it."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from edgeclf.runtime.terminal.escaping import unescape
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.support.outputs import columns


@pytest.fixture
def odd_names(tmp_path: Path, png: bytes) -> set[bytes]:
    """Images in the folder `odd`. Their names are not UTF-8, contain control characters, or look like formulas."""
    names = {b"caf\xe9.png", b"two\nlines.png", b"\x1b[31mred.png", b"=1+1.png", b'"a", b.png', b"a\\nb.png", b"@x.png"}
    (tmp_path / "odd").mkdir()
    for name in names:
        with open(os.fsencode(tmp_path / "odd") + b"/" + name, "wb") as file:
            file.write(png)
    return names


@pytest.mark.parametrize("artefact", ["model.onnx", "model.int8.tflite"])
def test_a_trained_model_tells_the_classes_apart(
    clf_run: Invoke, artefact: str, run_folder: Path, image_folder: Path
) -> None:
    done = clf_run(run_folder / artefact, "-s", image_folder, "--workers", 2, "--batch", 3)

    rows = rows_of(done.stdout)
    assert len(rows) == 60
    assert sum(f"/{row['label']}/" in row["path"] for row in rows) >= 57


def test_bad_images_are_rows_and_exit_1(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    (photos / "a.png").write_bytes(b"")
    (photos / "b.png").write_bytes(b"text")
    (photos / "d.png").symlink_to("nowhere.png")
    os.mkfifo(photos / "e.jpg")

    done = clf_run(colour_model, "-s", "photos")

    assert done.exit_code == 1
    assert [row["error"] or row["status"] for row in rows_of(done.stdout)] == [
        "empty",
        "not_an_image",
        "ok",
        "not_found",
        "not_a_file",
    ]


def test_json_lines_hold_every_column(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    done = clf_run(colour_model, "-s", photos / "a.png", "--json")

    row = json.loads(done.stdout)
    assert list(row) == columns(".jsonl")
    assert (row["status"], row["width"], row["height"]) == ("ok", 48, 32)
    assert row["model"] == hashlib.sha256(colour_model.read_bytes()).hexdigest()[:16]


@pytest.mark.parametrize(("flags", "count"), [([], 1), (["--topk", "2"], 2), (["--topk", "all"], 3)], ids=str)
def test_as_many_classes_as_requested_best_first(
    flags: list[str], count: int, clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    done = clf_run(colour_model, "-s", photos / "a.png", "--json", *flags)

    row = json.loads(done.stdout)
    scores = list(row["top"].values())
    assert len(scores) == count
    assert scores == sorted(scores, reverse=True)
    assert next(iter(row["top"].items())) == (row["label"], row["confidence"])


def test_an_answer_below_the_threshold_is_a_guess(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    done = clf_run(colour_model, "-s", photos / "a.png", "--json", "--conf", 1)

    row = json.loads(done.stdout)
    assert (done.exit_code, row["status"], row["label"]) == (0, "unsure", "")
    assert row["guess"] == next(iter(row["top"]))
    assert 0 < row["confidence"] < 1
    assert len(row["top"]) == 1
    assert "(unsure)" in done.stderr


def test_the_suffix_of_the_output_chooses_its_format(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    clf_run(colour_model, "-s", "photos", "-o", "results.jsonl")

    lines = (photos.parent / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["photos/a.png", "photos/b.png", "photos/c.png"]


def test_a_file_that_is_named_gets_a_row_whatever_its_suffix(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    done = clf_run(colour_model, "-s", "photos/notes.txt")

    assert (done.exit_code, rows_of(done.stdout)[0]["error"]) == (1, "not_an_image")


def test_images_over_the_limit_are_not_decoded(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    done = clf_run(colour_model, "-s", photos / "a.png", "--json", "--max-pixels", 1000)

    row = json.loads(done.stdout)
    assert (row["error"], row["width"], row["height"]) == ("too_large", 48, 32)


def test_csv_gives_every_odd_name_back(clf_run: Invoke, colour_model: Path, odd_names: set[bytes]) -> None:
    done = clf_run(colour_model, "-s", "odd/*")

    assert done.exit_code == 0
    assert {os.fsencode(unescape(row["path"])) for row in rows_of(done.stdout)} == {b"odd/" + name for name in odd_names}


def test_json_lines_give_every_odd_name_back(clf_run: Invoke, colour_model: Path, odd_names: set[bytes]) -> None:
    done = clf_run(colour_model, "-s", "odd", "--json")

    found = {os.fsencode(unescape(json.loads(line)["path"])) for line in done.stdout.splitlines()}
    assert found == {b"odd/" + name for name in odd_names}


def test_odd_names_at_the_start_of_a_cell_are_harmless(
    clf_run: Invoke, colour_model: Path, odd_names: set[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("odd")

    done = clf_run(colour_model, "-s", "*")

    assert {os.fsencode(unescape(row["path"])) for row in rows_of(done.stdout)} == odd_names
    assert not re.search(r"(?m)^\"?[=+\-@]", done.stdout)


def test_nothing_unprintable_reaches_stdout_or_stderr(clf_run: Invoke, colour_model: Path, odd_names: set[bytes]) -> None:
    done = clf_run(colour_model, "-s", "odd")

    assert "".join(done.stdout.splitlines()).isprintable()
    assert "".join(done.stderr.splitlines()).isprintable()


def test_a_summary_for_programs(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    (photos / "b.png").write_bytes(b"")
    clf_run(colour_model, "-s", "photos", "-o", "r.csv", "--summary", "summary.json")

    summary = json.loads((photos.parent / "summary.json").read_text())
    assert (summary["images"], summary["failures"], summary["skipped"]) == (3, {"empty": 1}, 1)


@pytest.mark.parametrize(
    ("flags", "code"),
    [(["--max-failures", "1"], 2), (["--max-failures", "2"], 1), (["--max-failures", "1%"], 1)],
    ids=["too many", "as many as allowed", "a share of few images"],
)
def test_a_run_stops_when_too_many_images_fail(
    flags: list[str], code: int, clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    (photos / "a.png").write_bytes(b"")
    (photos / "d.png").write_bytes(b"")

    done = clf_run(colour_model, "-s", "photos", "--json", *flags)

    assert done.exit_code == code
    assert bool(re.search("2 of 4 images failed.* allows 1;", done.stderr)) == (code == 2)


def test_a_share_of_failures_is_checked_from_a_hundred_images_on(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    for number in range(150):
        (photos / f"x{number:03}.png").write_bytes(b"")

    done = clf_run(colour_model, "-s", "photos", "-o", "r.csv", "--max-failures", "5%")

    assert done.exit_code == 2
    assert re.search(r"[0-9]{2,3} of 1[0-9]{2} images failed.* allows 5%;", done.stderr)
