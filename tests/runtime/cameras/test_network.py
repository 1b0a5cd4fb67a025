"""A stream that cannot be opened is one sentence with the reason, without its password."""

import re
import socket
from collections.abc import Iterator

import pytest

from edgeclf.runtime.cameras import capture
from tests.support.fake_camera import open_error


@pytest.fixture
def quick_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "TIMEOUT_MS", 300)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("scheme", ["rtsp", "RTSP", "rtmp", "http", "https", "tcp"])
def test_silent_stream_times_out(scheme: str, silent_server: int, quick_timeouts: None) -> None:
    sentence = open_error(f"{scheme}://ann:hunter2@127.0.0.1:{silent_server}/live")

    assert sentence.startswith(
        f"{scheme}://ann:***@127.0.0.1:{silent_server}/live cannot be opened: 127.0.0.1 answers on port"
    )


def test_refused_connection_is_named(closed_port: int) -> None:
    address = f"http://127.0.0.1:{closed_port}/live?token=hunter2"

    sentence = open_error(address)

    assert sentence.startswith(f"http://127.0.0.1:{closed_port}/live?token=*** ")
    assert sentence.endswith(f"port {closed_port}: Connection refused")


def test_unknown_host_is_named() -> None:
    sentence = open_error("rtsp://ann:hunter2@nowhere.invalid/live")

    assert re.fullmatch(r"rtsp://ann:\*\*\*@nowhere\.invalid/live .*host nowhere\.invalid is unknown", sentence)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://[::1/live", "not valid"),
        ("tcp://127.0.0.1", "missing"),
        ("rtsp:///live", "missing"),
        ("udp://127.0.0.1:9", "no video"),
    ],
)
def test_unusable_address_has_a_reason(address: str, reason: str, quick_timeouts: None) -> None:
    sentence = open_error(address)

    assert sentence.startswith(f"{address} cannot be opened: ")
    assert reason in sentence


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http", "https"])
@pytest.mark.parametrize(
    "user",
    [
        "ann:p@SECRET#1",
        "ann:SECRET#",
        "ann:p/SECRET",
        "ann:p@SECRET/1",
        "ann:1?SECRET",
        "ann:12/SECRET",
        "ann:#SECRET@SECRET/@1",
    ],
)
def test_no_part_of_a_password_is_shown_and_how_to_write_it_is(
    user: str, scheme: str, closed_port: int, quick_timeouts: None, capfd: pytest.CaptureFixture[str]
) -> None:
    sentence = open_error(f"{scheme}://{user}@127.0.0.1:{closed_port}/live")

    assert sentence.startswith(f"{scheme}://ann:***@127.0.0.1:{closed_port}/live cannot be opened: ")
    assert "@ / ? # : in a user, a password or a path as %40 %2F %3F %23 %3A" in sentence
    assert "secret" not in (sentence + "".join(capfd.readouterr())).lower()
