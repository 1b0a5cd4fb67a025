"""The cost of a live run beyond decoding and inference: `uv run python -m edgeclf.benchmarks.live`."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeclf.runtime.terminal.console import command_app, friendly_errors, print_data
from edgeclf.runtime.terminal.progress import Progress

if TYPE_CHECKING:
    from edgeclf.benchmarks.peers.rounds import Rates
    from edgeclf.runtime.model.classifier import Classifier

app = command_app()

HEIGHT, WIDTH = 720, 1280
NETWORK = "MobileNetV3Small"
BARE = "decode + inference"
EXPLAINED = """\
{frames} frames of a generated video of {width} x {height} (MJPG) in sequence, with {network}, float32, on all cores.
`{bare}` is a loop of `VideoCapture.read`, preprocessing and the model. The other rows are `clf-run` with
`--rows all --smooth 5 -o FILE.jsonl`. Medians of {rounds} interleaved rounds; ratios are taken within a round, with their
quartiles.

"""
_VIEWER = """\
import sys, time, urllib.request
while True:
    try:
        with urllib.request.urlopen(sys.argv[1]) as stream:
            while stream.read(65536): pass
    except OSError:
        time.sleep(0.05)
"""


@app.command()
def live(
    frames: Annotated[int, typer.Option(min=1, help="Frames in the video.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 11,
) -> None:
    """Measure, print the table, and write it to benchmarks/results.md."""
    with friendly_errors():
        from edgeclf.benchmarks.peers.rounds import rate, ratio
        from edgeclf.benchmarks.results import publish_section, table

        with tempfile.TemporaryDirectory() as folder:
            measured = measure(Path(folder), frames, rounds)
        rows = [(name, rate(measured, name), "" if name == BARE else ratio(measured, BARE, name)) for name in measured[0]]
        text = EXPLAINED.format(frames=frames, width=WIDTH, height=HEIGHT, network=NETWORK, bare=BARE, rounds=rounds)
        text += table(("", "frames/s", f"time relative to {BARE}"), rows)
        publish_section("The live loop", "edgeclf.benchmarks.live", text)
        print_data(text)


def measure(folder: Path, frames: int, rounds: int) -> "list[Rates]":
    """Frames a second of every candidate, one dictionary per round. An extra first round warms up."""
    from edgeclf.benchmarks.throughput import export_network, networks
    from edgeclf.runtime.model.classifier import Classifier

    export_network(networks()[NETWORK], folder)
    classifier = Classifier.open(folder / "model.onnx", device="cpu")
    video = write_video(folder / "video.mkv", frames)
    log = folder / "rows.jsonl"
    candidates: dict[str, Callable[[], float]] = {
        BARE: partial(bare_rate, video, classifier),
        "clf-run": partial(live_rate, video, classifier, log),
        "clf-run --view, no viewer": partial(live_rate, video, classifier, log, view=True),
        "clf-run --view, one viewer": partial(viewed_rate, video, classifier, log),
    }
    names, measured = list(candidates), []
    with Progress("measuring", (rounds + 1) * len(names), "run") as progress:
        for number in range(rounds + 1):
            first = number % len(names)
            rates = {}
            for name in names[first:] + names[:first]:
                rates[name] = candidates[name]()
                progress.advance(1, name)
            measured.append({name: rates[name] for name in names})
    return measured[1:]


def write_video(path: Path, frames: int) -> Path:
    """Write a video with the detail and noise of a camera's, so that decoding costs as much."""
    import cv2

    from edgeclf.benchmarks.photographs import photograph

    images = [photograph(HEIGHT, WIDTH, seed) for seed in range(10)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (WIDTH, HEIGHT))
    for number in range(frames):
        writer.write(images[number % len(images)])
    writer.release()
    return path


def bare_rate(video: Path, classifier: "Classifier") -> float:
    """Frames a second of the least that has to be done."""
    import cv2
    import numpy as np

    started, done = time.perf_counter(), 0
    capture = cv2.VideoCapture(str(video))
    while True:
        found, image = capture.read()
        if not found:
            break
        pixels = classifier.card.preprocess(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
        classifier.probabilities(pixels[None])
        done += 1
    capture.release()
    return done / (time.perf_counter() - started)


def live_rate(video: Path, classifier: "Classifier", log: Path, *, view: bool = False, port: int = 0) -> float:
    """Frames a second of a live run."""
    from edgeclf.runtime.live.feeds import open_videos
    from edgeclf.runtime.live.options import LiveOptions
    from edgeclf.runtime.run_live import classify_feed
    from edgeclf.runtime.run_options import RunOptions

    options = RunOptions((str(video),), output=str(log))
    live = LiveOptions(rows="all", smooth=5, view=f":{port}" if view else None)
    return classify_feed(options, live, open_videos(options.sources), classifier, "benchmark").rate


def viewed_rate(video: Path, classifier: "Classifier", log: Path) -> float:
    """Frames a second of a live run while another process reads the page's stream."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    viewer = subprocess.Popen([sys.executable, "-c", _VIEWER, f"http://127.0.0.1:{port}/stream?source=0"], env=os.environ)
    try:
        return live_rate(video, classifier, log, view=True, port=port)
    finally:
        viewer.kill()
        viewer.wait()


if __name__ == "__main__":
    app()
