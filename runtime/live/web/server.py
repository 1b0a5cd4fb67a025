"""A small HTTP server for the pages and the health check. It runs for months, and no client can block it."""

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
from types import MappingProxyType
from typing import Any

from edgeclf.runtime.live.web.address import browser_url, is_loopback, listen_error, parse_address
from edgeclf.runtime.live.web.auth import AccessCheck, Request

MAX_STREAMS = 16
"""Endless replies at the same time; one more gets a 503."""
_MAX_CONNECTIONS = 64
_REQUEST_S = 10.0
"""Timeout from connecting to the end of the request."""
_SEND_S = 10.0
"""Timeout for sending one piece of a reply."""
_SEND_BUFFER_BYTES = 1 << 18
"""Small, so that a slow viewer's images wait in this program, which skips old ones, and not in the system's buffer."""
_MAX_BODY_BYTES = 1 << 20
"""Of a POST."""
_POLL_S = 0.1
_CLOSE_S = 3.0
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Reply:
    """body: a generator is sent piece by piece until it ends or the client disconnects, and is then closed."""

    body: bytes | Generator[bytes]
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def error(cls, status: HTTPStatus, sentence: str = "") -> "Reply":
        """An error as a line of text."""
        return cls(f"{status.value} {status.phrase}. {sentence}".rstrip().encode() + b"\n", status=status)

    @classmethod
    def json(cls, content: Any, status: HTTPStatus = HTTPStatus.OK) -> "Reply":
        """A reply as JSON."""
        return cls(json.dumps(content).encode() + b"\n", "application/json", status)


Route = Callable[[Request], Reply]


class Server(ThreadingHTTPServer):
    """Listens as soon as it is made, and replies from `start` to `close`.

    Each connection has one thread and one request. A client that sends garbage, stops half-way, never reads or disconnects
    costs a thread for some seconds, and nothing is printed. Raises OptionError for an address at which it cannot listen.
    """

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, flag: str, address: str) -> None:
        self._routes: Mapping[str, Route] = {}
        self._posts: Mapping[str, Route] = {}
        self._access: AccessCheck = lambda request: "not started"
        self._open: dict[socket.socket, _Connection] = {}
        self._streams = threading.BoundedSemaphore(MAX_STREAMS)
        self._thread: threading.Thread | None = None
        host, port = parse_address(flag, address)
        try:
            passive = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.address_family, *_, place = passive[0]
            super().__init__(place, _Handler)  # type: ignore[arg-type]  # four values for IPv6
        except (OSError, UnicodeError) as error:
            raise listen_error(flag, address, error) from None

    @property
    def url(self) -> str:
        """The root, for a browser."""
        return browser_url(str(self.server_address[0]), self.server_port)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(str(self.server_address[0]))

    def start(
        self, routes: Mapping[str, Route], access: AccessCheck, posts: Mapping[str, Route] = MappingProxyType({})
    ) -> None:
        """Start to reply, in a separate thread. routes: by path. posts: those that take JSON by POST."""
        self._routes, self._access, self._posts = routes, access, posts
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True, name="http")
        self._thread.start()

    def close(self) -> None:
        """End every connection and every thread. First end everything that a route waits for."""
        if self._thread:
            self.shutdown()
            self._thread.join()
        self.server_close()
        connections = list(self._open.items())
        for client, _ in connections:
            _disconnect(client)
        deadline = time.monotonic() + _CLOSE_S
        for _, connection in connections:
            connection.thread.join(max(0.0, deadline - time.monotonic()))

    def reply_to(self, request: Request, *, is_post: bool = False) -> Reply:
        """The reply of the request's route, if access is allowed."""
        if refusal := self._access(request):
            return Reply.error(HTTPStatus.FORBIDDEN, refusal)
        route = (self._posts if is_post else self._routes).get(request.path)
        return route(request) if route else Reply.error(HTTPStatus.NOT_FOUND)

    @property
    def takes_posts(self) -> bool:
        return bool(self._posts)

    def request_received(self, client: socket.socket) -> None:
        """Lift the deadline of a request that is complete."""
        self._open[client].deadline = None

    def acquire_stream(self) -> bool:
        """Whether one more endless reply is allowed. If so, call `release_stream` when it ends."""
        return self._streams.acquire(blocking=False)

    def release_stream(self) -> None:
        self._streams.release()

    def server_bind(self) -> None:
        """Bind without HTTPServer's name look-up, which can take seconds without a network."""
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
        except RuntimeError:  # the system has no thread left; drop this client
            del self._open[request]
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self._open[request]

    def service_actions(self) -> None:
        """Called several times a second. A client that sends its request byte by byte never hits the socket's timeout."""
        for client, connection in list(self._open.items()):
            if connection.deadline and time.monotonic() > connection.deadline:
                _disconnect(client)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect. Anything else is a bug and keeps its traceback."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@dataclass
class _Connection:
    """deadline: when its request must be complete; None once it is."""

    thread: threading.Thread
    deadline: float | None


class _Handler(BaseHTTPRequestHandler):
    """Handles one connection, with one request and one reply."""

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
        self.server.request_received(self.connection)
        try:
            request = Request.parse(self.path, self.headers.get("Host", ""))
        except ValueError:
            self._send(Reply.error(HTTPStatus.BAD_REQUEST))
            return
        reply = self.server.reply_to(request)
        if isinstance(reply.body, bytes):
            self._send(reply)
        elif self.server.acquire_stream():
            try:
                self._send(reply)
            finally:
                self.server.release_stream()
        else:
            self._send(Reply.error(HTTPStatus.SERVICE_UNAVAILABLE, "Too many viewers."))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        """JSON only, and only from our own page: a page of another website cannot send that without asking first."""
        length = self.headers.get("Content-Length", "")
        if not self.server.takes_posts:
            refused = HTTPStatus.METHOD_NOT_ALLOWED
        elif not (length.isascii() and length.isdigit() and int(length) <= _MAX_BODY_BYTES):
            refused = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        elif self.headers.get_content_type() != "application/json":
            refused = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        elif self._is_from_elsewhere():
            refused = HTTPStatus.FORBIDDEN
        else:
            self._post(int(length))
            return
        self.server.request_received(self.connection)
        self._send(Reply.error(refused))

    def _post(self, length: int) -> None:
        body = self.rfile.read(length)
        self.server.request_received(self.connection)
        try:
            request = Request.parse(self.path, self.headers.get("Host", ""), body)
        except ValueError:
            self._send(Reply.error(HTTPStatus.BAD_REQUEST))
            return
        self._send(self.server.reply_to(request, is_post=True))

    def _is_from_elsewhere(self) -> bool:
        """Whether the browser says that another website sends this."""
        origin = self.headers.get("Origin")
        return origin is not None and origin.partition("://")[2] != self.headers.get("Host", "")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Called by http.server for a request that it does not understand."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self._send(Reply.error(status))

    def version_string(self) -> str:
        return "clf-run"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        """Log nothing: a line for each request is noise, and it would contain the token."""

    def _send(self, reply: Reply) -> None:
        self.request_version = "HTTP/1.1"  # after an empty or invalid request, http.server would send no headers
        self.send_response(reply.status)
        for name, value in {**_SECURITY_HEADERS, "Content-Type": reply.content_type, **reply.headers}.items():
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


def _disconnect(client: socket.socket) -> None:
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
