"""The server with bad clients: garbage, silence, half requests and crowds. And how it closes."""

import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse

import pytest

from edgeclf.runtime.errors import OptionError
from edgeclf.runtime.live.web import server as server_module
from edgeclf.runtime.live.web.address import parse_address
from edgeclf.runtime.live.web.auth import Request, allow_all, require_loopback, require_token
from edgeclf.runtime.live.web.server import MAX_STREAMS, Reply, Server

TOKEN = "s3cret/ü&="
Opened = Callable[..., Server]
Until = Callable[[Callable[[], bool]], None]


def endless(request: Request) -> Reply:
    def pieces() -> Generator[bytes]:
        while True:
            yield b"x" * 20_000
            time.sleep(0.01)

    return Reply(pieces())


ROUTES = {"/": lambda request: Reply(b"hello"), "/endless": endless}


def get(server: Server, path: str = "/", method: str = "GET", host: str | None = None) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    response = connection.getresponse()
    response.close()
    connection.close()
    return response


def send(server: Server, data: bytes) -> bytes:
    """Send raw bytes and return the whole answer."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        client.sendall(data)
        answer = b""
        try:
            while piece := client.recv(1 << 16):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


@pytest.fixture
def threads() -> set[threading.Thread]:
    """The threads before the test."""
    return set(threading.enumerate())


@pytest.fixture
def opened(threads: set[threading.Thread], capfd: pytest.CaptureFixture[str]) -> Iterator[Opened]:
    """`opened()` is a running server. At the end it must have printed nothing and left no thread."""
    with ExitStack() as stack:

        def start(access: object = allow_all) -> Server:
            server = stack.enter_context(closing(Server("--view", "0")))
            server.start(ROUTES, access)  # type: ignore[arg-type]
            return server

        yield start
    assert set(threading.enumerate()) <= threads
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080", ("127.0.0.1", 8080)),
        (":8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("192.168.1.5:80", ("192.168.1.5", 80)),
        ("[::]:8080", ("::", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("camera.local:8080", ("camera.local", 8080)),
    ],
)
def test_an_address_is_a_port_or_a_host_with_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_address("--view", text) == expected


@pytest.mark.parametrize(
    "text", ["", ":", "web", "::1:8080", "1.2.3.4", ":70000", ":-1", "http://x:80", "a b:80", "u@h:80", ":8\u0660"]
)
def test_an_invalid_address_is_refused_with_flag_and_value(text: str) -> None:
    with pytest.raises(OptionError, match=r"^--health takes a port or an address") as caught:
        parse_address("--health", text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.77:0", "not an address of this machine"),
        ("no-such-host.invalid:0", "no such host"),
        (f"{'a' * 70}:0", "no such host"),
    ],
)
def test_an_address_of_another_machine_is_refused(address: str, reason: str) -> None:
    with pytest.raises(OptionError, match=rf"^--view .*{reason}"):
        Server("--view", address)


def test_a_port_in_use_is_refused(opened: Opened) -> None:
    with pytest.raises(OptionError, match=r"^--view :\d+: another program uses this port"):
        Server("--view", f":{opened().server_port}")


def test_a_port_without_a_host_is_for_this_machine_only(opened: Opened) -> None:
    server = opened()
    assert server.server_address[0] == "127.0.0.1"
    assert server.is_local


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_a_server_on_all_addresses_is_not_local(address: str) -> None:
    if address.startswith("[") and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with closing(Server("--view", address)) as server:
        assert not server.is_local
        assert "//0.0.0.0" not in server.url
        assert "[::]" not in server.url


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_all_ipv6_addresses_include_all_ipv4_addresses(threads: set[threading.Thread]) -> None:
    with closing(Server("--view", "[::]:0")) as server:
        server.start(ROUTES, allow_all)
        assert get(server).status == 200


def test_a_closed_server_releases_its_port(opened: Opened) -> None:
    first = opened()
    assert get(first).status == 200
    port = first.server_port
    first.close()
    with closing(Server("--view", f":{port}")) as second:
        second.start(ROUTES, allow_all)
        assert get(second).status == 200


def test_head_is_get_without_the_body(opened: Opened) -> None:
    answer = send(opened(), b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 5" in head
    assert body == b""


def test_head_of_a_stream_ends(opened: Opened) -> None:
    answer = send(opened(), b"HEAD /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "NONSENSE", "get"])
def test_other_methods_are_refused(opened: Opened, method: str) -> None:
    response = get(opened(), method=method)
    assert response.status == 405
    assert response.getheader("Allow") == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/nothing", "/endless"])
def test_every_reply_forbids_caching_framing_and_sniffing(opened: Opened, path: str) -> None:
    response = get(opened(), path)
    assert response.getheader("Cache-Control") == "no-store"
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert response.getheader("Referrer-Policy") == "no-referrer"
    assert response.getheader("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'"
    assert response.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert response.getheader("Server") == "clf-run"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/99.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /?" + b"&".join([b"a=1"] * 100) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%00%ff?\xff\xfe=%zz&token=%ed%a0%80 HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"\0" * 100_000,
    ],
    ids=[
        "tls",
        "no version",
        "version",
        "headers",
        "long path",
        "long header",
        "fields",
        "bytes",
        "old",
        "empty lines",
        "zeros",
    ],
)
def test_garbage_gets_an_error_and_the_next_client_is_served(opened: Opened, data: bytes) -> None:
    server = opened(require_token(TOKEN))
    answer = send(server, data)
    assert answer == b"" or re.match(rb"HTTP/1.1 (400|403|414|431|505) ", answer)
    assert get(server, "/").status == 403


def test_a_request_that_is_never_finished_times_out(opened: Opened, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_REQUEST_S", 0.5)
    server = opened()
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        client.sendall(b"GET / HT")
        until(lambda: threading.active_count() > before)
        assert client.recv(100) == b""  # long before the client's own timeout
    until(lambda: threading.active_count() == before)


def test_a_request_that_arrives_byte_by_byte_times_out(
    opened: Opened, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_REQUEST_S", 0.5)
    server = opened()

    def drip() -> bool:
        """Whether the server still accepts bytes."""
        try:
            client.sendall(b"x")
            time.sleep(0.05)
        except OSError:
            return False
        return True

    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        client.sendall(b"GET /")
        until(lambda: not drip())


def test_a_reply_may_take_longer_than_a_request(opened: Opened, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_REQUEST_S", 0.2)
    server = opened()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        began, got = time.monotonic(), b""
        while time.monotonic() < began + 0.8:
            piece = client.recv(1 << 16)
            assert piece
            got += piece
        assert len(got) > 1000


def test_a_client_that_never_reads_is_disconnected(opened: Opened, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module._Handler, "timeout", 0.5)
    server = opened()
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: threading.active_count() > before)
        until(lambda: threading.active_count() == before)


def test_a_client_that_disconnects_leaves_no_thread(opened: Opened, until: Until) -> None:
    server = opened()
    before = threading.active_count()
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(10) == b"HTTP/1.1 2"
    until(lambda: threading.active_count() == before)


def test_one_stream_too_many_is_refused_until_another_ends(opened: Opened, until: Until) -> None:
    server = opened()
    with ExitStack() as stack:
        clients = []
        for _ in range(MAX_STREAMS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=30))
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(10) == b"HTTP/1.1 2"
            clients.append(client)
        assert get(server, "/endless").status == 503
        assert get(server, "/").status == 200
        clients[0].close()
        until(lambda: get(server, "/endless").status == 200)


def test_a_crowd_of_silent_clients_is_limited_and_does_not_block_later_clients(opened: Opened, until: Until) -> None:
    server = opened()
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(90):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=30))
        until(lambda: threading.active_count() >= before + 60)
        assert threading.active_count() <= before + 64
    until(lambda: threading.active_count() == before)
    assert get(server).status == 200


def test_closing_with_open_streams_and_half_requests_leaves_no_thread(
    opened: Opened, until: Until, threads: set[threading.Thread]
) -> None:
    server = opened()
    with ExitStack() as stack:
        for data in [b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /endl", b""] * 5:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=30))
            client.sendall(data)
        until(lambda: threading.active_count() >= len(threads) + 16)
        server.close()
        assert set(threading.enumerate()) <= threads


def test_the_right_token_is_allowed(opened: Opened) -> None:
    assert get(opened(require_token(TOKEN)), "/?token=s3cret%2F%C3%BC%26%3D").status == 200


@pytest.mark.parametrize(
    "query",
    ["", "?token=", "?token=s3cret", "?token=S3CRET%2F%C3%BC%26%3D", "?Token=s3cret%2F%C3%BC%26%3D", "?token=%F0%9F"],
)
@pytest.mark.parametrize("path", ["/", "/endless", "/nothing", "//", "/../", "*"])
def test_a_wrong_token_is_refused_on_every_path(opened: Opened, path: str, query: str) -> None:
    response = get(opened(require_token(TOKEN)), path + query)
    assert response.status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9000", "127.0.0.1", "127.8.8.8:80", "[::1]:8080", "LOCALHOST.", "cam.localhost"]
)
def test_every_loopback_name_is_allowed(opened: Opened, host: str) -> None:
    assert get(opened(require_loopback), host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "", "[", "127.0.0.1.evil.example", "0.0.0.0"]
)
def test_a_host_name_that_is_not_loopback_is_refused(opened: Opened, host: str) -> None:
    assert get(opened(require_loopback), host=host).status == 403


def test_a_request_without_a_host_is_refused(opened: Opened) -> None:
    assert send(opened(require_loopback), b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403")
