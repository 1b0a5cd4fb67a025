"""A user of a virtual screen. test_window.py runs this in an environment with opencv-python and python-xlib.

Usage: desktop_user.py HOW. Shows two sources, saves the screen as screen.png, ends the viewer with the key HOW or by the
windows' close buttons (`cross`), and writes what it saw to seen.json.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from Xlib import XK, X, display
from Xlib.ext import xtest
from Xlib.protocol import event

from edgeclf.runtime.images.preprocess import Preprocess
from edgeclf.runtime.live.viewers.display import window_problem
from edgeclf.runtime.live.viewers.snapshot import Snapshot
from edgeclf.runtime.live.viewers.window import WindowViewer

SOURCES = {"left": (200, 40, 120), "right\n<b>": (40, 200, 120)}
WIDTH = 640
"""The width of each window: images of 400x300 are enlarged."""


class Screen:
    def __init__(self) -> None:
        self.display = display.Display()
        self.root = self.display.screen().root

    def image(self) -> Any:
        """The whole screen, uint8 `[h, w, 3]` BGR."""
        size = self.root.get_geometry()
        image = self.root.get_image(0, 0, size.width, size.height, X.ZPixmap, 0xFFFFFFFF)
        return np.frombuffer(image.data, np.uint8).reshape(size.height, size.width, 4)[..., :3]

    def windows(self) -> dict[str, Any]:
        """The visible windows, by title."""
        name = self.display.intern_atom("_NET_WM_NAME")
        found = {}
        for window in self.root.query_tree().children:
            title = window.get_full_property(name, X.AnyPropertyType)
            if title and window.get_attributes().map_state == X.IsViewable:
                found[title.value.decode()] = window
        return found

    def spread(self) -> None:
        """Place the windows side by side. There is no window manager to do it, and Qt may still be moving them."""
        for number, (_, window) in enumerate(sorted(self.windows().items())):
            window.configure(x=number * WIDTH, y=0)
        self.display.sync()

    def colours(self) -> list[tuple[int, ...]]:
        """The RGB colour in the middle of each window, after placing them side by side."""
        self.spread()
        return [tuple(self.image()[300, x, ::-1].tolist()) for x in (WIDTH // 2, WIDTH // 2 + WIDTH)]

    def press(self, key: str) -> None:
        self.windows()["left"].set_input_focus(X.RevertToParent, X.CurrentTime)
        code = self.display.keysym_to_keycode(XK.string_to_keysym(key))
        xtest.fake_input(self.display, X.KeyPress, code)
        xtest.fake_input(self.display, X.KeyRelease, code)
        self.display.sync()

    def close(self, title: str) -> None:
        """Close a window as a window manager does when its close button is clicked."""
        protocols, delete = (self.display.intern_atom(name) for name in ("WM_PROTOCOLS", "WM_DELETE_WINDOW"))
        window = self.windows()[title]
        message = event.ClientMessage(window=window, client_type=protocols, data=(32, [delete, X.CurrentTime, 0, 0, 0]))
        window.send_event(message)
        self.display.sync()


def snapshots() -> list[Snapshot]:
    images = {name: np.full((300, 400, 3), colour, np.uint8) for name, colour in SOURCES.items()}
    scores = (("defective", 0.9), ("functional", 0.1))
    return [
        Snapshot(
            source=name,
            image=image,
            label="defective",
            confidence=0.9,
            scores=scores,
            changed=False,
            fps=25.0,
            age_ms=40.0,
            time="",
            heat=np.ones((1, 1), np.float32),
        )
        for name, image in images.items()
    ]


def show_until(viewer: WindowViewer, done: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        for snapshot in snapshots():
            viewer.show(snapshot)
        time.sleep(0.02)
    return done()


def open_windows(screen: Screen) -> WindowViewer:
    """Open the windows. Without a window manager, Qt sometimes never paints one, so this tries up to 20 times."""
    for _ in range(20):
        viewer = WindowViewer(Preprocess((8, 8)))
        if show_until(viewer, lambda: screen.colours() == list(SOURCES.values()), seconds=5):
            break
        viewer.close()
    return viewer


def main(how: str) -> None:
    screen = Screen()
    seen: dict[str, object] = {"problem": window_problem()}
    viewer = open_windows(screen)
    seen["titles"] = sorted(screen.windows())
    seen["side by side"] = screen.colours() == list(SOURCES.values())
    Path("screen.png").write_bytes(cv2.imencode(".png", screen.image())[1])
    if how == "cross":
        screen.close("left")
        seen["one is left"] = show_until(viewer, lambda: len(screen.windows()) == 1) and not viewer.closed
        screen.close(next(iter(screen.windows())))
    elif how == "h":
        screen.press("h")
        seen["without colour"] = show_until(viewer, lambda: not set(SOURCES.values()) & set(screen.colours()))
        screen.press("h")
        seen["as before"] = show_until(viewer, lambda: screen.colours() == list(SOURCES.values()))
        screen.press("q")
    else:
        screen.press(how)
    seen["closed"] = show_until(viewer, lambda: viewer.closed)
    viewer.close()
    seen["windows in the end"] = len(screen.windows())
    Path("seen.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
