"""The report in a real browser: it fits a desktop and a phone, and the confusion matrix opens its images."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeclf.train.data.arrays import Arrays
from edgeclf.train.results.evaluation import count_probabilities
from edgeclf.train.results.heatmap_figures import Heatmaps
from edgeclf.train.results.report import ReportData, write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CLASSES = ("cat", "<b>dog</b>", "a class with quite a long name", "d", "e", "f")
CONFUSION = (np.arange(36).reshape(6, 6) * 7 % 5).astype(np.int64)
"""How many images of each class (rows) get each answer (columns)."""
CUT_OFF = """() => [...document.querySelectorAll('main *')].filter(element => {
    const {left, right} = element.getBoundingClientRect();
    return !element.closest('.scroll') && (left < 0 || right > innerWidth + 1);
}).map(element => element.outerHTML.slice(0, 100))"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome here"),
]


@pytest.fixture(scope="module")
def report(make_arrays: Callable[..., Arrays], tmp_path_factory: pytest.TempPathFactory) -> Path:
    pairs = [(true, answer) for true in range(6) for answer in range(6) for _ in range(CONFUSION[true, answer])]
    labels, answers = np.array(pairs).T
    guessed = np.full((len(pairs), 6), 0.08, np.float32)
    guessed[np.arange(len(pairs)), answers] = 0.6
    arrays = replace(make_arrays(len(pairs), 6), labels=labels)
    history = [{"epoch": "0", "loss": "1", "accuracy": "0.5", "val_loss": "1", "val_accuracy": "0.5"}] * 3
    maps = Heatmaps({position: np.eye(7, dtype=np.float32) for position in range(12)}, is_exact=True)
    data = ReportData("cats", count_probabilities(guessed, labels, CLASSES), arrays, history=history, best_epoch=2)
    data = replace(data, heatmaps=maps)
    return write_report(tmp_path_factory.mktemp("report"), data)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Opens the report in a new tab. The page must cause no error."""
    errors: list[str] = []
    contexts = []

    def open_tab(**options: Any) -> Any:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(report.as_uri())
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off(visit: Callable[..., Any], width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    matrix = page.locator(".confusion").bounding_box()
    assert matrix["x"] + matrix["width"] <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 26)" if scheme == "dark" else "rgb(255, 255, 255)")


def test_a_cell_of_the_confusion_matrix_shows_exactly_its_images(visit: Callable[..., Any]) -> None:
    page = visit()
    assert page.locator("#images figure").count() == min(60, CONFUSION.sum())
    for true, answer in np.argwhere(CONFUSION):
        page.locator(f'.confusion button[data-true="{true}"][data-predicted="{answer}"]').click()
        assert page.locator("#images figure").count() == CONFUSION[true, answer]
        says = page.locator("#images figcaption").first.inner_text()
        assert says.startswith(CLASSES[answer])
        assert (f"true: {CLASSES[true]}" in says) == (true != answer)
    assert page.locator(".confusion button[disabled]").count() == (CONFUSION == 0).sum()


def test_the_answers_are_filtered(visit: Callable[..., Any]) -> None:
    page = visit()
    page.select_option("#kind", "wrong")
    assert page.locator("#images .correct").count() == 0
    assert page.locator("#images .wrong").count() == CONFUSION.sum() - np.trace(CONFUSION)
    page.fill("#name", "no such file")
    assert page.locator("#count").inner_text() == f"0 of {CONFUSION.sum()} images"
    page.click("#reset")
    assert page.locator("#images figure").count() > 0
