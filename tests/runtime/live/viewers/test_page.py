"""The page's server: it encodes the newest image once for all viewers, checks access, and costs the run nothing."""

import json
import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, BinaryIO
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.images.decode import Pixels
from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.health import Heartbeat
from edgeclf.runtime.live.viewers import broadcaster as broadcaster_module
from edgeclf.runtime.live.viewers import page as page_module
from edgeclf.runtime.live.viewers.page import PageViewer, open_page
from tests.support.snapshots import BLUE, LABELS, RED, plain, snapshot

Until = Callable[[Callable[[], bool]], None]
Opened = Callable[..., PageViewer]


def fetch(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def state(page: PageViewer) -> Any:
    return json.loads(fetch(f"{page.url}state")[1])


def decode(jpeg: bytes) -> Pixels:
    """RGB."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def colour_of(jpeg: bytes) -> tuple[int, int, int]:
    """The nearest of the two colours."""
    mean = decode(jpeg).reshape(-1, 3).mean(axis=0)
    return min((RED, BLUE), key=lambda colour: float(np.abs(mean - colour).sum()))


class Live:
    """The messages of /live, as the page reads them."""

    def __init__(self, page: PageViewer, query: str = "") -> None:
        self._reply = urllib.request.urlopen(f"{page.url}live{query}", timeout=60)
        self.close = self._reply.close

    def next(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """The next message of this kind, and its image."""
        while True:
            message = json.loads(self._reply.readline())
            jpeg = self._reply.read(message["bytes"])
            if message["kind"] == kind:
                return message, jpeg


@pytest.fixture
def opened(capfd: pytest.CaptureFixture[str]) -> Iterator[Opened]:
    """`opened()` is a page for this machine. At the end it must have printed nothing and left no thread."""
    before = set(threading.enumerate())
    with ExitStack() as stack:
        yield lambda address="0", **options: stack.enter_context(closing(open_page(address, **options)))
    assert set(threading.enumerate()) <= before
    assert capfd.readouterr().err == ""


@pytest.fixture
def page(opened: Opened) -> PageViewer:
    return opened()


@pytest.fixture(autouse=True)
def _no_token_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLF_VIEW_TOKEN", raising=False)


@pytest.fixture
def quick_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server notices a viewer that has gone when it sends the next sign of life."""
    monkeypatch.setattr(page_module, "_ALIVE_S", 0.05)


def test_viewers_get_the_last_image_and_then_the_end_also_those_who_come_later(page: PageViewer) -> None:
    page.show(snapshot(RED))
    early = Live(page)
    early.next("source")
    page.show(snapshot(BLUE))
    page.end("2 frames")
    assert early.next("source")[0]["label"] == "blue"
    late = Live(page)
    for live in (early, late):
        assert live.next("end")[0]["text"] == "2 frames"
        live.close()


def test_the_end_is_told_when_the_page_closes_at_once(page: PageViewer) -> None:
    page.show(snapshot(RED))
    live = Live(page)
    live.next("source")
    page.end("1 frame")
    page.close()
    assert live.next("end")[0]["text"] == "1 frame"
    live.close()


def test_the_state_is_the_newest_snapshot(page: PageViewer) -> None:
    page.show(snapshot(RED))
    page.show(snapshot(BLUE, changed=True, age_ms=None))
    (source,) = state(page)["sources"]
    assert source.pop("silent_s") >= 0
    assert source == {
        "source": 0,
        "name": "webcam",
        "label": "blue",
        "confidence": 0.9,
        "scores": [["blue", 0.9], ["other", 0.1]],
        "fps": 15.0,
        "age_ms": None,
        "time": "2026-03-01T12:00:00.000Z",
        "trouble": "",
    }


def test_the_image_is_the_newest_one(page: PageViewer) -> None:
    page.show(snapshot(RED))
    assert colour_of(fetch(f"{page.url}snapshot.jpg")[1]) == RED
    page.show(snapshot(BLUE))
    assert colour_of(fetch(f"{page.url}snapshot.jpg")[1]) == BLUE


@pytest.mark.usefixtures("quick_signs_of_life")
def test_a_viewer_that_comes_back_later_sees_no_old_image(page: PageViewer, until: Until) -> None:
    page.show(snapshot(RED))
    with closing(Live(page)) as live:
        live.next("source")
    until(lambda: page.viewers == 0)
    for _ in range(5):
        page.show(snapshot(BLUE))
    with closing(Live(page)) as live:
        message, jpeg = live.next("source")
    assert (message["label"], colour_of(jpeg)) == ("blue", BLUE)


def test_the_image_keeps_its_colours(page: PageViewer) -> None:
    halves = np.hstack([plain(RED), plain(BLUE)])
    page.show(snapshot(image=halves))
    got = decode(fetch(f"{page.url}snapshot.jpg")[1])
    assert got.shape == halves.shape
    assert np.abs(got[:, 8:56].astype(int) - RED).max() < 6
    assert np.abs(got[:, 72:120].astype(int) - BLUE).max() < 6


HEAT = np.array([[0, 1]], np.float32)


@pytest.mark.usefixtures("quick_signs_of_life")
def test_a_heatmap_is_laid_over_the_image_only_for_those_who_look_at_it(opened: Opened, until: Until) -> None:
    page = opened(preprocess=Preprocess((8, 8)))
    with closing(Live(page)) as plain_one, closing(Live(page, "?heat=1")) as heated:
        assert plain_one.next("hello")[0]["heatmaps"] is True
        until(lambda: page.shows_heat)
        page.show(snapshot(RED, heat=HEAT))
        assert colour_of(plain_one.next("source")[1]) == RED
        left, right = np.split(decode(heated.next("source")[1]).astype(int), 2, axis=1)
        assert left[..., 2].mean() > left[..., 0].mean()
        assert right[..., 0].mean() > right[..., 2].mean()
    until(lambda: not page.shows_heat)
    encoded = page.encoded
    with closing(Live(page)) as live:
        assert colour_of(live.next("source")[1]) == RED
    assert page.encoded == encoded + 1


def test_who_comes_late_has_the_heatmap_of_the_last_image(opened: Opened) -> None:
    page = opened(preprocess=Preprocess((8, 8)))
    page.show(snapshot(RED, heat=np.zeros((1, 1), np.float32)))
    with closing(Live(page)) as early:
        assert colour_of(early.next("source")[1]) == RED
        with closing(Live(page, "?heat=1")) as late:
            # The first one may be the one that the other viewer has.
            assert BLUE in (colour_of(late.next("source")[1]) for _ in range(2))


def test_an_empty_image_with_a_heatmap_breaks_nothing(opened: Opened) -> None:
    page = opened(preprocess=Preprocess((8, 8)))
    with closing(Live(page, "?heat=1")) as live:
        page.show(snapshot(image=np.zeros((0, 0, 3), np.uint8), heat=HEAT))
        live.next("source")
        page.show(snapshot(BLUE, heat=HEAT))
        assert live.next("source")[1]


def test_without_heatmaps_nobody_can_ask_for_them(page: PageViewer) -> None:
    page.show(snapshot(RED))
    with closing(Live(page, "?heat=1")) as live:
        assert live.next("hello")[0]["heatmaps"] is False
        assert colour_of(live.next("source")[1]) == RED
        assert not page.shows_heat


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [((720, 1280), (720, 1280)), ((1080, 1920), (720, 1280)), ((3000, 1000), (1280, 427)), ((4, 4000), (1, 1280))],
)
def test_a_large_image_is_sent_smaller(page: PageViewer, size_hw: tuple[int, int], expected: tuple[int, int]) -> None:
    page.show(snapshot(image=plain(RED, *size_hw)))
    assert decode(fetch(f"{page.url}snapshot.jpg")[1]).shape[:2] == expected


def test_an_empty_image_breaks_nothing(page: PageViewer) -> None:
    page.show(snapshot(image=np.zeros((0, 0, 3), np.uint8), changed=True))
    assert fetch(f"{page.url}snapshot.jpg")[0] == 503
    page.show(snapshot(BLUE))
    assert colour_of(fetch(f"{page.url}snapshot.jpg")[1]) == BLUE


def test_sources_are_numbered_in_the_order_they_appear(page: PageViewer) -> None:
    page.show(snapshot(RED, source="webcam:4"))
    page.show(snapshot(BLUE, source="webcam:2"))
    assert [source["name"] for source in state(page)["sources"]] == ["webcam:4", "webcam:2"]
    assert colour_of(fetch(f"{page.url}snapshot.jpg?source=0")[1]) == RED
    assert colour_of(fetch(f"{page.url}snapshot.jpg?source=1")[1]) == BLUE


@pytest.mark.parametrize("number", ["1", "-1", "00", "x", "\u0660"])
@pytest.mark.parametrize("path", ["snapshot.jpg", "stream"])
def test_an_unknown_source_is_not_found(page: PageViewer, path: str, number: str) -> None:
    page.show(snapshot())
    assert fetch(f"{page.url}{path}?source={quote(number)}")[0] == 404


def test_only_changes_are_kept_and_only_the_last_twenty(page: PageViewer, until: Until) -> None:
    for number in range(30):
        page.show(snapshot(label=f"label {number}", changed=number % 2 == 0 or number > 5))
    until(lambda: [change["label"] for change in state(page)["changes"]] == [f"label {number}" for number in range(10, 30)])


def test_a_change_has_a_thumbnail(page: PageViewer) -> None:
    with closing(Live(page)) as live:
        page.show(snapshot(BLUE, image=plain(BLUE, 480, 640), changed=True))
        message, jpeg = live.next("change")
    assert (message["name"], message["label"], message["confidence"]) == ("webcam", "blue", 0.9)
    assert decode(jpeg).shape[:2] == (120, 160)
    assert colour_of(jpeg) == BLUE


def test_label_and_image_arrive_together(page: PageViewer) -> None:
    with closing(Live(page)) as live:
        for colour in [RED, BLUE, RED, BLUE]:
            page.show(snapshot(colour))
            message, jpeg = live.next("source")
            assert message["label"] == LABELS[colour]
            assert colour_of(jpeg) == colour


@pytest.mark.usefixtures("quick_signs_of_life")
def test_a_sign_of_life_is_sent_when_nothing_is_new(page: PageViewer) -> None:
    with closing(Live(page)) as live:
        live.next("alive")
        live.next("alive")


def test_a_stream_is_motion_jpeg(page: PageViewer) -> None:
    page.show(snapshot(RED))
    with urllib.request.urlopen(f"{page.url}stream", timeout=60) as reply:
        assert reply.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=image"
        assert colour_of(next_part(reply)) == RED
        page.show(snapshot(BLUE))
        assert colour_of(next_part(reply)) == BLUE


def next_part(reply: BinaryIO) -> bytes:
    assert reply.readline() == b"--image\r\n"
    assert reply.readline() == b"Content-Type: image/jpeg\r\n"
    length = re.fullmatch(rb"Content-Length: (\d+)\r\n", reply.readline())
    assert length
    assert reply.readline() == b"\r\n"
    jpeg = reply.read(int(length[1]))
    assert reply.readline() == b"\r\n"
    return jpeg


def test_opencv_can_read_the_stream(page: PageViewer) -> None:
    page.show(snapshot(RED))
    done = threading.Event()

    def show() -> None:
        while not done.wait(0.02):
            page.show(snapshot(RED))

    shower = threading.Thread(target=show)
    shower.start()
    capture = cv2.VideoCapture(f"{page.url}stream", cv2.CAP_FFMPEG)
    try:
        read, image = capture.read()
    finally:
        capture.release()
        done.set()
        shower.join()
    assert read
    assert image.shape == (48, 64, 3)


def test_nothing_is_encoded_without_viewers(page: PageViewer) -> None:
    for _ in range(50):
        page.show(snapshot())
    assert state(page)["sources"]
    assert page.encoded == 0


def test_a_source_without_viewers_is_not_encoded(page: PageViewer) -> None:
    page.show(snapshot(RED, source="a"))
    page.show(snapshot(BLUE, source="b"))
    assert fetch(f"{page.url}snapshot.jpg?source=1")[0] == 200
    assert page.encoded == 1


def test_an_image_is_encoded_once_for_several_viewers(page: PageViewer, until: Until) -> None:
    with ExitStack() as stack:
        viewers = [stack.enter_context(closing(Live(page))) for _ in range(5)]
        for viewer in viewers:
            viewer.next("hello")
        until(lambda: page.viewers == 5)
        for shown in range(1, 4):
            page.show(snapshot(RED if shown % 2 else BLUE))
            for viewer in viewers:
                assert viewer.next("source")[0]["label"] == ("red" if shown % 2 else "blue")
            assert page.encoded == shown


def test_an_image_is_not_encoded_again_for_another_trouble(page: PageViewer) -> None:
    image = plain(RED)
    with closing(Live(page)) as live:
        page.show(snapshot(image=image))
        live.next("source")
        page.show(snapshot(image=image, trouble="unplugged"))
        message, jpeg = live.next("source")
    assert (message["trouble"], colour_of(jpeg), page.encoded) == ("unplugged", RED, 1)


def test_at_most_fifteen_images_a_second_are_encoded(page: PageViewer) -> None:
    with closing(Live(page)) as live:
        live.next("hello")
        began = time.monotonic()
        while time.monotonic() < began + 1:
            page.show(snapshot())
            time.sleep(0.002)
        assert 1 <= page.encoded <= 15 * (time.monotonic() - began) + 2


def test_a_viewer_that_stops_reading_gets_the_newest_image_when_it_reads_again(
    page: PageViewer, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster_module, "MAX_FPS", 100)
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    page.show(snapshot(image=noise))
    with closing(Live(page)) as live:
        live.next("source")

        def many_encoded() -> bool:
            page.show(snapshot(image=noise.copy(), label=f"image {page.encoded}"))
            return page.encoded > 40

        until(many_encoded)
        page.show(snapshot(image=noise.copy(), label="newest"))
        labels = [live.next("source")[0]["label"]]
        while labels[-1] != "newest":
            labels.append(live.next("source")[0]["label"])
    assert len(labels) < 30


def test_showing_costs_the_run_almost_nothing(page: PageViewer) -> None:
    with ExitStack() as stack:
        viewers = [stack.enter_context(closing(Live(page))) for _ in range(4)]
        for viewer in viewers:
            viewer.next("hello")
        shown = snapshot(changed=True)
        costs = []
        for _ in range(400):
            began = time.perf_counter()
            page.show(shown)
            costs.append(time.perf_counter() - began)
            time.sleep(0.001)
    assert sorted(costs)[len(costs) // 4] < 500e-6  # about 10e-6 on an idle machine


def test_only_the_newest_image_is_kept(page: PageViewer, until: Until) -> None:
    images = [plain(RED) for _ in range(50)]
    with closing(Live(page)) as live:
        live.next("hello")
        for image in images:
            page.show(snapshot(image=image, changed=True))
        until(lambda: len(state(page)["changes"]) == 20)
        in_list_in_call = 2
        until(lambda: all(sys.getrefcount(images[number]) == in_list_in_call for number in range(49)))


def test_the_number_of_sources_is_limited(page: PageViewer) -> None:
    for number in range(1000):
        page.show(snapshot(source=f"frame {number}"))
    assert len(state(page)["sources"]) == 32


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>bold</b>", "<b>bold</b>"),
        ("caf\udce9.mp4", "caf\\xe9.mp4"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\nc", "a\\u2028b\\nc"),
        ("C:\\videos", "C:\\videos"),
        ("\"'</script>", "\"'</script>"),
        ("\ud800", "\\ud800"),
    ],
)
def test_every_text_is_printable_json(page: PageViewer, text: str, shown: str) -> None:
    page.show(snapshot(source=text, label=text, scores=((text, 1.0),), trouble=text))
    (source,) = state(page)["sources"]
    assert [source["name"], source["label"], source["scores"][0][0], source["trouble"]] == [shown] * 4


def test_numbers_that_json_does_not_have_are_null(page: PageViewer) -> None:
    page.show(snapshot(confidence=float("nan"), fps=float("inf"), age_ms=float("-inf"), scores=(("a", float("nan")),)))
    (source,) = state(page)["sources"]
    assert (source["confidence"], source["fps"], source["age_ms"], source["scores"]) == (None, None, None, [["a", None]])


def test_a_page_for_the_network_has_a_new_token_each_time(opened: Opened) -> None:
    tokens = [opened("0.0.0.0:0").url.partition("?token=")[2] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert min(map(len, tokens)) >= 32


def test_the_token_can_come_from_the_environment(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLF_VIEW_TOKEN", "open sesame/ü")
    page = opened("0.0.0.0:0")
    assert page.url.endswith("/?token=open%20sesame%2F%C3%BC")
    assert fetch(page.url)[0] == 200


@pytest.mark.parametrize("path", ["", "live", "stream", "snapshot.jpg", "state", "health", "nothing"])
@pytest.mark.parametrize("token", ["", "?token=wrong", "?token="])
def test_without_the_token_every_path_is_refused(opened: Opened, path: str, token: str) -> None:
    page = opened("0", token="right", heartbeat=Heartbeat())
    page.show(snapshot())
    status, body = fetch(page.url.partition("?")[0] + path + token)
    assert status == 403
    assert body == b"403 Forbidden. A token is required: open the address that clf-run printed.\n"


def test_with_the_token_every_path_is_allowed(opened: Opened) -> None:
    page = opened("0", token="right", heartbeat=Heartbeat())
    page.show(snapshot())
    root = page.url.partition("?")[0]
    assert [fetch(f"{root}{path}?token=right")[0] for path in ["", "snapshot.jpg", "state", "health"]] == [200] * 4


def test_on_this_machine_no_token_is_needed(page: PageViewer) -> None:
    assert "token" not in page.url
    assert fetch(page.url)[0] == 200


def test_health_reports_the_heartbeat(opened: Opened) -> None:
    heartbeat = Heartbeat()
    heartbeat.record(7)
    assert json.loads(fetch(f"{opened(heartbeat=heartbeat).url}health")[1])["answers"] == 7


def test_without_a_heartbeat_there_is_no_health(page: PageViewer) -> None:
    assert fetch(f"{page.url}health")[0] == 404


def test_the_page_may_run_and_load_only_what_is_in_it(page: PageViewer) -> None:
    with urllib.request.urlopen(page.url, timeout=30) as reply:
        policy, html = reply.headers["Content-Security-Policy"], reply.read().decode()
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"(src|href)=\"(?!data:)|@import|url\(|innerHTML|insertAdjacent|document\.write|\son\w+=", html)


def test_a_bad_address_names_its_flag() -> None:
    with pytest.raises(OptionError, match=r"--view.*'nonsense'"):
        open_page("nonsense")


def test_closing_with_viewers_ends_them_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    page = open_page("0")
    page.show(snapshot())
    port = int(page.url.rsplit(":", 1)[1].strip("/"))
    with closing(Live(page)) as live, closing(urllib.request.urlopen(f"{page.url}stream")) as stream:
        live.next("source")
        next_part(stream)
        with socket.create_connection(("127.0.0.1", port)) as never_reads, socket.create_connection(("127.0.0.1", port)):
            never_reads.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            began = time.monotonic()
            page.close()
            assert set(threading.enumerate()) <= before
            assert time.monotonic() - began < 30
            page.show(snapshot())  # the run may still show one more
