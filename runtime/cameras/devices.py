"""The cameras of this machine: their names, which ones exist, and why one cannot be used."""

import os
import re
import stat
import sys
from pathlib import Path

from edgeclf.runtime.errors import DeviceError

_NAME = re.compile(r"(?:webcam(?::(\d{1,3}))?|(\d{1,3}))", re.ASCII)
_NODE = re.compile(r"/dev/(?:video\d+|v4l/.+)", re.ASCII)
_VIDEO_MAJOR = 81  # Documentation/admin-guide/devices.txt of Linux
_DEV, _SYS, _PROC = Path("/dev"), Path("/sys/class/video4linux"), Path("/proc")
_LISTED = 6


def is_camera(name: str) -> bool:
    """Whether it is `webcam`, `webcam:1`, `1`, a path such as `/dev/video1` (existing or not), or a path to a camera."""
    return bool(_NAME.fullmatch(name) or _NODE.fullmatch(name)) or is_node(name)


def is_node(name: str) -> bool:
    """Whether the path leads to a video device, directly or through a link such as those in /dev/v4l/by-id."""
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(status.st_mode) and hasattr(os, "major") and os.major(status.st_rdev) == _VIDEO_MAJOR


def camera_number(name: str) -> int | None:
    """1 for `webcam:1` or `1`; None for a path."""
    match = _NAME.fullmatch(name)
    return int(match[1] or match[2] or 0) if match else None


def camera_node(name: str) -> str:
    """The path of a camera on Linux, checked without opening it. Raises DeviceError."""
    number = camera_number(name)
    path = name if number is None else str(_DEV / f"video{number}")
    if not os.path.exists(path):
        raise DeviceError(f"no camera {name}: {path} does not exist; {_alternatives()}")
    if not is_node(path):
        raise DeviceError(f"no camera {name}: {path} is not a video device; {_alternatives()}")
    if not os.access(path, os.R_OK | os.W_OK):
        advice = "add the user to the group that owns it (sudo usermod -aG video $USER), and log in again"
        raise DeviceError(f"camera {name}: no permission to open {path}; {advice}")
    return os.path.realpath(path)


def why_unusable(path: str) -> str:
    """The reason as half a sentence, for a camera that exists but cannot be opened."""
    if not sys.platform.startswith("linux"):
        return "it may be missing, in use, or blocked for this program in the system's settings"
    users = _users(path)
    if users:
        return f"it is in use by {users}; close that program first"
    sentence = f"it may be in use (fuser -v {path} shows by which program), or deliver no frames"
    others = [node for node in _nodes() if str(node) != path]
    return f"{sentence}; other cameras: {_listed(others)}" if others else sentence


def _alternatives() -> str:
    """The cameras that exist, and how to name one."""
    nodes = _nodes()
    if nodes:
        return f"found {_listed(nodes)}; name one of these, such as --source {nodes[0]}"
    return "no camera was found; plug one in (ls /dev/video* lists them; a container needs --device to see one)"


def _nodes() -> list[Path]:
    return sorted((node for node in _DEV.glob("video*") if node.name[5:].isdigit()), key=lambda node: int(node.name[5:]))


def _listed(nodes: list[Path]) -> str:
    return ", ".join(f"{node}{_described(node)}" for node in nodes[:_LISTED])


def _described(node: Path) -> str:
    try:
        return f" ({(_SYS / node.name / 'name').read_text('utf-8', 'replace').strip()})"
    except OSError:
        return ""


def _users(path: str) -> str:
    """This user's programs that have it open, such as `cheese (pid 71)`."""
    found = []
    for process in _PROC.glob("[0-9]*"):
        try:
            if any(os.readlink(entry) == path for entry in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text('utf-8', 'replace').strip()} (pid {process.name})")
        except OSError:  # a process of another user, or one that has ended
            continue
    return ", ".join(found)
