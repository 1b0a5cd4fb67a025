"""Telling systemd how a service is, as sd_notify(3) has it; nothing happens where systemd does not ask for it."""

import os
import socket
from contextlib import suppress

from edgeclf.runtime.terminal.escaping import escape


def notify_ready() -> None:
    """The service has started: what it needs is there."""
    _notify("READY=1")


def notify_watchdog() -> None:
    """The service is alive. Without this for WatchdogSec= it is ended, and started again where Restart= says so."""
    _notify("WATCHDOG=1")


def notify_stopping() -> None:
    """The service ends now, because it wants to or was asked to."""
    _notify("STOPPING=1")


def notify_status(text: str) -> None:
    """A line for `systemctl status`."""
    _notify(f"STATUS={escape(text)}")


def watchdog_s() -> float | None:
    """How long the service may be silent; None where nobody watches it."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID") or str(os.getpid())
    if not microseconds.isdecimal() or process != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 or None


def _notify(message: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # a name that is in no folder
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a systemd that is busy must not hold up the run
        sender.sendto(message.encode(), address)
