"""A report that opens from the disk: it loads nothing, and names from outside never become markup."""

import base64
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeclf.runtime.errors import OutputError, Reason
from edgeclf.runtime.model.prediction import Failure
from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.evaluation import count_predictions, count_probabilities
from edgeclf.train.results.heatmap_figures import Heatmaps
from edgeclf.train.results.report import MAX_FAILURES, ReportData, draw, page, worst_mistakes, write_report
from tests.support.pages import Page

MakeArrays = Callable[..., Arrays]

HOSTILE = ("<script>alert(1)</script>", "\"onload='x'", "two\nlines", "$x^{$", "caf\udce9", "\u202etxt.exe", "&lt;b&gt;")
ESCAPED = ("<script>alert(1)</script>", "\"onload='x'", r"two\nlines", "$x^{$", r"caf\xe9", r"\u202etxt.exe", "&lt;b&gt;")
HISTORY = [{"epoch": "0", "loss": "1", "accuracy": "0.5", "val_loss": "1", "val_accuracy": "0.5"}] * 3


@pytest.fixture(scope="module")
def data(make_arrays: MakeArrays) -> ReportData:
    """A report with every section and hostile names. All predictions are wrong, so that all files are shown."""
    classes = len(HOSTILE)
    arrays = make_arrays(14, classes)
    images = replace(arrays, paths=tuple(f"/photos/{HOSTILE[n % len(HOSTILE)]}/{n}.jpg" for n in range(14)))
    guessed = (np.eye(classes)[(arrays.labels + 1) % classes] * 0.8 + 0.2 / classes).astype(np.float32)
    return ReportData(
        HOSTILE[0],
        count_probabilities(guessed, arrays.labels, HOSTILE),
        images,
        facts={"network": HOSTILE[1], "versions": {HOSTILE[2]: HOSTILE[0]}, "size": (64, 64), "rate": 0.001, "none": None},
        counts={"train": dict.fromkeys(HOSTILE, 1234), "test": {HOSTILE[0]: 5}},
        failures=[(f"{name}.jpg", Failure(Reason.EMPTY, f"{name} is empty")) for name in HOSTILE],
        history=HISTORY,
        best_epoch=2,
        uncalibrated=guessed,
        temperature=1.2345,
        samples=images,
    )


@pytest.fixture(scope="module")
def written(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(tmp_path_factory.mktemp("report"), data)


@pytest.fixture(scope="module")
def parsed(written: Path) -> Page:
    return Page(written.read_text("utf-8"))


def test_the_page_is_well_formed(parsed: Page) -> None:
    assert parsed.well_nested
    assert (parsed.tags[0], parsed.tags.count("img"), parsed.tags.count("title")) == ("html", 3, 1)


def test_the_page_loads_nothing_from_elsewhere(written: Path, parsed: Page) -> None:
    assert parsed.resources
    assert [source for source in parsed.resources if not source.startswith("data:image/png;base64,")] == []
    assert not [word for word in ("url(", "@import", "http", "<link", "fetch(") if word in written.read_text("utf-8")]


def test_nothing_from_outside_becomes_markup(parsed: Page) -> None:
    known = {"html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "p", "div", "img", "br"}
    known |= {"figure", "figcaption", "label", "select", "option", "input", "button"}
    assert set(parsed.tags) <= known | {"table", "thead", "tbody", "tr", "th", "td", "script"}
    assert parsed.tags.count("script") == 2, "the answers, and the program that shows them"
    assert not [name for name in parsed.attributes if name.startswith("on")]


@pytest.mark.parametrize("name", ESCAPED, ids=ascii)
def test_every_class_name_is_escaped_in_the_tables(parsed: Page, name: str) -> None:
    assert parsed.texts.count(name) >= 4  # twice in the confusion matrix, by class, and in the counts of the splits


@pytest.mark.parametrize("name", ESCAPED, ids=ascii)
def test_every_file_name_is_escaped(parsed: Page, name: str) -> None:
    assert f"{name}.jpg" in parsed.texts
    assert f"{name} is empty" in parsed.texts


def test_every_answer_is_in_the_gallery(parsed: Page) -> None:
    content = json.loads(next(text for text in parsed.texts if text.startswith('{"classes"')))
    assert content["classes"] == [*ESCAPED]
    assert len(content["answers"]) == content["total"] == 14
    assert {os.path.dirname(path) for _, _, _, path, _ in content["answers"]} == {f"/photos/{name}" for name in ESCAPED}


def test_the_title_is_the_name_of_the_data(parsed: Page) -> None:
    assert parsed.texts.count(ESCAPED[0]) >= 4  # title and heading, besides the tables
    assert "title" in parsed.tags


def test_the_page_contains_figures_of_the_folder(written: Path, parsed: Page) -> None:
    inside = {base64.b64decode(source.partition(",")[2]) for source in parsed.resources}
    beside = {path.name: path.read_bytes() for path in written.parent.glob("*.png")}
    assert set(beside) == {"curves.png", "confusion.png", "calibration.png", "mistakes.png", "samples.png"}
    assert inside == {beside[name] for name in ("curves.png", "calibration.png", "samples.png")}


def test_warnings_stand_at_the_top(data: ReportData) -> None:
    parsed = Page(page(replace(data, warnings=["it answers <b> only"]), {}))
    top = parsed.texts[: next(number for number, text in enumerate(parsed.texts) if text == "Test accuracy")]
    assert "Warning: it answers <b> only." in top


def test_the_first_card_has_accuracy_interval_and_baseline(make_arrays: MakeArrays) -> None:
    guessed = np.tile(np.array([0.8, 0.2], np.float32), (40, 1))
    arrays = make_arrays(40)
    parsed = Page(page(ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays), {}))
    assert [text for text in parsed.texts if text.strip()][3:7] == [
        "Test accuracy",
        "50.0%",
        "95 % interval 35.2% to 64.8%, on 40 images used neither for training nor for early stopping",
        "Always answering the most frequent class: 50.0%",
    ]


def test_the_other_cards_name_the_weakest_class_and_the_most_frequent_mistake(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(40)
    guessed = np.tile(np.array([0.8, 0.2], np.float32), (40, 1))
    text = " ".join(
        Page(page(ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays), {})).texts
    )
    assert "0.0% of 20 images of dog are found" in text
    assert "Look at 20 images of dog answered as cat" in text


@pytest.mark.parametrize(("best_epoch", "advised"), [(1, False), (2, True)])
def test_the_epoch_that_was_kept_decides_whether_more_images_are_advised(
    make_arrays: MakeArrays, best_epoch: int, advised: bool
) -> None:
    history = [{**HISTORY[0], "val_accuracy": value} for value in ("0.5", "0.2")]
    arrays = make_arrays(40)
    guessed = np.tile(np.array([0.8, 0.2], np.float32), (40, 1))
    data = ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays)
    text = page(replace(data, history=history, best_epoch=best_epoch), {})
    assert ("by heart" in text) == advised


def test_the_page_follows_the_colour_scheme_and_fits_a_phone(written: Path) -> None:
    text = written.read_text("utf-8")
    assert "color-scheme: light dark" in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_every_table_scrolls_on_its_own(written: Path) -> None:
    text = written.read_text("utf-8")
    assert text.count('<div class="scroll"><table') == text.count("<table")


def test_calibration_is_shown_before_and_after_scaling(parsed: Page) -> None:
    text = " ".join(parsed.texts)
    assert "Before temperature scaling, they differed by" in text
    assert re.search(r"temperature, .*validation split, is 1\.23[45]\.", text)


def test_facts_are_shown_as_plain_text(parsed: Page) -> None:
    assert {"64, 64", "0.001", f"{ESCAPED[2]} {ESCAPED[0]}"} <= set(parsed.texts)
    assert "none" not in parsed.texts, "values that are not known are left out"


def test_counts_are_shown_by_split_and_class(parsed: Page) -> None:
    assert parsed.texts.count("1,234") == len(HOSTILE)


def test_the_worst_mistakes_have_the_highest_confidence(make_arrays: MakeArrays) -> None:
    guessed = np.array([[0.6, 0.4], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]], np.float32)
    arrays = replace(make_arrays(4), labels=np.array([1, 1, 0, 0]))
    mistakes = worst_mistakes(ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays))
    assert [(mistake.path, mistake.truth, mistake.predicted) for mistake in mistakes] == [
        ("3.png", 0, 1),
        ("2.png", 0, 1),
        ("0.png", 1, 0),
    ]
    assert mistakes[0].confidence == pytest.approx(0.8)


def test_two_classes_have_a_roc_curve_and_no_figure_of_mistakes_without_mistakes(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(10)
    guessed = np.eye(2, dtype=np.float32)[arrays.labels]
    data = ReportData("data", count_probabilities(guessed, arrays.labels, ("cat", "dog")), arrays)
    assert set(draw(data)) == {"confusion.png", "calibration.png", "roc.png"}


def test_missing_data_has_no_section(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(10)
    bare = ReportData("data", count_predictions(arrays.labels, arrays.labels, ("cat", "dog")), arrays)
    parsed = Page(page(bare, draw(bare)))
    headings = {"Training and calibration", "Answers", "Sample batch", "Model and training", "Data"}
    assert headings & set(parsed.texts) == set()
    assert {"By class", "Confusion matrix"} <= set(parsed.texts)


def test_only_the_first_unreadable_files_are_listed(data: ReportData) -> None:
    many = replace(data, failures=[(f"{n}.jpg", Failure(Reason.EMPTY, "")) for n in range(MAX_FAILURES + 1)])
    parsed = Page(page(many, {}))
    assert "Skipped 201 unreadable files. The first 200:" in parsed.texts
    assert ("199.jpg" in parsed.texts, "200.jpg" in parsed.texts) == (True, False)


def test_a_folder_that_cannot_be_written_is_an_error(data: ReportData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(tmp_path / "file" / "report", data)


@pytest.mark.parametrize("is_exact", [True, False])
def test_an_image_is_beside_its_heatmap_and_its_name_stays_text(data: ReportData, is_exact: bool) -> None:
    heats = {position: np.eye(3, dtype=np.float32) for position in range(len(HOSTILE))}

    parsed = Page(page(replace(data, heatmaps=Heatmaps(heats, is_exact=is_exact)), {}))

    assert parsed.well_nested
    assert parsed.tags.count("img") == 2 * len(HOSTILE)
    assert len(set(parsed.resources)) == 2 * len(HOSTILE)
    assert parsed.tags.count("script") == 2
    assert not [name for name in parsed.attributes if name.startswith("on")]
    assert "Where the network looks" in parsed.texts
    assert any("(occlusion, 7 by 7 places)" in says for says in parsed.texts) == (not is_exact)
    assert any(f"true: {name}" in says for says in parsed.texts for name in ESCAPED)


def test_grey_images_have_heatmaps_too(make_arrays: MakeArrays) -> None:
    arrays = make_arrays(2, 2, shape=(12, 16, 1))
    evaluation = count_probabilities(np.array([[0.9, 0.1], [0.9, 0.1]], np.float32), arrays.labels, ("a", "b"))
    maps = Heatmaps({0: np.eye(3, dtype=np.float32)}, is_exact=True)

    assert page(ReportData("grey", evaluation, arrays, heatmaps=maps), {}).count("<img") == 2
