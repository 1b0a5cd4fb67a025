"""Makes the screenshots in docs/images from a real run on generated images.

`python -m edgeclf.benchmarks.screenshots FOLDER` trains, exports and classifies in FOLDER, each command on a terminal of its
own, and takes screenshots of the terminal, of `report.html` and of the live page. What FOLDER holds from an earlier call is
used again: remove `runs/` and `terminal/` there for another run. Needs edgeclf[export], playwright and a Chromium.
"""

import fcntl
import io
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeclf.benchmarks.fabrics import LABELS, draw_fabric, write_fabrics
from edgeclf.runtime.errors import EdgeclfError
from edgeclf.runtime.terminal.console import command_app, friendly_errors, note

app = command_app()

SESSION = ("clf-train fabrics --time 4", "clf-export runs/fabrics", "clf-run runs/fabrics new --topk 2")
PER_CLASS, NEW, FILM_SHOTS, FILM_FPS = 100, 6, 12, 5.0
COLUMNS, ROWS = 100, 40
SEED = 900_000
"""Of images that are not among those for training."""
_WATCH_S = 14.0
_CLEAR = "\x1b[K"
_ADDRESS = re.compile(r"http://[\w.:]+/")
_REPORT_HW, _PAGE_HW = (1080, 1280), (620, 1000)


@app.command()
def screenshots(
    folder: Annotated[Path, typer.Argument(help="Where the images and the run are, or will be.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the screenshots go.")] = Path("docs/images"),
) -> None:
    """Make terminal.svg, report.png and live.png."""
    with friendly_errors():
        output.mkdir(parents=True, exist_ok=True)
        if not (folder / "fabrics").exists():
            write_images(folder)
        write_svg([(line, recorded(line, folder)) for line in SESSION], output / "terminal.svg")
        with chromium() as browser:
            photograph(browser, (folder / "runs/fabrics/report.html").resolve().as_uri(), _REPORT_HW, output / "report.png")
            with live_page(folder) as address:
                photograph(browser, address, _PAGE_HW, output / "live.png", _WATCH_S)
        for path in sorted(output.iterdir()):
            note(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def write_images(folder: Path) -> None:
    """`fabrics/` to train on, `new/` to classify, and `film.mkv` to watch."""
    from edgeclf.runtime.images.encode import encode_image
    from edgeclf.runtime.live.viewers.video_writer import VideoWriter

    write_fabrics(folder / "fabrics", PER_CLASS)
    (folder / "new").mkdir()
    for number in range(NEW):
        image = draw_fabric(LABELS[number % len(LABELS)], SEED + number)
        (folder / "new" / f"IMG_{1042 + 3 * number}.jpg").write_bytes(encode_image(image, ".jpg"))
    film = VideoWriter(folder / "film.mkv", FILM_FPS)
    for shot in range(FILM_SHOTS):
        film.write(draw_fabric(LABELS[shot * 2 % len(LABELS)], SEED + 100 + shot), repeat=round(2 * FILM_FPS))
    film.close()


def recorded(line: str, folder: Path) -> str:
    """What the command writes to a terminal, from an earlier call or from running it now."""
    record = folder / "terminal" / f"{line.split()[0]}.txt"
    if not record.exists():
        record.parent.mkdir(exist_ok=True)
        note(f"$ {line}")
        with on_terminal(line, folder) as (process, reader):
            written = b"".join(iter(lambda: _read(reader), b""))
        if process.wait():
            raise EdgeclfError(f"{line} ended with exit code {process.returncode}; see what it wrote:\n{written.decode()}")
        record.write_bytes(written)
    return record.read_bytes().decode()  # read_text would take each \r for a new line


@contextmanager
def on_terminal(line: str, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a command in `folder`, on a terminal whose other end is the descriptor."""
    reader, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    name, *words = shlex.split(line)
    program = Path(sys.executable).with_name(name)
    environment = os.environ | {"TERM": "xterm-256color"}
    streams: dict[str, Any] = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    process = subprocess.Popen([program, *words], cwd=folder, env=environment, **streams)
    os.close(terminal)
    try:
        yield process, reader
    finally:
        process.terminate()
        process.wait()
        os.close(reader)


def write_svg(session: list[tuple[str, str]], path: Path) -> None:
    """The commands and what they wrote, as text that can be selected; without fonts from other servers."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line, written in session:
        console.print(Text.assemble(("$ ", "dim"), (line, "bold")))
        lines = without_epochs([as_shown(line) for line in written.rstrip().split("\n")])
        console.print(Text.from_ansi("\n".join(lines) + "\n"))
    svg = console.export_svg(title="edgeclf")
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def as_shown(line: str) -> str:
    """What stays of a line on which a progress bar was drawn, and removed."""
    return line.rstrip("\r").rpartition(_CLEAR)[2].rpartition("\r")[2]


def without_epochs(lines: list[str]) -> list[str]:
    """The lines, with dots for the epochs between the first and the last of several in a row."""
    kept: list[str] = []
    for is_epoch, group in groupby(lines, lambda line: line.startswith("epoch ")):
        run = list(group)
        kept += [run[0], "...", run[-1]] if is_epoch and len(run) > 2 else run
    return kept


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise EdgeclfError("no chromium, chromium-browser or google-chrome here; install one")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def live_page(folder: Path) -> Iterator[str]:
    """The address of the page of a live run that watches the film."""
    with ExitStack() as stack:
        _, reader = stack.enter_context(on_terminal("clf-run runs/fabrics -s film.mkv --view :0 --smooth 3", folder))
        written = b""
        while not (found := _ADDRESS.search(written.decode("utf-8", "replace"))):
            if not (more := _read(reader)):
                raise EdgeclfError(f"the live run ended early:\n{written.decode()}")
            written += more
        threading.Thread(target=lambda: [*iter(lambda: _read(reader), b"")], daemon=True).start()  # it writes on
        yield found[0]


def photograph(browser: Any, address: str, size_hw: tuple[int, int], path: Path, wait_s: float = 1.0) -> None:
    """A PNG of 256 colours of the top of a page."""
    from PIL import Image

    page = browser.new_page(viewport={"width": size_hw[1], "height": size_hw[0]})
    page.goto(address, wait_until="domcontentloaded")
    time.sleep(wait_s)
    with Image.open(io.BytesIO(page.screenshot())) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)
    page.close()


def _read(reader: int) -> bytes:
    """More of what was written; empty at the end."""
    with suppress(OSError):  # Linux: the other end is closed
        return os.read(reader, 65536)
    return b""


if __name__ == "__main__":
    app()
