"""The page on the disk: its thumbnails show the images, are kept if nothing changed, and nothing else is touched."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeclf.runtime.errors import OutputError
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.review.page_file import Review, write_page
from edgeclf.runtime.review.thumbnails import ACROSS, SIDE, STAGE
from edgeclf.runtime.terminal.escaping import unescape
from tests.runtime.review.conftest import BLUE, ODD_NAMES, RED, write_image

Open = Callable[..., Review]


def content(name: str, folder: Path = Path("page_files")) -> Any:
    text = (folder / f"{name}.js").read_text("ascii")
    assert text.startswith(f'arrived("{name}", ')
    return json.loads(text[len(f'arrived("{name}", ') : -len(");\n")])


def sheets(folder: Path = Path("page_files")) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("sheet-*.jpg")}


@pytest.fixture
def page(results: Path, open_review: Open) -> Path:
    write_page(open_review(results), Path("page.html"))
    return Path("page.html")


def test_the_columns_are_those_of_the_rows(page: Path) -> None:
    rows = content("rows-0")
    assert rows["label"] == [0, 0, 1, 1, 1, 1, 1, 1, 0, -1]
    assert rows["status"] == [0, 0, 0, 0, 0, 0, 0, 1, 2, 3]
    assert rows["confidence"][:2] == [500_000, 750_000]
    assert rows["paths"][0] == "photos/b.png"
    assert rows["truth"] == [-1] * 10
    by_rank = [path for _, path in sorted(zip(rows["rank"], rows["paths"], strict=True))]
    assert by_rank == sorted(by_rank, key=unescape)
    assert list(sheets()) == rows["sheets"]


def test_a_thumbnail_is_the_whole_image_on_a_stage(page: Path) -> None:
    [name] = sheets()
    sheet = Preprocess((SIDE, ACROSS * SIDE))(f"page_files/{name}").astype(int)
    top, middle = SIDE // 16, SIDE // 2

    def colour(number: int, row: int) -> Any:
        return sheet[row, number * SIDE + SIDE // 2]

    for number, expected in ((0, RED), (2, BLUE), (7, RED), (9, STAGE)):
        assert np.abs(colour(number, middle) - expected).max() < 40, number
    assert np.abs(colour(0, top) - STAGE).max() < 40


def test_the_details_say_what_is_known_and_where_the_image_is(page: Path) -> None:
    details = content("details-0")
    assert details[1] == {
        "scores": [["ant", 0.75]],
        "about": [["size", "64 x 48 pixels"], ["file", "1,234 bytes"]],
        "image": "photos/a.png",
    }
    assert details[-1] == {"scores": [], "about": [["error", "truncated"], ["detail", "PNG without its end"]], "image": None}
    assert "photos/caf%E9.jpg" in [one["image"] for one in details]


def test_the_page_loads_nothing_from_elsewhere_and_no_name_is_html(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert "<img src=x" not in text


@pytest.mark.parametrize("names", [("</script><script>alert(1)</script>",), ("<!-- <script>", "b")], ids=["end", "comment"])
def test_a_class_cannot_end_the_script(names: tuple[str, ...], results: Path, open_review: Open) -> None:
    write_page(open_review(results, labels=names), Path("page.html"))
    text = Path("page.html").read_text("utf-8")
    assert names[0] not in text
    found = re.search(r'id="head">(.*)</script>', text)
    assert found
    assert set(names) < set(json.loads(found[1])["labels"])


def test_sheets_whose_images_have_not_changed_are_kept(page: Path, results: Path, open_review: Open) -> None:
    before = sheets()
    write_page(open_review(results), page)
    assert sheets() == before
    write_image(Path("photos/a.png"), BLUE, (30, 30))
    write_page(open_review(results), page)
    assert not set(sheets()) & set(before)
    assert len(sheets()) == 1


def test_only_files_of_earlier_pages_are_removed(page: Path, results: Path, open_review: Open) -> None:
    for name in ("rows-7.js", "sheet-0123456789abcdef0123.jpg", "mine.txt", "rows-x.js"):
        (Path("page_files") / name).write_text("")
    write_page(open_review(results), page)
    assert {"mine.txt", "rows-x.js"} < set(os.listdir("page_files"))
    assert not {"rows-7.js", "sheet-0123456789abcdef0123.jpg"} & set(os.listdir("page_files"))


def test_a_missing_image_is_counted(results: Path, open_review: Open) -> None:
    Path("photos/b.png").unlink()
    assert write_page(open_review(results), Path("page.html")) == 2  # and the one that failed


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mine.html", "exists already"),
        ("page.png", "must end in .html; name a page, such as page.html"),
        ("f.html", "folder"),
    ],
)
def test_what_is_no_page_of_ours_is_not_replaced(name: str, problem: str, results: Path, open_review: Open) -> None:
    Path("mine.html").write_text("<p>mine</p>")
    Path("f.html").mkdir()
    with pytest.raises(OutputError, match=problem):
        write_page(open_review(results), Path(name))
    assert Path("mine.html").read_text() == "<p>mine</p>"
    assert not Path("mine_files").exists()


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Thirty times the rows: what a list of all paths alone would take is several times the limit."""
    write_image(tmp_path / "a.png", size_hw=(8, 8))
    script = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from edgeclf.runtime.review.answer_index import AnswerIndex\n"
        "from edgeclf.runtime.review.answers import Answer\n"
        "from edgeclf.runtime.review.image_places import ImagePlaces\n"
        "from edgeclf.runtime.review.page_content import Labels\n"
        "from edgeclf.runtime.review.page_file import Review, write_page\n"
        "answers = (Answer(f'{n:0200}.png', 'ok', 'ant', .5, scores={'ant': .5}) for n in range(int(sys.argv[1])))\n"
        "index = AnswerIndex(answers)\n"
        "write_page(Review('r', index, ImagePlaces([]), Labels.of(index.labels)), Path('page.html'))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def peak_kb(rows: int) -> int:
        done = subprocess.run([sys.executable, "-c", script, str(rows)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    least = peak_kb(10_000)
    assert peak_kb(60_000) - least < 20_000


def test_odd_names_are_shown_as_text(page: Path) -> None:
    paths = content("rows-0")["paths"]
    assert len([name for name in ODD_NAMES if f"photos/{name}" in paths]) == 3  # the others are escaped
    assert {"photos/a\\nb.jpg", "photos/caf\\xe9.jpg"} < set(paths)
