"""Whether a window can be opened here. Without a display, OpenCV does not raise an error: it ends the process."""

import os
import re
import subprocess
import sys

from edgeclf.runtime.terminal.escaping import escape

_OPEN_WINDOW = "import cv2; cv2.namedWindow('edgeclf'); cv2.waitKey(1); cv2.destroyAllWindows()"
_TIMEOUT_S = 30.0


def window_problem() -> str:
    """Why no window can be opened, and what to do about it; empty if one can.

    With X11 or Wayland, this opens one in another process to find out. It takes as long as importing OpenCV, and the window
    may flash up.
    """
    if not window_toolkit():
        return "no window: this OpenCV is built without windows; install edgeclf[desktop] in a fresh environment"
    if not has_display():
        return "no window: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    error = _try_window() if _needs_display_server() else ""
    return f"no window: the display {_display()} cannot be used ({error})" if error else ""


def window_toolkit() -> str:
    """The GUI toolkit that OpenCV was built with, such as `QT5` or `GTK+`; empty for none. Imports OpenCV."""
    import cv2

    found = re.search(r"^\s*GUI:[ \t]*(.*)$", cv2.getBuildInformation(), re.MULTILINE)
    name = found[1].strip() if found else ""
    return "" if name.upper() in ("", "NONE") else name


def has_display() -> bool:
    """Whether there should be a display. Windows and macOS have one; other systems name it in the environment."""
    return not _needs_display_server() or bool(_display())


def _needs_display_server() -> bool:
    return sys.platform not in ("win32", "darwin")


def _display() -> str:
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""


def _try_window() -> str:
    """The error from opening a window in another process; empty if that worked."""
    try:
        trial = subprocess.run(
            [sys.executable, "-P", "-c", _OPEN_WINDOW], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT_S:.0f} s"
    lines = trial.stderr.decode(errors="replace").split("\n")
    error = next((line.strip() for line in lines if line.strip()), f"exit status {trial.returncode}")
    return escape(error[:200]) if trial.returncode else ""
