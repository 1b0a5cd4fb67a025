"""What the review page asks its server."""

import json
import urllib.error
import urllib.request
from typing import Any


class ReviewClient:
    """url: that of the page, with the token if there is one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def address(self, route: str) -> str:
        root, _, query = self.url.partition("?")
        joined = "&" if "?" in route else "?"
        return f"{root}{route}{joined}{query}" if query else f"{root}{route}"

    def get(self, route: str) -> bytes:
        """Raises HTTPError."""
        with urllib.request.urlopen(self.address(route), timeout=30) as reply:
            data: bytes = reply.read()
            return data

    def post(self, entries: Any, **headers: str) -> tuple[int, str]:
        """Send decisions, or raw bytes; the status and the reply."""
        data = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
        request = urllib.request.Request(self.address("decide"), data, {"Content-Type": "application/json"} | headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
