"""The process of one peer: it prepares, then classifies all images once for each line on stdin."""

import importlib
import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.benchmarks.peers import ClassifyAll
from edgeclf.runtime.terminal.console import command_app, friendly_errors

app = command_app()


@app.command()
def serve(
    module: Annotated[str, typer.Argument(help="A module of this package.")],
    folder: Annotated[Path, typer.Argument(help="Holds the models and photographs/.")],
    *,
    most: Annotated[int | None, typer.Option(help="Number of images, for a module that takes this argument.")] = None,
    core: Annotated[int | None, typer.Option(help="Run on this core only.")] = None,
) -> None:
    """Answer each line on stdin with a line of JSON: `[images per second, [label index, ...]]`."""
    json_lines = sys.stdout
    with friendly_errors(), redirect_stdout(sys.stderr):  # some libraries print to stdout
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})
        prepare = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare
        classify_all: ClassifyAll = prepare(folder) if most is None else prepare(folder, most)
        for _ in sys.stdin:
            started = time.perf_counter()
            labels = classify_all()
            rate = len(labels) / (time.perf_counter() - started)
            typer.echo(json.dumps([rate, labels]), file=json_lines)


if __name__ == "__main__":
    app()
