"""A small HTTP server that nobody can hold up: what answers the page's and the health check's requests, for months."""

import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edgeclf.runtime.live.web.address import cannot_listen, is_loopback, parse_address, url_of
from edgeclf.runtime.live.web.auth import Access, Request

MAX_STREAMS = 16
"""Replies without an end at one time; one more is 503."""
_MAX_CONNECTIONS = 64
_REQUEST_S = 10.0
"""From connecting to the end of the request."""
_SEND_S = 10.0
"""For one piece of a reply."""
_SEND_BUFFER_BYTES = 1 << 18
"""Small, so that a slow viewer's images wait here, where they are left out, and not in the system, where they age."""
_POLL_S = 0.1
_CLOSE_S = 3.0
_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Reply:
    """What is sent back. body: a generator is sent piece by piece until it ends or the client goes, and is then closed."""

    body: bytes | Generator[bytes]
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def error(cls, status: HTTPStatus, sentence: str = "") -> "Reply":
        """A line of text for people."""
        return cls(f"{status.value} {status.phrase}. {sentence}".rstrip().encode() + b"\n", status=status)

    @classmethod
    def json(cls, content: Any, status: HTTPStatus = HTTPStatus.OK) -> "Reply":
        """For programs."""
        return cls(json.dumps(content).encode() + b"\n", "application/json", status)


Route = Callable[[Request], Reply]


class Server(ThreadingHTTPServer):
    """Listens from its making, answers from `start` to `close`.

    Raises OptionError for an address that is none or cannot be had. One thread for each connection, one request in each;
    a client that sends nonsense, stops half-way, never reads or goes away costs a thread for some seconds and no word.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, flag: str, address: str) -> None:
        self._routes: Mapping[str, Route] = {}
        self._access: Access = lambda request: "not started"
        self._open: dict[socket.socket, _Connection] = {}
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)
        self._thread: threading.Thread | None = None
        host, port = parse_address(flag, address)
        try:
            passive = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.address_family, *_, place = passive[0]
            super().__init__(place, _Handler)  # type: ignore[arg-type]  # four values for IPv6
        except (OSError, UnicodeError) as error:
            raise cannot_listen(flag, address, error) from None

    @property
    def url(self) -> str:
        """Its root, for a browser."""
        return url_of(str(self.server_address[0]), self.server_port)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(str(self.server_address[0]))

    def start(self, routes: Mapping[str, Route], access: Access) -> None:
        """Answer, from a thread of its own. routes: by path."""
        self._routes, self._access = routes, access
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True, name="http")
        self._thread.start()

    def close(self) -> None:
        """End every connection and every thread. What a route waits for must have been ended before."""
        if self._thread:
            self.shutdown()
            self._thread.join()
        self.server_close()
        connections = list(self._open.items())
        for client, _ in connections:
            _hang_up(client)
        deadline = time.monotonic() + _CLOSE_S
        for _, connection in connections:
            connection.thread.join(max(0.0, deadline - time.monotonic()))

    def answer(self, request: Request) -> Reply:
        """Of its route, where access is given."""
        if refusal := self._access(request):
            return Reply.error(HTTPStatus.FORBIDDEN, refusal)
        route = self._routes.get(request.path)
        return route(request) if route else Reply.error(HTTPStatus.NOT_FOUND)

    def was_asked(self, client: socket.socket) -> None:
        """The request is complete."""
        self._open[client].deadline = None

    def claim_stream(self) -> bool:
        """Whether there is room for one more; give it back with `end_stream`."""
        return self._streams.acquire(blocking=False)

    def end_stream(self) -> None:
        self._streams.release()

    def server_bind(self) -> None:
        """Without the name look-up of HTTPServer, which can take seconds where there is no network."""
        if self.address_family == socket.AF_INET6 and self.server_address[0] == "::":
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "", int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return len(self._open) < _MAX_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._open[request] = _Connection(thread, time.monotonic() + _REQUEST_S)
        try:
            thread.start()
        except RuntimeError:  # no more threads: the next one may have better luck
            del self._open[request]
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._open[request]

    def service_actions(self) -> None:
        """Several times a second: a client that drips its request byte by byte never meets the socket's time limit."""
        for client, connection in list(self._open.items()):
            if connection.deadline and time.monotonic() > connection.deadline:
                _hang_up(client)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news; anything else is a bug, and keeps its traceback."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass
class _Connection:
    """deadline: until when its request must be complete; None once it is."""

    thread: threading.Thread
    deadline: float | None


class _Handler(BaseHTTPRequestHandler):
    """One connection: one request, one reply."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _SEND_S
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        super().setup()

    def handle(self) -> None:
        self.handle_one_request()

    def do_GET(self) -> None:
        self.server.was_asked(self.connection)
        try:
            request = Request.parse(self.path, self.headers.get("Host", ""))
        except ValueError:
            self._send(Reply.error(HTTPStatus.BAD_REQUEST))
            return
        reply = self.server.answer(request)
        if isinstance(reply.body, bytes):
            self._send(reply)
        elif self.server.claim_stream():
            try:
                self._send(reply)
            finally:
                self.server.end_stream()
        else:
            self._send(Reply.error(HTTPStatus.SERVICE_UNAVAILABLE, "Too many look at this already."))

    def do_HEAD(self) -> None:
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server says of a request that it does not understand."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self._send(Reply.error(status))

    def version_string(self) -> str:
        return "clf-run"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        """Nothing: a line for each request is noise, and would hold the token."""

    def _send(self, reply: Reply) -> None:
        self.request_version = "HTTP/1.1"  # to a client that says nothing or nonsense, http.server would send no headers
        self.send_response(reply.status)
        for name, value in {**_SAFE, "Content-Type": reply.content_type, **reply.headers}.items():
            self.send_header(name, value)
        if isinstance(reply.body, bytes):
            self.send_header("Content-Length", str(len(reply.body)))
        if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(reply.body, bytes):
            self.wfile.write(reply.body)
            return
        with closing(reply.body):
            for piece in reply.body:
                self.wfile.write(piece)


def _hang_up(client: socket.socket) -> None:
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
