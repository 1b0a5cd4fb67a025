"""A candidate's process: it prepares, and then for each line on stdin runs once and gives its rate and its answers."""

import importlib
import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from edgeclf.benchmarks.peers import Run
from edgeclf.runtime.terminal.console import command_app, friendly_errors

app = command_app()


@app.command()
def serve(
    module: Annotated[str, typer.Argument(help="One of this package.")],
    folder: Annotated[Path, typer.Argument(help="Its models and photographs/.")],
    *,
    most: Annotated[int | None, typer.Option(help="Of the images, for a module that can do with fewer.")] = None,
    core: Annotated[int | None, typer.Option(help="The only core that this process may use.")] = None,
) -> None:
    """Run one candidate again and again: a line in, a line of JSON out, `[images a second, [label, label, ...]]`."""
    answers_to = sys.stdout
    with friendly_errors(), redirect_stdout(sys.stderr):  # what libraries print is no answer
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})
        prepare = importlib.import_module(f"edgeclf.benchmarks.peers.{module}").prepare
        run: Run = prepare(folder) if most is None else prepare(folder, most)
        for _ in sys.stdin:
            started = time.perf_counter()
            labels = run()
            rate = len(labels) / (time.perf_counter() - started)
            typer.echo(json.dumps([rate, labels]), file=answers_to)


if __name__ == "__main__":
    app()
