"""`clf-run --save DIR`: every image that has an answer is there with the answer on it, and nothing else is touched."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.images.decode import Checks, decode
from tests.conftest import Invoke
from tests.runtime.cli.conftest import rows_of
from tests.support.archives import write_archive
from tests.support.files import files
from tests.support.photos import photo

NOT_UTF8 = os.fsdecode(b"caf\xe9.jpg")
TEAL = (0, 128, 118)


def coloured(colour: str, height: int = 480, width: int = 640, *, other: int = 30) -> bytes:
    """A PNG whose strongest colour is this one, as the model says it is."""
    pixels = np.full((height, width, 3), other, np.uint8)
    pixels[..., "bgr".index(colour)] = 220
    return cv2.imencode(".png", pixels)[1].tobytes()


def shown(path: Path) -> NDArray[np.uint8]:
    data = path.read_bytes()
    return decode(data, Checks(strict=True).header_of(data), 3)


def is_drawn_on(path: Path) -> bool:
    """Whether the bar of the best class is there."""
    return bool((np.abs(shown(path)[12:180, 12:275].astype(int) - TEAL).max(axis=2) < 25).sum() > 200)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Images in sub-folders, of several formats, with odd names; one of them is damaged."""
    folder = tmp_path / "album"
    (folder / "day 1").mkdir(parents=True)
    (folder / "day 1" / "\u00e9t\u00e9 \u72ac.jpg").write_bytes(photo())
    (folder / "day 1" / NOT_UTF8).write_bytes(photo())
    (folder / "day 1" / "small.png").write_bytes(coloured("g", 20, 30))
    (folder / "a.JPG").write_bytes(photo())
    (folder / "a.png").write_bytes(coloured("r"))
    (folder / "cut.jpg").write_bytes(photo()[:-100])
    return folder


def test_each_image_with_an_answer_is_drawn_under_its_name(
    clf_run: Invoke, colour_model: Path, album: Path, tmp_path: Path
) -> None:
    before = contents(album)

    done = clf_run(colour_model, "album", "--save", "drawn", "-o", "r.csv")

    names = ["a.JPG", "a.png.jpg", f"day 1/{NOT_UTF8}", "day 1/small.png.jpg", "day 1/\u00e9t\u00e9 \u72ac.jpg"]
    assert (done.exit_code, sorted(files(tmp_path / "drawn"))) == (1, sorted(names)), done.stderr
    assert all(is_drawn_on(tmp_path / "drawn" / name) for name in names)
    assert [row["error"] for row in rows_of((tmp_path / "r.csv").read_text()) if row["error"]] == ["truncated"]
    assert contents(album) == before


def test_an_image_is_upright_in_colour_and_of_its_size(clf_run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(coloured("r", 700, 900))

    clf_run(colour_model, "a.png", "--save", "drawn")

    drawn = shown(tmp_path / "drawn" / "a.png.jpg")
    assert drawn.shape == (700, 900, 3)
    assert np.abs(drawn[600:, 600:].astype(int) - (220, 30, 30)).max() < 12


def test_an_unsure_answer_is_drawn_in_another_colour(clf_run: Invoke, colour_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(coloured("g", other=210))

    clf_run(colour_model, "a.png", "--save", "sure")
    clf_run(colour_model, "a.png", "--save", "unsure", "--conf", "0.999")

    assert (is_drawn_on(tmp_path / "sure/a.png.jpg"), is_drawn_on(tmp_path / "unsure/a.png.jpg")) == (True, False)


def test_images_of_archives_are_drawn_and_colliding_names_get_numbers(
    clf_run: Invoke, colour_model: Path, tmp_path: Path
) -> None:
    write_archive(tmp_path / "one.zip", {"in/a.jpg": photo()})
    write_archive(tmp_path / "two.tar.gz", {"in/a.jpg": photo()})
    line = [colour_model, "one.zip", "two.tar.gz", "--save", "drawn", "-o", "r.csv"]

    first = clf_run(*line)
    before = contents(tmp_path / "drawn")
    again = clf_run(*line, "--restart")

    assert (first.exit_code, again.exit_code) == (0, 0), first.stderr + again.stderr
    assert sorted(before) == ["in/a (2).jpg", "in/a.jpg"]
    assert contents(tmp_path / "drawn") == before


def test_a_file_of_someone_else_stays(clf_run: Invoke, colour_model: Path, album: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "a.JPG").write_bytes(b"mine")
    (tmp_path / "drawn" / "a.png.jpg").symlink_to(album / "a.png")

    shutil.rmtree(album / "day 1")

    clf_run(colour_model, "album", "--save", "drawn")
    clf_run(colour_model, "album", "--save", "drawn")

    assert (tmp_path / "drawn" / "a.JPG").read_bytes() == b"mine"
    assert (album / "a.png").read_bytes() == coloured("r")
    assert sorted(files(tmp_path / "drawn")) == ["a (2).JPG", "a.JPG", "a.png (2).jpg", "a.png.jpg"]


def test_a_list_that_names_an_image_twice_has_it_once(
    clf_run: Invoke, colour_model: Path, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("album/a.png\n" * 40)

    done = clf_run(colour_model, "@list.txt", "--save", "drawn", "--workers", "8")

    assert (done.exit_code, files(tmp_path / "drawn")) == (0, ["album/a.png.jpg"]), done.stderr


def test_what_is_missing_in_the_folder_is_made_again(
    clf_run: Invoke, colour_model: Path, album: Path, tmp_path: Path
) -> None:
    line = [colour_model, "album", "-o", "r.csv"]
    clf_run(*line)  # without --save
    clf_run(*line, "--save", "drawn")
    before = contents(tmp_path / "drawn")
    (tmp_path / "drawn" / "a.JPG").unlink()

    done = clf_run(*line, "--save", "drawn")

    assert "6 images, 1 of them in this run" in done.stderr
    assert contents(tmp_path / "drawn") == before
    assert len(rows_of((tmp_path / "r.csv").read_text())) == 6


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["album", "--save", "album"], "lies in the source album"),
        (["album", "--save", "album/drawn"], "lies in the source album"),
        (["album", "--save", "."], "holds the source album"),
        (["album/*.png", "--save", "album"], "album"),
        (["@list.txt", "--save", "album"], "album/a.png lies in --save album itself"),
        (["album", "--save", "list.txt"], "--save list.txt is not a folder"),
        (["clip.mp4", "--save", "drawn"], "clip.mp4 is a video; record .* --record"),
        (["webcam", "--save", "drawn"], "--save is for image files; record .* --record"),
        (["album", "--ray", "auto", "-o", "rows", "--save", "drawn"], "--save does not combine with --ray"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_saved_is_one_sentence(
    arguments: list[str], pattern: str, clf_run: Invoke, colour_model: Path, album: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("album/a.png\n")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    before = contents(album)

    done = clf_run(colour_model, *arguments)

    assert done.exit_code == 2
    assert pattern.split(" .* ")[0] in done.stderr
    assert done.stderr.count("error:") == 1
    assert contents(album) == before


def test_what_cannot_be_written_ends_the_run(clf_run: Invoke, colour_model: Path, album: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "day 1").write_text("in the way")

    done = clf_run(colour_model, "album", "--save", "drawn", "-o", "r.csv")

    assert done.exit_code == 2
    assert "error: cannot write drawn/day 1/" in done.stderr


def test_a_run_that_is_killed_loses_no_image(colour_model: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(60):
        (tmp_path / "photos" / f"{number:03}.jpg").write_bytes(photo())
    line = [str(Path(sys.executable).with_name("clf-run")), str(colour_model), "photos", "-o", "r.csv", "--save", "drawn"]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("drawn/01*.jpg")) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)

    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "drawn").iterdir() if not path.name.startswith(".")}
    assert sorted(drawn) == [f"{number:03}.jpg" for number in range(60)]
    assert all(is_drawn_on(tmp_path / "drawn" / name) for name in ("000.jpg", "030.jpg", "059.jpg"))
