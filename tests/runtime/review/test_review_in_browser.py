"""The review page in a real browser: what is decided by keys arrives exactly once, and every name stays text."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edgeclf.runtime.results.row import Row
from edgeclf.runtime.review.corrections import Correction, read_corrections
from edgeclf.runtime.review.page_file import Review, write_page
from tests.runtime.cli.test_clf_review import Served
from tests.runtime.review.conftest import ODD_NAMES, write_image
from tests.support.browser import CONTRASTS, needs_chromium, open_browser
from tests.support.outputs import write

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.slow, needs_chromium]
Browser = Page = Any
Open = Callable[..., Review]
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """`visit(url)` opens a page in a browser of its own. It must cause no errors, and load nothing from elsewhere."""
    errors: list[str] = []
    requests: list[str] = []
    with ExitStack() as stack:

        def open_tab(url: str, **options: Any) -> Page:
            context = stack.enter_context(browser.new_context(**options))
            page = context.new_page()
            watch(page, errors, requests)
            ready(page, url)
            return page

        open_tab.errors = errors  # type: ignore[attr-defined]
        yield open_tab
    assert errors == []
    assert [url for url in requests if not re.match(r"file:|data:|blob:|http://127\.0\.0\.1:", url)] == []


def watch(page: Page, errors: list[str], requests: list[str]) -> None:
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))


def ready(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("body[data-ready]")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def status(page: Page) -> str:
    return str(page.locator("#status").inner_text())


def wait_for_status(page: Page, text: str) -> None:
    page.locator("#status", has_text=text).wait_for()


def shown(page: Page) -> list[str]:
    """The paths in the page, in order."""
    cells = page.locator(".cell").evaluate_all("cells => cells.map(cell => [+cell.dataset.at, cell.title])")
    return [title for _, title in sorted(cells)]


def marks(page: Page) -> dict[str, str]:
    cells = page.locator(".cell").evaluate_all("cells => cells.map(cell => [cell.title, cell.lastChild.textContent])")
    return {title: mark for title, mark in cells if mark}


def saved(page: Page, path: Path) -> dict[str, Correction]:
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == "corrections.csv"
    download.value.save_as(path)
    return read_corrections(path)


@pytest.fixture
def from_disk(results: Path, open_review: Open) -> str:
    write_page(open_review(results), Path("page.html"))
    return Path("page.html").absolute().as_uri()


Serve = Callable[..., Served]


@pytest.fixture
def serve(unused_port: str) -> Iterator[Serve]:
    """`serve("--classes", "classes.txt", CLF_VIEW_TOKEN="x")` serves `results.csv`, always on the same port."""
    servers: list[Served] = []

    def start(*arguments: str, **environment: str) -> Served:
        servers.append(Served(unused_port, *arguments, **environment))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


@pytest.fixture
def served(results: Path, serve: Serve) -> Served:
    return serve()


@pytest.fixture
def unused_port() -> str:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f":{probe.getsockname()[1]}"


@pytest.fixture(params=["from disk", "served"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "served":
        found: str = request.getfixturevalue("served").url
        return found
    return str(request.getfixturevalue("from_disk"))


def test_classes_come_first_and_the_least_confident_of_each(url: str, visit: Visit) -> None:
    page = visit(url)
    assert page.locator(".group").all_inner_texts() == [
        "ant\n2\nChoose all",
        "bee\n5\nChoose all",
        "unsure\n1\nChoose all",
        "unknown\n1\nChoose all",
        "failed\n1\nChoose all",
    ]
    assert shown(page)[:3] == ["photos/b.png", "photos/a.png", "photos/%41 #?&.jpg"]
    assert page.locator(".cell .caption").first.inner_text() == "ant\n50.0 %"


@pytest.mark.parametrize(
    ("control", "value", "count"),
    [
        ("#label", "0", 3),
        ("#kind", "1", 1),
        ("#kind", "3", 1),
        ("#decision", "0", 10),
        ("#decision", "1", 0),
        ("#low", "75", 4),
        ("#high", "50", 3),
        ("#path", ".PNG", 5),
        ("#path", "<img", 1),
    ],
)
def test_filters_show_what_passes(url: str, visit: Visit, control: str, value: str, count: int) -> None:
    page = visit(url)
    field = page.locator(control)
    field.select_option(value) if field.evaluate("field => field.matches('select')") else field.fill(value)
    assert page.locator(".cell").count() == count
    assert page.locator("#nothing").is_visible() == (count == 0)
    page.locator("#filters [type=reset]").click()
    page.locator(".cell").nth(9).wait_for()


@pytest.mark.parametrize(
    ("order", "first"), [("most", ["photos/a.png", "photos/b.png"]), ("path", ["photos/a.png", "photos/b.png"])]
)
def test_each_group_is_in_the_order_that_was_chosen(url: str, visit: Visit, order: str, first: list[str]) -> None:
    page = visit(url)
    page.locator("#order").select_option(order)
    assert shown(page)[:2] == first


def test_keys_decide_and_what_was_decided_is_kept(from_disk: str, visit: Visit, tmp_path: Path) -> None:
    page = visit(from_disk, accept_downloads=True)
    press(page, "Enter", "b", "e", "e", "2", "x", "1", "u", "End", "Enter", "a")
    assert status(page) == "5 decided · 7 not saved to a file"
    page.reload()
    page.wait_for_selector("body[data-ready]")
    found = saved(page, tmp_path / "c.csv")
    assert status(page) == "5 decided · all saved"
    assert {one.path: (one.label, one.decision) for one in found.values()} == {
        "photos/b.png": ("ant", "accepted"),
        "photos/a.png": ("bee", "corrected"),
        f"photos/{ODD_NAMES[4]}": ("bee", "accepted"),
        f"photos/{ODD_NAMES[3]}": ("", "rejected"),
        "photos/gone.png": ("ant", "corrected"),
    }


def test_every_path_comes_back_unchanged_and_stays_text(url: str, visit: Visit, tmp_path: Path) -> None:
    page = visit(url, accept_downloads=True)
    page.locator("#path").fill(".jpg")
    page.locator("#choose-all").click()
    press(page, "Shift+A")
    assert sorted(marks(page).values()) == ["ant"] * 5
    page.locator(".cell").first.click()
    page.wait_for_selector("#large .scores li")
    assert page.locator("img:not(#large img), script:not(body > script)").count() == 0
    press(page, "Escape")
    path = Path("corrections.csv")
    if url.startswith("file:"):
        saved(page, path)
    wait_for_status(page, "all saved")
    found = read_corrections(path)
    assert {one.path: one.label for one in found.values()} == {f"photos/{name}": "ant" for name in ODD_NAMES}


def test_a_click_shows_the_image_with_all_that_is_known(url: str, visit: Visit) -> None:
    page = visit(url)
    page.locator(".cell").nth(1).click()
    width = "image => new Promise(resolve => setTimeout(resolve)).then(() => image.decode()).then(() => image.naturalWidth)"
    page.locator("#large img[src]").wait_for()
    assert page.locator("#large img").evaluate(width) == 64
    assert page.locator("#large .label").inner_text() == "ant"
    assert page.locator("#large .scores li").all_inner_texts() == ["ant\n75.0 %"]
    about = page.locator("#large .about").inner_text().split("\n")
    assert about[:6] == ["path", "photos/a.png", "size", "64 x 48 pixels", "file", "1,234 bytes"]
    press(page, "b")
    assert marks(page) == {"photos/a.png": "bee"}
    assert page.locator("#large .about dd").first.inner_text() == "photos/%41 #?&.jpg"
    press(page, "Escape")
    assert not page.locator("#large").is_visible()


def test_an_image_that_is_gone_leaves_its_thumbnail(from_disk: str, visit: Visit) -> None:
    Path("photos/a.png").unlink()
    page = visit(from_disk)
    page.locator(".cell").nth(1).click()
    page.locator("#large .stage .thumb:not([hidden])").wait_for()
    visit.errors[:] = [text for text in visit.errors if "ERR_FILE_NOT_FOUND" not in text]  # type: ignore[attr-defined]


def test_many_are_chosen_and_decided_at_once(url: str, visit: Visit) -> None:
    page = visit(url)
    page.locator(".cell").nth(0).click(modifiers=["Control"])
    page.locator(".cell").nth(3).click(modifiers=["Shift"])
    assert page.locator("#chosen").inner_text() == "4 chosen"
    page.locator("#right").select_option("1")
    assert list(marks(page).values()) == ["bee"] * 4
    assert not page.locator("#actions").is_visible()
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "Home", "Shift+ArrowRight", "x")
    assert list(marks(page).values()) == ["rejected", "rejected", "bee", "bee"]
    page.locator(".group button").first.click()
    press(page, "u")
    assert list(marks(page).values()) == ["bee", "bee"]


def test_a_finger_chooses_several(url: str, visit: Visit) -> None:
    page = visit(url, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.locator("#choose").tap()
    page.locator(".cell").nth(0).tap()
    page.locator(".cell").nth(2).tap()
    page.locator("#actions [data-act=reject]").tap()
    assert list(marks(page).values()) == ["rejected", "rejected"]


@pytest.mark.parametrize("keys", [["a", "Enter"], ["a", "n", "t", "e"]], ids=["the exact one", "the longer one"])
def test_a_class_is_chosen_by_its_first_letters(keys: list[str], results: Path, open_review: Open, visit: Visit) -> None:
    write_page(open_review(results, labels=("ante", "x-ray")), Path("page.html"))
    page = visit(Path("page.html").absolute().as_uri())
    press(page, "Home", "ArrowRight", "ArrowRight")
    press(page, keys[0])
    assert page.locator("#typed").is_visible()
    press(page, *keys[1:])
    assert not page.locator("#typed").is_visible()
    press(page, "Shift+X")
    assert list(marks(page).values()) == ["ant" if keys[1:] == ["Enter"] else "ante", "x-ray"]


def test_truth_against_answer_is_a_matrix_whose_cells_filter(tmp_path: Path, visit: Visit, open_review: Open) -> None:
    rows = [
        f"{truth}-{label}-{n}.png,{truth},{label},0.{n}"
        for n in (5, 6)
        for truth in ("ant", "bee")
        for label in ("ant", "bee")
    ]
    (tmp_path / "r.csv").write_text("\n".join(["path,truth,label,confidence", *rows, "bee-ant-9.png,bee,ant,0.9"]) + "\n")
    for row in rows:
        write_image(tmp_path / row.partition(",")[0])
    write_page(open_review(tmp_path / "r.csv", root=tmp_path), tmp_path / "page.html")
    page = visit((tmp_path / "page.html").as_uri())
    page.locator("#confusion summary").click()
    assert page.locator("#matrix td").all_inner_texts() == ["2", "2", "3", "2"]
    page.locator("#matrix .wrong button").nth(1).click()
    assert shown(page) == ["bee-ant-5.png", "bee-ant-6.png", "bee-ant-9.png"]
    assert page.locator(".cell.wrong").count() == 3
    page.locator("#label").select_option("")
    page.locator("#truth").select_option("right")
    assert page.locator(".cell").count() == 4


# --- served: every decision arrives once ---


def test_sixty_corrections_arrive_once_though_the_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve, browser: Browser
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(Path("photos/0.png"))
    Path("classes.txt").write_text("ant\nbee\n")
    names = [f"photos/{number}.png" for number in range(60)]
    write(Path("results.csv"), *(Row(name, "ok", "ant", 0.5 + n / 200, {"ant": 0.5}) for n, name in enumerate(names)))
    with browser.new_context() as context:
        page = context.new_page()
        server = serve("--classes", "classes.txt")
        ready(page, server.url)
        press(page, *["b"] * 20)
        wait_for_status(page, "all saved")
        page.wait_for_timeout(900)  # a letter that follows at once may belong to the same class
        for _ in range(10):
            press(page, "x")
        server.end(signal.SIGKILL)
        press(page, *["x"] * 10)
        wait_for_status(page, "No connection")
        server = serve("--classes", "classes.txt")
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        page.wait_for_selector("body[data-ready]")
        wait_for_status(page, "40 decided · all saved")
        page.locator("#decision").select_option("0")
        press(page, *["Enter"] * 20)
        wait_for_status(page, "60 decided · all saved")
        assert server.end() == 130
    rows = Path("corrections.csv").read_text().splitlines()[1:]
    assert len(rows) == 60
    assert sorted(row.split(",")[0] for row in rows) == sorted(names)
    decisions = [one.decision for one in read_corrections(Path("corrections.csv")).values()]
    assert [decisions.count(kind) for kind in ("corrected", "rejected", "accepted")] == [20, 20, 20]


def test_two_tabs_do_not_overwrite_each_other(served: Served, browser: Browser) -> None:
    with browser.new_context() as context:
        one, other = context.new_page(), context.new_page()
        ready(one, served.url)
        ready(other, served.url)
        press(one, "x", "x")
        wait_for_status(one, "all saved")
        press(other, "ArrowRight", "b", "Enter")
        wait_for_status(other, "all saved")
        one.reload()
        one.wait_for_selector("body[data-ready]")
        assert list(marks(one).values()) == ["rejected", "bee", "bee"]
    assert len(Path("corrections.csv").read_text().splitlines()) == 5


def test_a_wrong_token_is_said(results: Path, serve: Serve, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        ready(page, serve(CLF_VIEW_TOKEN="right").url)
        page.evaluate("history.replaceState(null, '', '?token=wrong')")
        press(page, "x")
        wait_for_status(page, "A token is required")


# --- how it looks ---


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(320, 640), (768, 1024), (1920, 1080)], ids=["phone", "tablet", "wide"])
def test_the_page_fits_the_screen(from_disk: str, visit: Visit, size: tuple[int, int], scheme: str) -> None:
    page = visit(from_disk, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.locator(".cell").nth(2).click(modifiers=["Control"])
    press(page, "x", "Control+a")
    page.locator("#choose-all").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) >= 10
    assert {text: contrast for text, contrast in contrasts if contrast < 4.5} == {}
    press(page, "Escape")
    page.locator(".cell").nth(2).click()
    page.wait_for_selector("#large .scores li")
    assert page.evaluate("document.querySelector('#large .facts').scrollWidth") <= size[0]
    assert {text: contrast for text, contrast in page.evaluate(CONTRASTS) if contrast < 4.5} == {}


def test_a_hundred_thousand_rows_keep_the_page_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_review: Open, visit: Visit
) -> None:
    monkeypatch.chdir(tmp_path)
    from edgeclf.benchmarks.many_answers import write_many_answers

    write_many_answers(Path(), images=2_000, rows=100_000)
    write_page(open_review(Path("results.csv")), Path("page.html"))
    page = visit(Path("page.html").absolute().as_uri())
    assert page.locator("#counts").inner_text() == "100,000 images"
    elements = "document.querySelectorAll('*').length"
    assert page.evaluate(elements) < 2_000
    press(page, "End")
    assert page.locator(".cell.focused").count() == 1
    page.locator("#path").fill("/00077.jpg")
    assert page.locator("#counts").inner_text() == "50 of 100,000 images"
    page.locator("#order").select_option("path")
    press(page, "Escape")
    assert page.evaluate(elements) < 2_000
    assert sys.getsizeof(page.content()) < 2_000_000
