"""One page that opens from the disk: it loads nothing, and no name from outside becomes markup in it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import OutputError, Reason
from edgeclf.runtime.model.prediction import Failure
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.evaluation import count_answers, count_probabilities
from edgeclf.train.results.report import MAX_FAILURES, ReportData, draw, page, worst_mistakes, write_report
from tests.support.pages import Page

MakeArrays = Callable[..., Arrays]

HOSTILE = ("<script>alert(1)</script>", "\"onload='x'", "two\nlines", "$x^{$", "caf\udce9", "\u202etxt.exe", "&lt;b&gt;")
SPELT = ("<script>alert(1)</script>", "\"onload='x'", r"two\nlines", "$x^{$", r"caf\xe9", r"\u202etxt.exe", "&lt;b&gt;")
HISTORY = [{"epoch": "0", "loss": "1", "accuracy": "0.5", "val_loss": "1", "val_accuracy": "0.5"}] * 3


def everything(make_arrays: MakeArrays, classes: int = len(HOSTILE)) -> ReportData:
    """A report with every section, full of names from hell; every answer is wrong, so that every file is shown."""
    arrays = make_arrays(14, classes)
    images = replace(arrays, paths=tuple(f"/photos/{HOSTILE[n % len(HOSTILE)]}/{n}.jpg" for n in range(14)))
    guessed = (np.eye(classes)[(arrays.labels + 1) % classes] * 0.8 + 0.2 / classes).astype(np.float32)
    return ReportData(
        HOSTILE[0],
        count_probabilities(guessed, arrays.labels, HOSTILE[:classes], 0.4 if classes == 2 else None),
        images,
        facts={"network": HOSTILE[1], "versions": {HOSTILE[2]: HOSTILE[0]}, "size": (64, 64), "rate": 0.001, "none": None},
        counts={"train": dict.fromkeys(HOSTILE[:classes], 1234), "test": {HOSTILE[0]: 5}},
        failures=[(f"{name}.jpg", Failure(Reason.EMPTY, f"{name} is empty")) for name in HOSTILE],
        history=HISTORY,
        best_epoch=2,
        uncalibrated=guessed,
        temperature=1.2345,
        samples=images,
    )


@pytest.fixture(scope="module")
def data(make_arrays: MakeArrays) -> ReportData:
    return everything(make_arrays)


@pytest.fixture(scope="module")
def written(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(tmp_path_factory.mktemp("report"), data)


@pytest.fixture(scope="module")
def parsed(written: Path) -> Page:
    return Page(written.read_text("utf-8"))


def test_the_page_is_well_formed(parsed: Page) -> None:
    assert parsed.well_nested
    assert (parsed.tags[0], parsed.tags.count("img"), parsed.tags.count("title")) == ("html", 5, 1)


def test_the_page_loads_nothing_from_elsewhere(written: Path, parsed: Page) -> None:
    assert parsed.resources
    assert [source for source in parsed.resources if not source.startswith("data:image/png;base64,")] == []
    assert not [word for word in ("url(", "@import", "http", "<script", "<link") if word in written.read_text("utf-8")]


def test_nothing_from_outside_becomes_markup(parsed: Page) -> None:
    known = {"html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "p", "div", "img"}
    assert set(parsed.tags) <= known | {"table", "tr", "th", "td"}
    assert parsed.attributes == {"lang", "charset", "name", "content", "class", "width", "alt", "src"}


@pytest.mark.parametrize("name", SPELT, ids=ascii)
def test_every_class_name_is_spelt_out_in_the_tables(parsed: Page, name: str) -> None:
    assert parsed.texts.count(name) >= 2  # by class, and in the counts of the parts


@pytest.mark.parametrize("name", SPELT, ids=ascii)
def test_every_file_name_is_spelt_out(parsed: Page, name: str) -> None:
    assert f"{name}.jpg" in parsed.texts
    assert f"{name} is empty" in parsed.texts
    assert [text for text in parsed.texts if text.startswith(f"/photos/{name}/")]


def test_the_page_is_named_after_the_data(parsed: Page) -> None:
    assert parsed.texts.count(SPELT[0]) >= 4  # title and heading, besides the tables
    assert "title" in parsed.tags


def test_the_figures_beside_the_page_are_those_in_it(written: Path, parsed: Page) -> None:
    inside = {base64.b64decode(source.partition(",")[2]) for source in parsed.resources}
    beside = {path.name: path.read_bytes() for path in written.parent.glob("*.png")}
    assert set(beside) == {"curves.png", "confusion.png", "calibration.png", "mistakes.png", "samples.png"}
    assert inside == set(beside.values())


def test_two_classes_have_a_roc_curve_too(make_arrays: MakeArrays) -> None:
    assert "roc.png" in draw(everything(make_arrays, 2))


def test_the_first_sentence_is_the_accuracy_and_what_it_is_worth(make_arrays: MakeArrays) -> None:
    guessed = np.tile(np.array([0.8, 0.2], np.float32), (40, 1))
    arrays = make_arrays(40)
    text = page(ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays), {})
    assert (
        '<p class="lead">Test accuracy 50.0% (95 % interval 35.2% to 64.8%) on 40 images '
        "used neither for fitting nor for stopping; always the most frequent class: 50.0%.</p>"
    ) in text


def test_the_page_follows_the_readers_colours_and_fits_a_phone(written: Path) -> None:
    text = written.read_text("utf-8")
    assert "color-scheme: light dark" in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_every_table_and_figure_scrolls_inside_itself(written: Path) -> None:
    text = written.read_text("utf-8")
    assert text.count('<div class="scroll"><table>') == text.count("<table>")
    assert text.count('<div class="scroll"><img ') == text.count("<img ")


def test_calibration_is_told_before_and_after(parsed: Page) -> None:
    told = " ".join(parsed.texts)
    assert "Before temperature scaling they were" in told
    assert "The temperature, found on the validation images, is 1.234." in told or "is 1.235." in told


def test_facts_are_told_in_plain_words(parsed: Page) -> None:
    assert {"64, 64", "0.001", f"{SPELT[2]} {SPELT[0]}"} <= set(parsed.texts)


def test_counts_are_told_by_part_and_class(parsed: Page) -> None:
    assert parsed.texts.count("1,234") == len(HOSTILE)


def test_the_worst_mistakes_are_the_surest_wrong_answers(make_arrays: MakeArrays) -> None:
    guessed = np.array([[0.6, 0.4], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]], np.float32)
    arrays = replace(make_arrays(4), labels=np.array([1, 1, 0, 0]))
    mistakes = worst_mistakes(ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays))
    assert [(mistake.path, mistake.truth, mistake.answer) for mistake in mistakes] == [
        ("3.png", 0, 1),
        ("2.png", 0, 1),
        ("0.png", 1, 0),
    ]
    assert mistakes[0].confidence == pytest.approx(0.8)


def test_no_mistake_is_said_and_not_drawn(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(10)
    guessed = np.eye(2, dtype=np.float32)[arrays.labels]
    bare = ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays)
    assert "mistakes.png" not in draw(bare)
    assert "None: every answer is right." in page(bare, {})


def test_what_is_left_out_has_no_section(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(10)
    bare = ReportData("data", count_answers(arrays.labels, arrays.labels, ("cat", "dog")), arrays)
    parsed = Page(page(bare, draw(bare)))
    headings = {"Training", "Calibration", "Worst mistakes", "Sample batch", "What was trained", "Data", "ROC curve"}
    assert headings & set(parsed.texts) == set()
    assert {"By class", "Confusion matrix"} <= set(parsed.texts)


def test_thousands_of_unreadable_files_are_counted_and_not_all_listed(data: ReportData) -> None:
    many = replace(data, failures=[(f"{n}.jpg", Failure(Reason.EMPTY, "")) for n in range(MAX_FAILURES + 1)])
    parsed = Page(page(many, {}))
    assert "201 files cannot be read and are left out; the first 200:" in parsed.texts
    assert ("199.jpg" in parsed.texts, "200.jpg" in parsed.texts) == (True, False)


def test_a_folder_that_cannot_be_written_is_one_sentence(data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(tmp_path / "file" / "report", data)
