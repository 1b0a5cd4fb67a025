"""Whether a window can be opened here. OpenCV's does not fail where there is no display: it ends the process."""

import os
import re
import subprocess
import sys

from edgeclf.runtime.terminal.escaping import escape

_TRIAL = "import cv2; cv2.namedWindow('edgeclf'); cv2.waitKey(1); cv2.destroyAllWindows()"
_TRIAL_S = 30.0


def window_problem() -> str:
    """Why no window can be opened, with the cure, in one sentence; empty where one can.

    On systems with X11 or Wayland, another process opens one to see whether that works: that takes as long as OpenCV's
    import, and the window may flash up.
    """
    if not window_toolkit():
        return "no window: this OpenCV is built without; install edgeclf[desktop] in a fresh environment"
    if not has_display():
        return "no window: there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    complaint = _try_window() if _has_display_server() else ""
    return f"no window: none can be opened on the display {_display()} ({complaint})" if complaint else ""


def window_toolkit() -> str:
    """What OpenCV was built to draw windows with, such as `QT5` or `GTK+`; empty for none. Imports OpenCV."""
    import cv2

    found = re.search(r"^\s*GUI:[ \t]*(.*)$", cv2.getBuildInformation(), re.MULTILINE)
    name = found[1].strip() if found else ""
    return "" if name.upper() in ("", "NONE") else name


def has_display() -> bool:
    """Whether there should be a display: Windows and macOS have one, others name it in the environment."""
    return not _has_display_server() or bool(_display())


def _has_display_server() -> bool:
    return sys.platform not in ("win32", "darwin")


def _display() -> str:
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or ""


def _try_window() -> str:
    """What the trial had to say when it failed; empty when it did not."""
    try:
        trial = subprocess.run([sys.executable, "-P", "-c", _TRIAL], capture_output=True, timeout=_TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {_TRIAL_S:.0f} s"
    lines = trial.stderr.decode(errors="replace").split("\n")
    said = next((line.strip() for line in lines if line.strip()), f"exit status {trial.returncode}")
    return escape(said[:200]) if trial.returncode else ""
