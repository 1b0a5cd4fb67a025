"""`clf-run` again: what the journal keeps, what is classified again, and where `--sort` puts the images."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeclf.runtime import ModelCard
from edgeclf.runtime.model.digest import embed_digest
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of


def test_another_model_does_not_go_on_with_a_journal(
    clf_run: Invoke, colour_model: Path, build_onnx: Callable[..., onnx.ModelProto], colour_card: ModelCard, photos: Path
) -> None:
    other = embed_digest(build_onnx(np.eye(3, dtype=np.float32), colour_card).SerializeToString())
    (photos.parent / "other.onnx").write_bytes(other)
    clf_run(colour_model, "-s", "photos", "-o", "r.csv")

    refused = clf_run("other.onnx", "-s", "photos", "-o", "r.csv")
    restarted = clf_run("other.onnx", "-s", "photos", "-o", "r.csv", "--restart")

    assert (refused.exit_code, restarted.exit_code) == (2, 0), restarted.stderr
    assert "r.csv.journal was made with model " in refused.stderr


def test_images_that_failed_are_classified_again_when_asked_for(
    clf_run: Invoke, colour_model: Path, photos: Path, png: bytes
) -> None:
    (photos / "b.png").write_bytes(b"")
    os.utime(photos / "b.png", (1, 1))
    clf_run(colour_model, "-s", "photos", "-o", "r.csv")
    unchanged = clf_run(colour_model, "-s", "photos", "-o", "r.csv")
    (photos / "b.png").write_bytes(png)

    retried = clf_run(colour_model, "-s", "photos", "-o", "r.csv", "--retry-failed")

    assert (unchanged.exit_code, retried.exit_code) == (1, 0)
    assert re.search("3 images, 1 of them ", retried.stderr)


def test_an_image_that_failed_and_is_gone_has_no_row_after_a_retry(
    clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    line = [colour_model, "-s", "photos", "-o", "r.csv"]
    (photos / "b.png").write_bytes(b"")
    (photos / "c.png").write_bytes(b"")
    clf_run(*line)
    (photos / "b.png").unlink()

    kept = clf_run(*line)
    retried = clf_run(*line, "--retry-failed")
    after = clf_run(*line)

    assert (kept.exit_code, retried.exit_code, after.exit_code) == (1, 1, 1)
    assert re.search(r"rows? left out.*: 1\b|\b1 .*left out", retried.stderr)
    names = [row["path"] for row in rows_of((photos.parent / "r.csv").read_text())]
    assert names == ["photos/a.png", "photos/c.png"]


@pytest.mark.parametrize("source", ["photos", "*/*.png", "photos/a.png"])
def test_sorting_needs_no_output(source: str, clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    done = clf_run(colour_model, "-s", source, "--sort", "copy", "--sort-dir", "new/deep")

    rows = rows_of(done.stdout)
    assert done.exit_code == 0, done.stderr
    assert {row["sorted_to"] for row in rows} == {
        str(path.relative_to(photos.parent)) for path in (photos.parent / "new").rglob("*.png")
    }
    assert clf_run("undo", "new/deep/clf-run.journal").exit_code == 0
    assert not list((photos.parent / "new").rglob("*.png"))


@pytest.mark.parametrize("source", ["photos", "photos/*.png", "@list.txt", "list.csv:path", "photos/a.png"])
def test_images_that_were_moved_keep_their_rows(source: str, clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    names = [f"photos/{name}.png" for name in "abc"]
    (photos.parent / "list.txt").write_text("\n".join(names))
    (photos.parent / "list.csv").write_text("\n".join(["path", *names]))
    line = [colour_model, "-s", source, "-o", "r.csv", "--sort", "move", "--sort-dir", "sorted"]
    clf_run(*line)
    first = (photos.parent / "r.csv").read_text()
    (photos.parent / "r.csv").unlink()

    again = clf_run(*line)

    assert again.exit_code == 0, again.stderr
    assert (photos.parent / "r.csv").read_text() == first
    assert {row["status"] for row in rows_of(first)} == {"ok"}


@pytest.fixture
def blue(encode: Callable[..., bytes]) -> bytes:
    """A blue image."""
    return encode(np.full((9, 9, 3), (0, 0, 250), np.uint8), "PNG")


def test_a_new_image_under_the_name_of_another_is_not_moved_in_its_place(
    clf_run: Invoke, colour_model: Path, photos: Path, blue: bytes
) -> None:
    line = [colour_model, "-s", "photos", "-o", "r.csv", "--sort", "move", "--sort-dir", "sorted"]
    clf_run(*line)
    journal = photos.parent / "r.csv.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if b"sorted_so_far" not in line))  # as after a kill before the moves
    shutil.rmtree(photos.parent / "sorted")
    (photos / "a.png").write_bytes(blue)

    done = clf_run(*line)

    rows = {row["path"]: row for row in rows_of((photos.parent / "r.csv").read_text())}
    assert (done.exit_code, rows["photos/a.png"]["label"]) == (0, "blue")
    assert [path.name for path in (photos.parent / "sorted").rglob("*.png")] == ["a.png"]
    assert (photos.parent / "sorted" / "blue" / "a.png").exists()


def test_a_name_that_is_used_again_is_another_image_once_the_first_was_moved(
    clf_run: Invoke, colour_model: Path, photos: Path, blue: bytes
) -> None:
    line = [colour_model, "-s", "photos", "-o", "r.csv", "--sort", "move", "--sort-dir", "sorted"]
    clf_run(*line)
    (photos / "a.png").write_bytes(blue)

    done = [clf_run(*line).exit_code for _ in range(2)]

    rows = rows_of((photos.parent / "r.csv").read_text())
    assert done == [0, 0]
    assert [row["path"][-5:] for row in rows] == ["a.png", "b.png", "c.png", "a.png"]
    assert len({row["sorted_to"] for row in rows}) == 4
    assert all((photos.parent / row["sorted_to"]).exists() for row in rows)


def test_images_are_not_sorted_into_a_folder_that_the_pattern_matches(
    clf_run: Invoke, colour_model: Path, photos: Path
) -> None:
    (photos / "sorted").mkdir()

    done = clf_run(colour_model, "-s", "photos/*", "--sort", "copy", "--sort-dir", "photos/sorted")

    assert done.exit_code == 2
    assert re.fullmatch("error: .*photos/sorted.* again.*\n", done.stderr)


def test_a_plan_touches_nothing(clf_run: Invoke, colour_model: Path, photos: Path) -> None:
    done = clf_run(colour_model, "-s", "photos", "-o", "r.csv", "--sort", "plan", "--sort-dir", "sorted")

    assert done.exit_code == 0
    assert not (photos.parent / "sorted").exists()
    assert len({row["sorted_to"] for row in rows_of((photos.parent / "r.csv").read_text())}) == 3
