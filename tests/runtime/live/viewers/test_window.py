"""The window on a virtual screen, in a separate environment and separate processes, because an error ends the process."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeclf.runtime.live.viewers.display import has_display, window_problem, window_toolkit

ROOT = Path(__file__).parents[4]
USER = ROOT / "tests" / "support" / "desktop_user.py"
PANEL = 0.3
"""The share of the image's brightness that the panel keeps."""

headless = pytest.mark.skipif(window_toolkit() != "", reason="this OpenCV has windows")


@headless
def test_an_opencv_without_windows_is_reported_with_a_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")

    problem = window_problem()

    assert "without windows" in problem
    assert "edgeclf[desktop]" in problem


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="has a display without naming it")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, False), ({"DISPLAY": ""}, False), ({"DISPLAY": ":0"}, True), ({"WAYLAND_DISPLAY": "wayland-0"}, True)],
    ids=str,
)
def test_the_environment_names_the_display(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert has_display() is expected


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel, OpenCV with windows, and a library to press keys."""
    folder = tmp_path_factory.mktemp("desktop")
    built = _uv("build", "--quiet", "--out-dir", folder / "dist", ROOT)
    assert built.returncode == 0, built.stderr
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    wheel = next((folder / "dist").glob("*.whl"))
    pinned = ("--constraint", ROOT / "constraints.txt")
    packages = (wheel, "opencv-python", "python-xlib==0.33")
    done = _uv("pip", "install", "--quiet", "--python", python, *pinned, *packages)
    if done.returncode:
        pytest.skip(f"the packages cannot be installed: {done.stderr}")
    return python


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a virtual screen of our own."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("there is no Xvfb: apt install xvfb")
    read, write = os.pipe()
    line = [xvfb, "-displayfd", str(write), "-screen", "0", "1300x500x24", "-nolisten", "tcp"]
    with (tmp_path_factory.mktemp("screen") / "log").open("wb") as log, open(read) as answer:
        server = subprocess.Popen(line, pass_fds=[write], stderr=log)
        os.close(write)
        try:
            number = answer.readline().strip()
            assert number, "Xvfb did not start"
            yield f":{number}"
        finally:
            server.terminate()
            server.wait()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["q", "Escape"])
def test_a_key_closes_the_windows(python: Path, screen: str, tmp_path: Path, how: str) -> None:
    assert _show_and_end(python, screen, how, tmp_path) == {
        "problem": "",
        "titles": ["left", "right\\n<b>"],
        "side by side": True,
        "closed": True,
        "windows in the end": 0,
    }


@pytest.mark.slow
def test_h_lays_the_heatmap_over_the_image_and_takes_it_away(python: Path, screen: str, tmp_path: Path) -> None:
    seen = _show_and_end(python, screen, "h", tmp_path)

    assert (seen["without colour"], seen["as before"], seen["closed"]) == (True, True, True)


@pytest.mark.slow
def test_closing_the_last_window_ends_the_viewer(python: Path, screen: str, tmp_path: Path) -> None:
    seen = _show_and_end(python, screen, "cross", tmp_path)

    assert (seen["one is left"], seen["closed"], seen["windows in the end"]) == (True, True, 0)


@pytest.mark.slow
def test_image_and_panel_are_on_the_screen(python: Path, screen: str, tmp_path: Path) -> None:
    _show_and_end(python, screen, "q", tmp_path)

    seen = cv2.imdecode(np.frombuffer((tmp_path / "screen.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert seen is not None
    for colour in [(200, 40, 120), (40, 200, 120)]:
        assert _colour_share(seen, colour) > 0.15
        assert _colour_share(seen, tuple(PANEL * level for level in colour)) > 0.005
    assert _colour_share(seen, (255, 255, 255)) > 0.0005


@pytest.mark.slow
@pytest.mark.parametrize(
    ("display", "start", "end"),
    [
        (":9876", "no window: the display :9876 cannot be used (", "could not connect to display :9876)"),
        ("", "no window: there is no display ", "(neither DISPLAY nor WAYLAND_DISPLAY is set)"),
    ],
    ids=["no answer", "none"],
)
def test_an_unusable_display_is_reported_without_a_crash(
    python: Path, tmp_path: Path, display: str, start: str, end: str
) -> None:
    program = "from edgeclf.runtime.live.viewers.display import window_problem; print(window_problem())"
    done = _run(python, display, tmp_path, "-c", program)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(start)
    assert done.stdout.endswith(f"{end}\n")


def _colour_share(image: NDArray[np.generic], colour: tuple[float, ...]) -> float:
    """The share of an image that has this colour, with some tolerance."""
    near: NDArray[np.bool_] = (np.abs(image - np.array(colour)) < 3).all(axis=2)
    return float(near.mean())


def _show_and_end(python: Path, screen: str, how: str, folder: Path) -> dict[str, Any]:
    done = _run(python, screen, folder, USER, how)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return seen


def _run(python: Path, display: str, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("WAYLAND_DISPLAY", "PYTHONPATH")}
    line = [python, *arguments]
    settings = {"DISPLAY": display, "PYTHONWARNINGS": "error"}
    return subprocess.run(
        line, cwd=folder, env=environment | settings, capture_output=True, text=True, timeout=300, check=False
    )


def _uv(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([os.environ.get("UV", "uv"), *arguments], capture_output=True, text=True, check=False)
