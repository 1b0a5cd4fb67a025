"""Service notifications to systemd, as in sd_notify(3). Without systemd, nothing is sent."""

import os
import socket
from contextlib import suppress

from edgeclf.runtime.terminal.escaping import escape


def notify_ready() -> None:
    """The service has started and has everything it needs."""
    _notify("READY=1")


def notify_watchdog() -> None:
    """The service is alive. After WatchdogSec= without this, systemd kills it, and Restart= may start it again."""
    _notify("WATCHDOG=1")


def notify_stopping() -> None:
    """The service is shutting down, by itself or on request."""
    _notify("STOPPING=1")


def notify_status(text: str) -> None:
    """The status line in `systemctl status`."""
    _notify(f"STATUS={escape(text)}")


def watchdog_s() -> float | None:
    """The watchdog interval in seconds; None if systemd does not watch this process."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID") or str(os.getpid())
    if not microseconds.isdecimal() or process != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 or None


def _notify(message: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # an abstract socket, which has no path
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a busy systemd must not hold up the run
        sender.sendto(message.encode(), address)
