"""The page in a real browser: images and labels update, text is never HTML, and the page reconnects by itself."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pytest

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.viewers.page import PageViewer, open_page
from tests.support.browser import CONTRASTS, needs_chromium, open_browser
from tests.support.snapshots import BLUE, RED, snapshot

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
Browser = Page = Any
Until = Callable[[Callable[[], bool]], None]
CENTRE = """canvas => {
    const {width, height} = canvas;
    const copy = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, width / 2, height / 2, 1, 1, 0, 0, 1, 1);
    return width < 5 ? null : [...copy.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""
pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def viewer() -> Iterator[PageViewer]:
    with closing(open_page("0", token="right")) as viewer:
        yield viewer


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """`visit(url)` opens the page in a new tab. It must cause no browser errors and no requests to other servers."""
    errors: list[str] = []
    requests: list[str] = []
    roots: set[str] = set()
    with ExitStack() as stack:

        def open_tab(url: str, **options: Any) -> Page:
            context = stack.enter_context(browser.new_context(**options))
            page = context.new_page()
            page.on("console", lambda message: errors.append(message.text))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("dialog", lambda dialog: errors.append(f"dialog {dialog.message}"))
            page.on("request", lambda request: requests.append(request.url))
            roots.add(url.partition("?")[0])
            page.goto(url)
            return page

        open_tab.errors = errors  # type: ignore[attr-defined]
        yield open_tab
    assert errors == []
    assert [url for url in requests if not url.startswith((*roots, "data:"))] == []


def label_of(page: Page) -> str:
    return str(page.locator("article .label").first.inner_text())


def colour_of(page: Page) -> tuple[int, int, int] | None:
    """The nearer of the two colours in the middle of the image; None without an image."""
    middle = page.locator("article canvas").first.evaluate(CENTRE) if page.locator("article").count() else None
    return min((RED, BLUE), key=lambda colour: float(np.abs(np.subtract(middle, colour)).sum())) if middle else None


def test_the_image_updates_and_keeps_its_colours(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    for colour in [RED, BLUE, RED]:
        viewer.show(snapshot(colour))
        until(lambda colour=colour: colour_of(page) == colour)  # type: ignore[misc]
    middle = page.locator("article canvas").evaluate(CENTRE)
    assert np.abs(np.subtract(middle, RED)).max() < 8


def test_the_image_on_the_screen_changes(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    seen = set()
    for colour in [RED, BLUE]:
        viewer.show(snapshot(colour))
        until(lambda colour=colour: colour_of(page) == colour)  # type: ignore[misc]
        seen.add(page.locator("article canvas").screenshot())
    assert len(seen) == 2


def test_the_key_and_the_button_lay_the_heatmap_over_the_image(visit: Visit, until: Until) -> None:
    with closing(open_page("0", token="right", preprocess=Preprocess((8, 8)))) as viewer:
        viewer.show(snapshot(RED))
        page = visit(viewer.url)
        button = page.locator("#heat")
        until(lambda: button.is_visible() and colour_of(page) == RED)
        for switch in (lambda: page.keyboard.press("h"), button.click):
            switch()
            until(lambda: viewer.shows_heat)
            viewer.show(snapshot(RED, heat=np.zeros((2, 2), np.float32)))
            until(lambda: colour_of(page) == BLUE)  # the lowest colour of the map
            assert button.get_attribute("aria-pressed") == "true"
            switch()
            until(lambda: not viewer.shows_heat and colour_of(page) == RED)
            assert page.locator("#status").inner_text() == "Live"


def test_a_model_without_heatmaps_has_no_button(viewer: PageViewer, visit: Visit, until: Until) -> None:
    viewer.show(snapshot(RED))
    page = visit(viewer.url)
    until(lambda: colour_of(page) == RED)
    page.keyboard.press("h")
    assert not page.locator("#heat").is_visible()
    assert not viewer.shows_heat


def test_label_and_scores_change_together(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    assert page.locator("#waiting").is_visible()
    viewer.show(snapshot(label="disc"))
    until(lambda: page.locator("article").count() == 1 and label_of(page) == "disc")
    assert not page.locator("#waiting").is_visible()
    viewer.show(snapshot(label="square", scores=(("square", 0.75), ("disc", 0.25))))
    until(lambda: label_of(page) == "square")
    assert page.locator(".scores li").all_inner_texts() == ["square\n75.0 %", "disc\n25.0 %"]
    assert page.title() == "square · clf-run"
    assert page.locator("article .label").get_attribute("aria-live") == "polite"


def test_bars_are_proportional_to_the_scores(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url, reduced_motion="reduce")
    viewer.show(snapshot(label="disc", scores=(("disc", 0.75), ("square", 0.25))))
    until(lambda: page.locator(".scores i").count() == 2)
    bars = [bar.bounding_box()["width"] for bar in page.locator(".scores i").all()]
    assert bars[0] / bars[1] == pytest.approx(3, rel=0.02)


def test_rate_and_age_are_shown(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    viewer.show(snapshot(fps=14.93, age_ms=62.4))
    until(lambda: page.locator(".meta").count() == 1 and "14.9 answers a second" in page.locator(".meta").inner_text())
    assert "62 ms from camera to answer" in page.locator(".meta").inner_text()


def test_the_last_changes_are_listed_newest_first(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    for number in range(25):
        viewer.show(snapshot(label=f"label {number}", changed=True))
    until(lambda: page.locator("#changes li").count() == 20 and "label 24" in page.locator("#changes li").first.inner_text())
    labels = page.locator("#changes .what bdi").all_inner_texts()
    assert labels == [f"label {number}" for number in range(24, 4, -1)]
    until(lambda: page.locator("#changes canvas").first.evaluate(CENTRE) is not None)


def test_a_later_viewer_sees_earlier_changes(viewer: PageViewer, visit: Visit, until: Until) -> None:
    viewer.show(snapshot(label="early", changed=True))
    page = visit(viewer.url)
    until(lambda: page.locator("#changes .what bdi").all_inner_texts() == ["early"])


def test_trouble_is_shown_until_the_camera_recovers(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    viewer.show(snapshot())
    until(lambda: page.locator("article").count() == 1)
    assert not page.locator(".trouble").is_visible()
    viewer.show(snapshot(trouble="unplugged; trying again every 5 s"))
    until(page.locator(".trouble").is_visible)
    assert page.locator(".trouble").inner_text() == "unplugged; trying again every 5 s"
    viewer.show(snapshot())
    until(lambda: not page.locator(".trouble").is_visible())


def test_the_age_of_the_last_answer_is_shown_when_answers_stop(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    viewer.show(snapshot())
    until(lambda: page.locator(".meta").count() == 1 and page.locator(".meta").inner_text().startswith("last answer "))


def test_every_camera_has_its_own_card(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    for number, colour in enumerate([RED, BLUE, RED]):
        viewer.show(snapshot(colour, label=f"label {number}", source=f"webcam:{number}"))
    until(lambda: page.locator("article").count() == 3)
    assert page.locator("article .name").all_inner_texts() == ["webcam:0", "webcam:1", "webcam:2"]
    assert page.locator("article .label").all_inner_texts() == ["label 0", "label 1", "label 2"]
    until(lambda: None not in [canvas.evaluate(CENTRE) for canvas in page.locator("article canvas").all()])
    assert page.locator("article canvas").nth(1).evaluate(CENTRE)[2] > 150


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("</script><script>alert(1)</script>", "</script><script>alert(1)</script>"),
        ("\"'`${alert(1)}&lt;&amp;", "\"'`${alert(1)}&lt;&amp;"),
        ("a\u2028b\u2029c\nd", "a\\u2028b\\u2029c\\nd"),
        ("caf\udce9\u202egnp.exe", "caf\\xe9\\u202egnp.exe"),
        ("מסך שבור", "מסך שבור"),
    ],
    ids=["element", "script", "quotes", "line separators", "bytes and marks", "right to left"],
)
def test_text_is_never_interpreted_as_html(viewer: PageViewer, visit: Visit, until: Until, text: str, shown: str) -> None:
    page = visit(viewer.url)
    viewer.show(snapshot())
    until(lambda: page.locator("article").count() == 1)
    elements = page.locator("article *").count()
    viewer.show(snapshot(label=text, source="webcam", scores=((text, 0.9), ("other", 0.1)), trouble=text, changed=True))
    until(lambda: page.locator("#changes li").count() == 1 and label_of(page) == shown)
    until(page.locator(".trouble").is_visible)
    for place in [".trouble", ".scores bdi >> nth=0", "#changes .what bdi"]:
        assert page.locator(place).text_content() == shown
    assert page.locator("article *").count() == elements
    assert page.locator("img, script:not(body > script)").count() == 0
    viewer.show(snapshot(source=text))
    until(lambda: page.locator("article").count() == 2)
    assert page.locator(".name").nth(1).text_content() == shown
    assert page.locator("article *").count() == 2 * elements


@pytest.mark.parametrize("query", ["", "?token=wrong"])
def test_a_wrong_token_shows_nothing(viewer: PageViewer, browser: Browser, query: str) -> None:
    viewer.show(snapshot(label="secret"))
    with browser.new_context() as context:
        page = context.new_page()
        reply = page.goto(viewer.url.partition("?")[0] + query)
        assert reply.status == 403
        assert "token is required" in page.inner_text("body")
        assert "secret" not in page.content()


def test_an_expired_token_is_reported(browser: Browser, until: Until) -> None:
    with closing(open_page("0", token="old")) as first:
        url = first.url
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(url)
            until(lambda: page.locator("#status").inner_text() == "Live")
            first.close()
            with closing(open_page(address_of(url), token="new")):
                until(lambda: "no longer valid" in page.locator("#status").inner_text())


def address_of(url: str) -> str:
    return ":" + url.split(":")[2].partition("/")[0]


def test_the_page_reconnects_when_the_run_restarts(visit: Visit, until: Until) -> None:
    with closing(open_page("0", token="same")) as first:
        url = first.url
        page = visit(url)
        first.show(snapshot(RED, label="before", changed=True))
        first.show(snapshot(RED, source="a second one"))
        until(lambda: page.locator("article").count() == 2 and colour_of(page) == RED)
    until(lambda: page.locator("#status").inner_text().startswith("Connection lost"))
    assert label_of(page) == "before"
    with closing(open_page(address_of(url), token="same")) as second:
        second.show(snapshot(BLUE, label="after", source="another", changed=True))
        until(lambda: page.locator("#status").inner_text() == "Live")
        until(lambda: colour_of(page) == BLUE)
        until(lambda: page.locator("#changes .what bdi").all_inner_texts() == ["after"])
        assert page.locator("article .name").all_inner_texts() == ["another"]
    visit.errors[:] = [text for text in visit.errors if "ERR_CONNECTION_REFUSED" not in text]  # type: ignore[attr-defined]


def test_an_end_stays_in_view_until_the_next_run(visit: Visit, until: Until) -> None:
    with closing(open_page("0", token="same")) as first:
        url = first.url
        page = visit(url)
        first.show(snapshot(RED))
        until(lambda: colour_of(page) == RED)
        first.end("320 frames, red 100 %")
        until(lambda: page.locator("#status").inner_text() == "320 frames, red 100 %")
    page.wait_for_timeout(2500)  # the page tries to connect every second
    assert page.locator("#status").inner_text() == "320 frames, red 100 %"
    assert (colour_of(page), page.locator(".age").inner_text()) == (RED, "60 ms from camera to answer")
    with closing(open_page(address_of(url), token="same")) as second:
        second.show(snapshot(BLUE))
        until(lambda: page.locator("#status").inner_text() == "Live" and colour_of(page) == BLUE)
    visit.errors[:] = [text for text in visit.errors if "ERR_CONNECTION_REFUSED" not in text]  # type: ignore[attr-defined]


def test_the_page_reconnects_after_a_silence(viewer: PageViewer, visit: Visit, until: Until) -> None:
    """Like a network that drops without notice: the connection stays open but sends nothing."""
    viewer.show(snapshot(RED))
    page = visit(viewer.url)
    until(lambda: colour_of(page) == RED)
    with viewer._broadcaster._lock:  # blocks every reply
        until(lambda: page.locator("#status").inner_text().startswith("Connection lost"))
    viewer.show(snapshot(BLUE))
    until(lambda: colour_of(page) == BLUE and page.locator("#status").inner_text() == "Live")


def test_an_image_is_encoded_once_for_three_tabs(viewer: PageViewer, visit: Visit, until: Until) -> None:
    pages = [visit(viewer.url) for _ in range(3)]
    until(lambda: all(page.locator("#status").inner_text() == "Live" for page in pages))
    for shown, colour in enumerate([RED, BLUE, RED, BLUE], 1):
        viewer.show(snapshot(colour))
        until(lambda colour=colour: all(colour_of(page) == colour for page in pages))  # type: ignore[misc]
        assert viewer.encoded == shown


def test_many_tabs_of_one_browser_are_all_served(viewer: PageViewer, browser: Browser, until: Until) -> None:
    """A browser opens at most six connections to a server, for all its tabs together."""
    viewer.show(snapshot(RED))
    with browser.new_context() as context:
        pages = []
        for _ in range(5):
            pages.append(context.new_page())
            pages[-1].goto(viewer.url)
        until(lambda: all(colour_of(page) == RED for page in pages))
        viewer.show(snapshot(BLUE))
        until(lambda: all(colour_of(page) == BLUE for page in pages))


def test_a_hidden_tab_disconnects(viewer: PageViewer, visit: Visit, until: Until) -> None:
    page = visit(viewer.url)
    viewer.show(snapshot(RED))
    until(lambda: colour_of(page) == RED)
    hide(page, True)
    until(lambda: viewer.viewers == 0)
    viewer.show(snapshot(BLUE))
    hide(page, False)
    until(lambda: colour_of(page) == BLUE)


def hide(page: Page, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(320, 640), (768, 1024), (1920, 1080)], ids=["phone", "tablet", "wide"])
def test_the_page_fits_the_screen(
    viewer: PageViewer, visit: Visit, until: Until, size: tuple[int, int], scheme: str
) -> None:
    page = visit(viewer.url, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    long = "a_very_long_label_without_any_space_in_it_" * 3
    viewer.show(snapshot(label=long, source=long, scores=((long, 0.9),), trouble=long, changed=True))
    viewer.show(snapshot(source="second", changed=True))
    until(lambda: page.locator("article").count() == 2 and page.locator("#changes li").count() == 2)
    until(page.locator(".trouble").first.is_visible)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    overflowing = page.evaluate("""() => [...document.querySelectorAll('body *')].filter(
        element => element.getBoundingClientRect().right > innerWidth + 1).map(element => element.className)""")
    assert overflowing == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(viewer: PageViewer, visit: Visit, until: Until, scheme: str) -> None:
    """WCAG 2 AA: a contrast of at least 4.5."""
    page = visit(viewer.url, color_scheme=scheme)
    viewer.show(snapshot(trouble="unplugged", changed=True))
    until(lambda: page.locator("#changes li").count() == 1 and page.locator(".trouble").is_visible())
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) >= 10
    assert {text: contrast for text, contrast in contrasts if contrast < 4.5} == {}


def test_injected_code_does_not_run(viewer: PageViewer, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(viewer.url)
        with pytest.raises(playwright.Error, match="TrustedHTML"):
            page.evaluate("document.body.innerHTML = '<b>x</b>'")
        page.evaluate("""() => {
            const image = new Image();
            image.src = 'http://192.0.2.1/x.png';
            window.blocked = new Promise(resolve => document.addEventListener('securitypolicyviolation', resolve));
            document.body.append(image);
        }""")
        late = "new Promise(resolve => setTimeout(() => resolve({effectiveDirective: 'none in time'}), 20000))"
        assert page.evaluate(f"Promise.race([window.blocked, {late}]).then(event => event.effectiveDirective)") == "img-src"


def test_a_closed_tab_leaves_no_thread(viewer: PageViewer, visit: Visit, until: Until) -> None:
    before = threading.active_count()
    page = visit(viewer.url)
    viewer.show(snapshot())
    until(lambda: colour_of(page) == RED)
    page.close()
    until(lambda: threading.active_count() == before)
